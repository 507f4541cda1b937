"""Bots as data: a TOML file that says which model answers, what it is shown, and how its next word is drawn."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from practicum.core import Form, Language, Speaker
from practicum.engine import Section, Text, explain, read_toml
from practicum.errors import ConfigError

SUFFIX = ".toml"
BUNDLED = "bundled:"
"""Begins the name of a prompt of practicum's own."""
_DATA = files("practicum.serve") / "bots"
_WITH_FILES = ("local", "hf")
"""Backends whose models may be a GGUF file."""

Unknown = Literal["unknown"]
"""Stands for what the source of a bot does not state; the model's own default is used."""

Stop = Annotated[str, Field(max_length=100)]
"""A line break is a good stop, so this may hold what a name may not."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def _short_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("expected up to 64 of a-z, 0-9, dot, dash and underscore, a letter or digit first")
    return name


def _no_bot(name: str) -> str:
    if name.startswith("bot:"):
        raise ValueError("a bot answers with a model, not with another bot; name the model")
    if not all(name.partition(":")):
        raise ValueError("expected BACKEND:NAME, e.g. local:qwen2.5-coder-1.5b")
    return name


def _two_sides(labels: dict[Speaker, str]) -> dict[Speaker, str]:
    said = {label.strip() for label in labels.values()}
    if set(labels) != set(Speaker) or len(said) < len(labels) or "" in said:
        raise ValueError("expected two labels that differ, client and counselor")
    return labels


def _spoken(stops: tuple[str, ...]) -> tuple[str, ...]:
    if "" in stops:
        raise ValueError("a stop is at least one character")
    return stops


def _simple(own: dict[str, Any]) -> dict[str, Any]:
    """Refuse what has no JSON: it goes into the bot's digest."""
    for name, value in own.items():
        if not (isinstance(value, str | bool) or (isinstance(value, int | float) and abs(value) < 2**63)):
            raise ValueError(f"{name} is neither a number, a text, true nor false")
    return own


class About(Section):
    """What a bot is, in a sentence of each language."""

    zh: Text = ""
    en: Text = ""


class SourceOfModel(Section):
    """Where the weights come from."""

    weights: Text = ""
    """Repository or service, e.g. `qiuhuachuan/MeChat`; "": any model will do."""
    family: Text = ""
    """What the weights were made from, e.g. ChatGLM2-6B."""
    licence: Text | Unknown = ""
    """SPDX identifier or free text, of the weights."""
    note: Text = ""


class ModelConfig(Section):
    """The model that answers."""

    name: Annotated[Text, AfterValidator(_no_bot)]
    """`BACKEND:NAME[@ADDRESS]`, as everywhere, but no `bot:`."""
    key: Text | None = None
    """Name of the environment variable that holds the key, never the key."""
    lora: Path | None = None
    """A GGUF adapter (`local:` only; on vLLM an adapter is a model name). Relative to the bot file."""
    own: bool = False
    """Asked through the model's own `.chat()` (`hf:` with remote code: ChatGLM, InternLM2); over HTTP the server does the same."""
    trust_remote_code: bool = False
    """The model comes with Python code; it is run only if the user says so too (`--trust-remote-code`)."""
    dtype: Text | Unknown = ""
    """What the weights are loaded in (`hf:`): float16, bfloat16, auto; "": not stated."""


class PromptConfig(Section):
    """What the model is shown."""

    form: Form | None = None
    """chat: turns as messages. transcript: one text with labels. None: what the model needs (the catalog knows)."""
    text: Text = ""
    """The instruction: `bundled:NAME` (a prompt of practicum's), or a file, relative to the bot file; "": none is sent."""
    stands_in: bool = False
    """The bot's authors send a text of their own here, which practicum does not ship; ours stands in until `--prompt` names theirs."""
    labels: Annotated[dict[Speaker, Text], AfterValidator(_two_sides)] | None = None
    """What stands before each side's words in a transcript; None: practicum's own of the language."""
    heading: Text = ""
    """A line between the instruction and the transcript."""
    cue: Text | None = None
    """The line that asks for the reply; None: the counselor's label."""
    raw: bool = False
    """The transcript goes to raw completion, not as one user message. Always so where the catalog says that a model needs a transcript."""
    template: Text = ""
    """Marks around a raw transcript: chatml, llama3 or plain; "": what fits the model."""
    window: Annotated[int, Field(ge=1, le=10_000)] | Unknown | None = None
    """Only so many of the last exchanges are shown; None: the whole session."""


