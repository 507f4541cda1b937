"""What may stand in a profile: the checks on single values, without pydantic, so that a plain list costs nothing more."""

from __future__ import annotations

import re

MAX_STORY = 20_000
"""Characters of a story. The origin's longest has 483; a story fills the client's prompt at every turn."""
MAX_NAME = 200
"""Characters of an id or of a fact's name."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but tab and line feed, and halves of surrogate pairs: no server takes them and no terminal shows them."""


def clean_story(text: str) -> str:
    """Return the text without white space around it, every line end as one line feed.

    Raises:
        ValueError: It is empty, longer than 20,000 characters, or has control characters; the message fits after a field's name.
    """
    text = text.strip().replace("\r\n", "\n").replace("\r", "\n")
    if not text:
        raise ValueError("is empty")
    if len(text) > MAX_STORY:
        raise ValueError(f"has {len(text):,} characters, at most {MAX_STORY:,} are taken")
    if found := _FORBIDDEN.search(text):
        raise ValueError(f"has the control character U+{ord(found[0]):04X} at position {found.start() + 1}; remove it")
    return text


def clean_name(text: str) -> str:
    """Return an id, or the name of a fact, without white space around it: one line of at most 200 characters.

    Raises:
        ValueError: It is not that; the message fits after a field's name.
    """
    text = text.strip()
    if not text:
        raise ValueError("is empty")
    if len(text) > MAX_NAME:
        raise ValueError(f"has {len(text):,} characters, at most {MAX_NAME} are taken")
    if not text.isprintable():
        raise ValueError(f"{clip(text)} must be one line without control characters")
    return text


def clip(value: object, most: int = 60) -> str:
    """Return a value as a message shows it: one line, at most `most` characters, containers by their kind only.

    Containers are not looked into: one nested a thousand deep would break `repr`.
    """
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    shown = repr(value)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
