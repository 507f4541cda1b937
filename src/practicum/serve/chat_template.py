"""A model's own chat template: where it lies, and what it makes of messages, as transformers and the servers would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from practicum.backends import ModelName, read_gguf
from practicum.core import Message
from practicum.errors import ConfigError

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.nodes import Node
    from jinja2.parser import Parser


class TemplateFaultError(Exception):
    """A template refuses messages, or is broken; one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTemplate:
    """A template, and the marks that it may name."""

    text: str
    """Jinja."""
    bos: str = ""
    """The mark at the beginning of every text; "": none, or not known (a GGUF file's tokenizer puts it there)."""
    eos: str = ""

    def render(self, messages: Sequence[Message], *, now: datetime, begin: bool) -> str:
        """Return the text that the model would see.

        Args:
            messages: What is sent.
            now: Told to templates that ask for the date.
            begin: Begin the reply (`add_generation_prompt`).

        Raises:
            TemplateFaultError: The template refuses them, or is broken.
        """
        from jinja2 import TemplateError

        def refuse(reason: str) -> None:
            raise TemplateError(reason)

        try:
            return _compiled(self.text).render(
                messages=[message._asdict() for message in messages],
                add_generation_prompt=begin,
                bos_token=self.bos,
                eos_token=self.eos,
                tools=None,
                documents=None,
                raise_exception=refuse,
                strftime_now=now.strftime,
            )
        except (TemplateError, ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
            raise TemplateFaultError(" ".join(str(error).split()) or type(error).__name__) from error


@lru_cache(maxsize=16)
def _compiled(text: str) -> Template:
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}`: marks what an assistant says, for training; nothing is to be seen of it."""

        tags = {"generation"}  # noqa: RUF012 - jinja2 wants a set here

        def parse(self, parser: Parser) -> Node | list[Node]:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = _to_json
    return environment.from_string(text)


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    """Jinja's own filter escapes HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def read_template_file(path: Path) -> ChatTemplate:
    """Read a template that a user names: Jinja text, a tokenizer_config.json, a GGUF file, or a folder of weights.

    Raises:
        ConfigError: It cannot be read, or holds no template.
    """
    if path.suffix == ".gguf":
        found = ChatTemplate(text=read_gguf(path).chat_template)
    elif path.is_dir():
        found = _from_folder(path)
    elif path.suffix == ".json":
        found = _from_json(path)
    else:
        found = ChatTemplate(text=_read(path))
    if not found.text.strip():
        raise ConfigError(
            f"chat template {path}: there is none in it; give a .jinja file, a tokenizer_config.json or a .gguf file that has one"
        )
    return found


def find_template(model: ModelName, weights: Path | None) -> ChatTemplate | str:
    """Return a model's own template, or why it cannot be read and what to do.

    Args:
        model: The model's name.
        weights: The file of a `local:` model.

    Raises:
        ConfigError: A file that should hold it cannot be read.
    """
    if weights is not None:
        text = read_gguf(weights).chat_template
        return ChatTemplate(text=text) if text else f"{weights.name} holds no chat template; give --template FILE"
    if model.backend == "hf":
        path = Path(model.name)
        if path.suffix == ".gguf" or path.is_dir():
            found = ChatTemplate(text=read_gguf(path).chat_template) if path.suffix == ".gguf" else _from_folder(path)
            return found if found.text else f"{path} holds no chat template; give --template FILE"
        return f"{model.name} is not a folder on this machine; give --model hf:FOLDER or --template FILE (its tokenizer_config.json)"
    if model.backend == "script":
        return "a script has no chat template"
    return (
        f"the server of {model.identity} keeps its chat template to itself; give --template FILE (the model's chat_template.jinja "
        "or tokenizer_config.json) to see what it makes of this"
    )


def _from_folder(folder: Path) -> ChatTemplate:
    config = folder / "tokenizer_config.json"
    found = _from_json(config) if config.is_file() else ChatTemplate(text="")
    own = folder / "chat_template.jinja"
    return ChatTemplate(text=_read(own), bos=found.bos, eos=found.eos) if own.is_file() else found


def _from_json(path: Path) -> ChatTemplate:
    try:
        config = json.loads(_read(path))
    except (ValueError, RecursionError) as problem:
        raise ConfigError(f"{path} is not JSON: {problem}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path}: expected an object with a chat_template, as tokenizer_config.json has it")
    template = config.get("chat_template") or ""
    if isinstance(template, list):  # several by name
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default") or ""
    return ChatTemplate(text=str(template), bos=_mark(config.get("bos_token")), eos=_mark(config.get("eos_token")))


def _mark(value: Any) -> str:
    """Return a special token: text, or an object that holds it; "" for none."""
    return str(value.get("content") or "") if isinstance(value, dict) else str(value or "")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be read ({problem.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
