"""Words that tell something of one client: all but those of `instruments/common_words.toml`.

No segmenter: a Chinese word is a pair of characters, two English words are one if they begin alike.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

from practicum.core import Language
from practicum.measures.phrases import instrument

WORD = re.compile("[a-z]{4,}")
_STEM = 5
"""Letters by which English words are told apart: marry, married and marriage are one."""


@cache
def _common(language: Language) -> frozenset[str]:
    return frozenset(stem(word) if language == "en" else word for word in instrument("common_words")[language]["common"].split())


@cache
def _function() -> frozenset[str]:
    return frozenset(instrument("common_words")["zh"]["function"])


def stem(word: str) -> str:
    """Return what an English word is told by."""
    return word.removesuffix("s").removesuffix("ing").removesuffix("ed")[:_STEM]


def pairs_of(text: str) -> list[str]:
    """Return the pairs of Chinese characters that stand side by side."""
    return [a + b for a, b in pairwise(text) if "\u4e00" <= a <= "\u9fff" and "\u4e00" <= b <= "\u9fff"]


def telling_pairs(text: str) -> set[str]:
    """Return the pairs of characters that are no common word, nor have a character that only serves."""
    common, function = _common("zh"), _function()
    return {pair for pair in pairs_of(text) if pair not in common and function.isdisjoint(pair)}


def telling_stems(text: str) -> set[str]:
    """Return the stems of the English words that are not common."""
    return {stem(word) for word in WORD.findall(text.lower())} - _common("en")


def shares_words(text: str, other: str, language: Language) -> bool:
    """Tell whether a telling word of a text stands in another one."""
    if language == "en":
        return not telling_stems(text).isdisjoint(telling_stems(other))
    return any(pair in other for pair in telling_pairs(text))
