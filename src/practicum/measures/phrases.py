"""Phrases as data: the lists of `instruments/NAME.toml`, compiled so that text without any of them costs next to nothing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from practicum.core import Language
from practicum.measures.cues import holds_any

_LATIN = re.compile("[A-Za-z]{2}")


@cache
def instrument(name: str) -> dict[str, Any]:
    """Return an instrument's data, by language."""
    data: dict[str, Any] = tomllib.loads(files("practicum.measures").joinpath("instruments", f"{name}.toml").read_text("utf-8"))
    return data


def any_of(phrases: Iterable[str], *, words: bool) -> re.Pattern[str]:
    """Compile phrases, grouped by their first character: a search then skips every place where none can begin.

    Args:
        phrases: Regular expressions; each begins with a plain character or a set of them (`[你您]`).
        words: A phrase begins where a word does.
    """
    rests: dict[str, list[str]] = {}
    for phrase in phrases:
        heads, rest = phrase[1:].split("]", 1) if phrase[0] == "[" else (phrase[0], phrase[1:])
        for head in heads:
            rests.setdefault(head, []).append(rest)
    # The test for the word's beginning stands after its first character, or the search could not skip.
    edge = "(?<![a-z0-9]{0})" if words else ""
    return re.compile("|".join(f"{head}{edge.format(head)}(?:{'|'.join(rest)})" for head, rest in rests.items()))


@cache
def phrases_of(name: str, language: Language, key: str = "phrases") -> re.Pattern[str]:
    """Return the compiled phrases of an instrument in one language."""
    return any_of(instrument(name)[language][key], words=language == "en")


def plain(text: str) -> str:
    """Return a text as the English lists are read: in lower case, with straight apostrophes."""
    return text.lower().replace("’", "'")


def has_latin(text: str) -> bool:
    """Tell whether two Latin letters stand side by side: without them no English list need be read."""
    return _LATIN.search(text) is not None


def find_phrases(name: str, text: str) -> Iterator[re.Match[str]]:
    """Yield the phrases of an instrument with cues, Chinese ones first; both languages are read, whatever the session's."""
    if not text.isascii() and holds_any(text, instrument(name)["zh"]["cue"]):
        yield from phrases_of(name, "zh").finditer(text)
    if has_latin(text):
        text = plain(text)
        if holds_any(text, instrument(name)["en"]["cue"]):
            yield from phrases_of(name, "en").finditer(text)
