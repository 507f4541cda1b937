"""Verbatim repeats of an earlier turn."""

from __future__ import annotations

import re
from collections.abc import Collection

from practicum.measures.length import chinese_characters, english_words

_KEPT = re.compile(r"[^\W_]+")
_ASCII_DROPPED = {code: None for code in range(128) if not chr(code).isalnum()}

MIN_CHINESE = 2
"""Chinese characters from which a turn can be a repeat …"""
MIN_WORDS = 2
"""… or words: below both, 嗯。 and "Yes." may be said again. 你好 may not: small models greet each other for ever."""


def normal_form(text: str) -> str:
    """Return the letters and digits of a text alone, in lower case: what two turns share that differ in punctuation and space."""
    if text.isascii():  # five times as fast where there are many words
        return text.translate(_ASCII_DROPPED).lower()
    return "".join(_KEPT.findall(text)).lower()


def repeats_earlier(text: str, earlier: Collection[str]) -> bool:
    """Tell whether the text was said before, word for word; very short turns are no repeats.

    Args:
        text: The new turn.
        earlier: The normal forms (`normal_form`) of the speaker's earlier turns; a set makes this O(1).
    """
    return normal_form(text) in earlier and can_repeat(text)


def can_repeat(text: str) -> bool:
    """Tell whether a turn is long enough for saying it again to be a repeat."""
    return chinese_characters(text) >= MIN_CHINESE or english_words(text) >= MIN_WORDS
