"""How much of one text stands word for word in another."""

from __future__ import annotations

import re
from collections.abc import Iterable

from practicum.core import Language
from practicum.measures.repeats import normal_form

_WORD = re.compile(r"\w+")

SIZE = 8
"""Characters (English: words) of an n-gram."""


def copied_share(texts: Iterable[str], source: str, language: Language) -> tuple[float, str]:
    """Return the share of the texts' 8-grams that stand in a source, and the longest stretch that does ("" for none).

    Punctuation, white space and case do not count; an n-gram lies within one text. Shorter texts have none.
    """
    known = set(_grams(source, language))
    total = copied = 0
    longest: list[str] = []
    for text in texts:
        run: list[str] = []
        for gram in _grams(text, language):
            total += 1
            if gram in known:
                copied += 1
                run.append(gram)
                if len(run) > len(longest):
                    longest = run
            else:
                run = []
    return (copied / total if total else 0.0), _joined(longest, language)


def _grams(text: str, language: Language) -> list[str]:
    if language == "en":
        words = _WORD.findall(text.lower().replace("’", "").replace("'", ""))
        return [" ".join(words[start : start + SIZE]) for start in range(len(words) - SIZE + 1)]
    text = normal_form(text)
    return [text[start : start + SIZE] for start in range(len(text) - SIZE + 1)]


def _joined(run: list[str], language: Language) -> str:
    if not run:
        return ""
    if language == "en":
        return " ".join([run[0], *(gram.rsplit(" ", 1)[1] for gram in run[1:])])
    return run[0] + "".join(gram[-1] for gram in run[1:])
