"""A bot file to begin with: every key that there is, each with what it means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from practicum.serve.bot_file import BotFile

WIDTH = 120


def bot_text(bot: BotFile) -> str:
    """Return a bot file's text that `read_bot` takes; a key at its default is written behind a #."""
    lines = ["# A bot of yours. What stands behind a # is the default, or what a key means; a line to be used loses its #."]
    tables = []
    for name, value in bot:
        if isinstance(value, BaseModel):
            about = (type(value).__doc__ or "").strip()
            tables += ["", f"[{name}] # {about}", *_keys(value)]
        else:
            lines += _key(bot, name, value)
    return "\n".join([*lines, *tables]) + "\n"


def _keys(section: BaseModel) -> Iterator[str]:
    for name, value in section:
        yield from _key(section, name, value)


def _key(section: BaseModel, name: str, value: Any) -> Iterator[str]:
    field = type(section).model_fields[name]
    if field.description:
        yield from (f"# {line}" for line in _wrapped(" ".join(field.description.split()).replace("None:", "left out:")))
    if value is None:
        yield f"# {name} ="
    else:
        as_default = not field.is_required() and value == field.get_default(call_default_factory=True)
        yield f"{'# ' if as_default else ''}{name} = {_toml(value)}"


def _wrapped(text: str) -> Iterator[str]:
    """Break a text into lines at its blanks; code in backquotes may be broken too."""
    line = ""
    for word in text.split(" "):
        if line and len(line) + len(word) >= WIDTH:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case StrEnum() | str() | Path():
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{ " + ", ".join(f"{_bare(key)} = {_toml(one)}" for key, one in value.items()) + " }" if value else "{}"
        case tuple() | list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return repr(value)


def _bare(key: str) -> str:
    return str(key) if str(key).replace("_", "a").replace("-", "a").isalnum() and str(key).isascii() else _toml(str(key))
