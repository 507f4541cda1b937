"""What a role is told: prompt texts kept as data files, rendered in a sandbox."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, cast

from practicum.core import Form, Language, PromptRef, Speaker, text_digest
from practicum.errors import PromptError

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

_DATA = files("practicum.roles") / "prompts"
_SUFFIX = ".jinja"
_MARKS = ("{{", "{%", "{#")

SUPERVISOR = "supervisor"
QUESTION = "question"
"""What a supervisor is asked each time: the session so far and the candidates."""

_BOTH = frozenset({"language", "max_exchanges"})
_VARIABLES: Mapping[str, frozenset[str]] = {
    Speaker.CLIENT: _BOTH | {"profile", "facts"},
    Speaker.COUNSELOR: _BOTH,
    SUPERVISOR: frozenset({"language"}),
    QUESTION: frozenset({"language", "transcript", "replies", "fence", "again"}),
}
"""Roles to the variables that their prompts may name: the counselor never sees the profile."""

_DEFAULT_NAMES: Mapping[str, str] = {
    Speaker.CLIENT: "plain",
    Speaker.COUNSELOR: "integrative",
    SUPERVISOR: "ethics",
    QUESTION: "turn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    r"""The system prompt of one role, in one language and form.

    A text without Jinja (none of `{{`, `{%`, `{#`) is said byte for byte. Otherwise no block is trimmed, the final line
    break stays, and line breaks become `\n`, as they do in any text file that Python reads.
    """

    id: str
    """`ROLE.NAME.LANGUAGE.FORM` of a bundled prompt (`client.plain.zh.chat`), or the user's file name."""
    role: str
    """client, counselor, supervisor, question."""
    language: Language
    form: Form
    text: str
    """The template's source."""

    @property
    def digest(self) -> str:
        """Digest of the template's source."""
        return text_digest(self.text)

    @property
    def ref(self) -> PromptRef:
        """How a participant names this prompt."""
        return PromptRef(id=self.id, digest=self.digest)

    def variables(self) -> frozenset[str]:
        """Return the variables that the template expects to be given, allowed or not.

        Raises:
            PromptError: The template is not valid Jinja.
        """
        if not self._is_template:
            return frozenset()
        from jinja2 import meta, nodes

        environment = _environment()
        try:
            tree = environment.parse(self.text)
            named = meta.find_undeclared_variables(tree)
        except _template_faults() as error:
            raise self._fault(error) from error
        # A name that is set in one branch only counts as undeclared for Jinja, but it is the template's own.
        own = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
        return frozenset(named - own - environment.globals.keys())

    def render(self, **variables: Any) -> str:
        """Return the prompt as the model is shown it.

        Values are inserted as they are: a profile that contains `{{ }}` stays text.

        Args:
            variables: `language` and `max_exchanges`; for a client also `profile` (the story) and `facts` (names to values). A
                question has `transcript`, `replies` (each with `label` and `text`), `fence` and `again` in place of the latter.

        Raises:
            PromptError: The template cannot be rendered with these, or one of them is not for this role.
        """
        if refused := variables.keys() - _VARIABLES[self.role]:
            raise PromptError(f"prompt {self.id!r}: a {self.role} must not be given {_listed(refused)}; {self._allowed}")
        if not self._is_template:
            return self.text
        try:
            return _compiled(self.text).render(variables)
        except _template_faults() as error:
            raise self._fault(error) from error

    @property
    def _is_template(self) -> bool:
        return any(mark in self.text for mark in _MARKS)

    @property
    def _allowed(self) -> str:
        return f"available in a {self.role} prompt: {_listed(_VARIABLES[self.role])}"

    def _fault(self, error: Exception) -> PromptError:
        line = _line_of(error)
        where = f", line {line}" if line else ""
        cause = f"{type(error).__name__}: {error}".partition("\n")[0]
        return PromptError(f"prompt {self.id!r}{where}: {cause}; {self._allowed}")


