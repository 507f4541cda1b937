"""Empty praise and stock comfort: turns that would fit any client."""

from __future__ import annotations

import re
from functools import cache

from practicum.core import Language
from practicum.measures.length import chinese_characters, english_words
from practicum.measures.phrases import instrument, phrases_of, plain

_CLAUSE = {"zh": re.compile("[^，。！？；,.!?;~～…\\s]+"), "en": re.compile("[^,.!?;:…\n—]+")}

FULL = 0.3
"""Above this share of its letters in clauses of its own a turn says something."""


@cache
def _asks(language: Language) -> re.Pattern[str]:
    return re.compile(instrument("praise")[language]["ask"])


def is_empty_praise(text: str, language: Language) -> bool:
    """Tell whether a counselor's turn is nothing but praise, encouragement or stock comfort.

    A turn that asks, advises or takes up what the client said is not empty; at most three tenths of an empty one are anything else.
    """
    longest, most = (instrument("praise")[language][key] for key in ("longest", "most"))
    if not 0 < _size(text, language) <= most:
        return False
    if language == "en":
        text = plain(text)
    if _asks(language).search(text):
        return False
    stock = phrases_of("praise", language)
    left = FULL * len(text)
    for clause in _CLAUSE[language].finditer(text):
        said = clause[0]
        if not stock.search(said) or _size(said, language) > longest:
            left -= len(said)
            if left < 0:
                return False
    return True


def _size(text: str, language: Language) -> int:
    return english_words(text) if language == "en" else chinese_characters(text)
