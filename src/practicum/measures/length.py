"""How much was said: Chinese characters and English words."""

from __future__ import annotations

import re

from practicum.core import Language

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[A-Za-zÀ-ɏ0-9]+(?:['’.-][A-Za-zÀ-ɏ0-9]+)*")


def chinese_characters(text: str) -> int:
    """Count the Chinese characters; punctuation, digits and Latin letters do not count."""
    return 0 if text.isascii() else len(_HAN.findall(text))


def english_words(text: str) -> int:
    """Count the words and numbers in Latin script; "don't", "well-being" and "3.5" are one each."""
    return len(_WORD.findall(text))


def too_long(text: str, language: Language, limit_zh: int = 200, limit_en: int = 120) -> bool:
    """Tell whether a reply is longer than its language allows.

    Chinese: more than `limit_zh` Chinese characters (Qiu & Lan 2024), or more than `limit_en` Latin words. English: more than
    `limit_en` words, a Chinese character being one. So a reply in the wrong language is bounded too.
    """
    # Most replies need no counting: a word takes two characters with its space, a Chinese character one.
    most = (len(text) + 1) // 2 if text.isascii() else len(text)
    if most <= min(limit_zh, limit_en):
        return False
    chinese, words = chinese_characters(text), english_words(text)
    if language == "zh":
        return chinese > limit_zh or words > limit_en
    return chinese + words > limit_en