def bundled_prompts() -> list[Prompt]:
    """Return every prompt that comes with the package, sorted by id."""
    names = sorted(entry.name for entry in _DATA.iterdir() if entry.name.endswith(_SUFFIX))
    return [_read_bundled(name.removesuffix(_SUFFIX)) for name in names]


def load_prompt(role: str, language: Language, form: Form, name: str = "") -> Prompt:
    """Return a bundled prompt.

    Args:
        role: client, counselor, supervisor or question.
        language: The language of the session.
        form: The form that the model is asked in.
        name: plain for clients, integrative for counselors, ethics for supervisors, turn for questions; "" is that default.

    Raises:
        PromptError: There is no such prompt.
    """
    prompt_id = f"{role}.{name or _DEFAULT_NAMES.get(role, '')}.{language}.{form}"
    known = {prompt.id: prompt for prompt in bundled_prompts()}
    if prompt_id not in known:
        raise PromptError(f"prompt {prompt_id!r} does not exist; known: {', '.join(known)}. `practicum prompts` lists them.")
    return known[prompt_id]


def read_prompt_file(path: Path, *, role: str, language: Language, form: Form) -> Prompt:
    """Return the prompt in a user's own file: UTF-8 text, optionally with Jinja, kept byte for byte.

    Raises:
        PromptError: The file cannot be read, is empty, is not valid Jinja, or names a variable that its role has not got.
    """
    try:
        # Decoded, not opened as text: that would change the file's line breaks.
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise PromptError(f"prompt file {path}: cannot be read ({error.strerror}); give the path of a text file") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"prompt file {path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    if not text.strip():
        raise PromptError(f"prompt file {path}: is empty; write the {role}'s instructions into it")
    prompt = Prompt(id=path.name, role=role, language=language, form=form, text=text)
    named = prompt.variables()
    if role == Speaker.COUNSELOR and (secret := named & {"profile", "facts"}):
        raise PromptError(f"prompt file {path}: names {_listed(secret)}, which a counselor never sees; {prompt._allowed}")
    if unknown := named - _VARIABLES[role]:
        raise PromptError(f"prompt file {path}: names {_listed(unknown)}, which does not exist; {prompt._allowed}")
    return prompt


@cache
def labels(language: Language) -> Mapping[Speaker, str]:
    """Return what stands before each side's words in a transcript, its trailing space included where there is one."""
    words = _words()[language]
    return {speaker: words[speaker] for speaker in Speaker}


def opening(language: Language) -> str:
    """Return the fixed words with which the client begins a session."""
    return _words()[language]["opening"]


def _read_bundled(prompt_id: str) -> Prompt:
    role, _, language, form = prompt_id.split(".")
    # The last line break belongs to the file, not to what the model is told.
    text = (_DATA / f"{prompt_id}{_SUFFIX}").read_text("utf-8").removesuffix("\n")
    return Prompt(id=prompt_id, role=role, language=cast("Language", language), form=Form(form), text=text)


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((_DATA / "labels.toml").read_text("utf-8"))


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import DictLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=DictLoader({}),  # includes and imports find nothing
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    # Both draw from the global generator: the same prompt must read the same in every session.
    del environment.globals["lipsum"], environment.filters["random"]
    return environment


@lru_cache(maxsize=64)
def _compiled(text: str) -> Template:
    return _environment().from_string(text)


@cache
def _template_faults() -> tuple[type[Exception], ...]:
    """Return what a template can raise: Jinja's own errors, and those of the Python operators that its expressions use."""
    from jinja2 import TemplateError

    return (TemplateError, ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)


def _line_of(error: Exception) -> int | None:
    """Return the template line at which an error arose; None where Jinja does not know it."""
    from jinja2 import TemplateSyntaxError

    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    # Jinja rewrites the traceback of a failed rendering into lines of the template; "<template>" is its name for a string.
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else None


def _listed(names: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names))
