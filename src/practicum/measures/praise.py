"""Empty praise and stock comfort: turns that would fit any client."""

from __future__ import annotations

import re
from functools import cache

from practicum.core import Language
from practicum.measures.common_words import shares_words
from practicum.measures.length import chinese_characters, english_words
from practicum.measures.phrases import instrument, phrases_of, plain

_CLAUSE = {"zh": re.compile("[^，。！？；,.!?;~～…\\s]+"), "en": re.compile("[^,.!?;:…\n—]+")}

_LETTERS = {"zh": 2, "en": 10}
# Characters for each that is counted, at most, in a turn that may be empty: most turns are longer, and not read.

FULL = 0.3
"""Above this share of its letters in clauses of its own a turn says something …"""
LOOSE = 0.75
"""… and above this one whatever it takes up."""


@cache
def _rule(language: Language, key: str) -> re.Pattern[str]:
    return re.compile(instrument("praise")[language][key])


def is_empty_praise(text: str, language: Language, said: str) -> bool:
    """Tell whether a counselor's turn is nothing but praise, encouragement or stock comfort.

    A turn that asks or advises is not empty, nor is a long one. Of an empty one at most three tenths of the letters are no stock comfort;
    or some of it is, and nothing takes up what the client has said.

    Args:
        text: The turn.
        language: The conversation's.
        said: What the client says in the whole conversation.
    """
    longest, most = (instrument("praise")[language][key] for key in ("longest", "most"))
    if len(text) > _LETTERS[language] * most:
        return False
    if language == "en":
        text = plain(text)
    if _rule(language, "ask").search(text) or not 0 < _size(text, language) <= most:
        return False
    stock = phrases_of("praise", language)
    clauses = [clause[0] for clause in _CLAUSE[language].finditer(text)]
    own = sum(len(clause) for clause in clauses if not stock.search(clause) or _size(clause, language) > longest)
    if own <= FULL * len(text):
        return True
    if own > LOOSE * len(text) or _size(text, language) > instrument("praise")[language]["short"]:
        return False
    return not _rule(language, "tells").search(text) and not shares_words(text, said, language)


def _size(text: str, language: Language) -> int:
    return english_words(text) if language == "en" else chinese_characters(text)