class DecodingConfig(Section):
    """How the next token is drawn. What is left out or "unknown" is left to the model's own default."""

    temperature: Annotated[float, Field(ge=0, le=2)] | Unknown | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | Unknown | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | Unknown | None = None
    stop: Annotated[tuple[Stop, ...], AfterValidator(_spoken)] | Unknown = ()
    """Generation stops before any of these, besides what the form stops at."""
    seed: Unknown | None = None
    """Every call of practicum's has a seed of its own; the origin's may not have had one."""
    own: Annotated[dict[Text, Any], AfterValidator(_simple)] = Field(default_factory=dict)
    """Parameters that the model's own `.chat()` takes besides; a server has no word for them."""
    caller: tuple[Literal["temperature", "top_p"], ...] = ()
    """What a caller of the gateway may set; a bot's decoding is its own otherwise."""


class ReplyConfig(Section):
    """What is done to a reply before anybody sees it."""

    strip_label: bool = False
    """Take off a role label at its beginning."""
    first_paragraph: bool = False
    """Keep the first line that is not blank."""


class BotFile(Section):
    """A bot, as its file says it."""

    name: Annotated[str, AfterValidator(_short_name)]
    about: About = About()
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    source: SourceOfModel = SourceOfModel()
    model: ModelConfig
    prompt: PromptConfig = PromptConfig()
    decoding: DecodingConfig = DecodingConfig()
    reply: ReplyConfig = ReplyConfig()


def read_bot(path: Path) -> BotFile:
    """Read a bot file; its relative paths (`prompt.text`, `model.lora`, a GGUF file of `model.name`) come back resolved against its folder.

    Raises:
        ConfigError: The file cannot be read or a field will not do, one line for each mistake.
    """
    return files_of(validate_bot(read_toml(path, "bot file"), f"bot file {path}"), lambda file: path.parent / file)


def bundled_bots() -> list[BotFile]:
    """Return the bots that come with the package, sorted by name."""
    return list(_bundled())


def find_bot(name: str) -> BotFile:
    """Return a bot by the name of a bundled one, or by the path of a file that ends in `.toml`.

    Raises:
        ConfigError: There is none; the message lists the known ones.
    """
    if name.endswith(SUFFIX):
        return read_bot(Path(name))
    for bot in _bundled():
        if bot.name == name:
            return bot
    known = ", ".join(bot.name for bot in _bundled())
    raise ConfigError(f"there is no bot {name!r}; known: {known}, or give the path of a bot file (.toml). `practicum bots list` shows them")


@cache
def _bundled() -> tuple[BotFile, ...]:
    entries = sorted((entry for entry in _DATA.iterdir() if entry.name.endswith(SUFFIX)), key=lambda entry: entry.name)
    return tuple(validate_bot(tomllib.loads(entry.read_text("utf-8")), f"bot file {entry.name}") for entry in entries)


def validate_bot(tree: Mapping[str, Any], where: str) -> BotFile:
    """Read what a bot file holds; `where` begins every complaint.

    Raises:
        ConfigError: A field will not do, one line for each mistake.
    """
    try:
        return BotFile.model_validate(tree)
    except ValidationError as problem:
        raise ConfigError("\n".join(f"{where}: {line}" for line in _mistakes(problem))) from None


def _mistakes(problem: ValidationError) -> list[str]:
    """Return a line for each field that will not do: pydantic names every way in which a value fails, one of them "unknown"."""
    told: dict[tuple[str, ...], list[Any]] = {}
    for error in problem.errors():
        told.setdefault(_field_of(error["loc"]), []).append(error)
    return [_line(loc, errors) for loc, errors in told.items()]


def _line(loc: tuple[str, ...], errors: list[Any]) -> str:
    first = errors[0]
    if first["type"] == "missing":
        return f"{'.'.join(loc)} is missing; `practicum bots new` writes a file with every key in it"
    message = "expected a table" if first["type"] == "model_type" else first["msg"]
    if len(errors) > 1 and errors[-1]["type"] == "literal_error" and errors[-1]["loc"][-1] == "literal['unknown']":
        message += "; or 'unknown'"
    return explain({**first, "loc": loc, "msg": message}, BotFile)


def _field_of(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the part of pydantic's location that names a key of the file: no index, no branch of a union."""
    model: type[BaseModel] = BotFile
    for depth, name in enumerate(loc, start=1):
        field = model.model_fields.get(str(name))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return tuple(map(str, loc[:depth]))
        model = field.annotation
    return tuple(map(str, loc))


def files_of(bot: BotFile, move: Callable[[Path], Path]) -> BotFile:
    """Return a bot with every file that it names (`prompt.text`, `model.lora`, a GGUF file of `model.name`) named anew."""
    model, prompt = bot.model, bot.prompt
    backend, _, name = model.name.partition(":")
    if backend in _WITH_FILES and name.endswith(".gguf"):
        model = model.model_copy(update={"name": f"{backend}:{move(Path(name))}"})
    if model.lora is not None:
        model = model.model_copy(update={"lora": move(model.lora)})
    if prompt.text and not prompt.text.startswith(BUNDLED):
        prompt = prompt.model_copy(update={"text": str(move(Path(prompt.text)))})
    return bot.model_copy(update={"model": model, "prompt": prompt})
