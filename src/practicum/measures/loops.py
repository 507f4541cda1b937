"""What goes round: the same turn in nearly the same words, and text that loops within a turn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from practicum.core import Language
from practicum.measures.repeats import normal_form

_MARKS = {"zh": "。！？；：,.!?;:… ", "en": ",!?;:…\n"}
_MARK = {"zh": "，", "en": "."}
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[\w'’]+")

SAME = 0.8
"""Share of a turn's letters in clauses that were said before, from which on it is a repeat."""
SHORTEST = {"zh": 11, "en": 30}
"""Letters of a turn from which on it can be a repeat: 好的，谢谢您 may be said twice."""
CLAUSE = 4
"""Characters from which on a clause counts."""


def count_repeats(turns: Iterable[str], language: Language) -> tuple[int, str]:
    """Count one side's turns that say again what that side has said: at least four fifths of them, clause by clause.

    Returns:
        How many, and the first of them ("" without any).
    """
    said: set[str] = set()
    repeats, first = 0, ""
    shortest = SHORTEST[language]
    turns = list(turns)
    for number, clauses in enumerate(_clauses(turns, language)):
        if said and not said.isdisjoint(clauses):
            old = sum(len(clause) for clause in clauses if clause in said)
            if old >= SAME * sum(map(len, clauses)) and len(normal_form(turns[number])) >= shortest:
                repeats += 1
                first = first or turns[number]
        said.update(clauses)
    return repeats, first


def _clauses(turns: list[str], language: Language) -> list[list[str]]:
    """Split turns into clauses of at least `CLAUSE` characters."""
    text, mark = "\0".join(turns), _MARK[language]
    if language == "en":
        text = text.lower()
    for other in _MARKS[language]:  # four times as fast as one regular expression
        text = text.replace(other, mark)
    return [[clause for part in turn.split(mark) if len(clause := part.strip()) >= CLAUSE] for turn in text.split("\0")]


def find_loop(text: str, language: Language, size: int, times: int) -> str:
    """Return a run of `size` characters (English: words) that stands at least `times` times in the text; "" if none does.

    Punctuation does not count. Runs do not overlap, and one without a letter (numbers) is none.
    """
    return _loop_of_words(text, size, times) if language == "en" else _loop_of_characters(text, size, times)


def may_loop(text: str, size: int, times: int) -> bool:
    """Tell whether any run of `size` characters stands so often in a text, overlapping or not; quick, and good for many turns at once.

    For Chinese: in English, runs of characters say nothing of runs of words.
    """
    import numpy as np  # with the first call: numpy takes longer to load than all the other measures

    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    runs = max(0, len(points) - size + 1)
    if runs < times:
        return False
    sums = points[:runs]
    for start in range(1, size):
        sums = sums * np.uint64(1_000_003) + points[start : start + runs]
    sums.sort()
    return bool((sums[times - 1 :] == sums[: runs - times + 1]).any())


def _loop_of_characters(text: str, size: int, times: int) -> str:
    if len(text) < size * times:
        return ""
    text = normal_form(text)
    runs = [text[start : start + size] for start in range(len(text) - size + 1)]
    if len(runs) - len(set(runs)) < times - 1:
        return ""
    often = (run for run, count in Counter(runs).items() if count >= times)
    return next((run for run in often if text.count(run) >= times and _LETTER.search(run)), "")


def _loop_of_words(text: str, size: int, times: int) -> str:
    words = _WORD.findall(text.lower())
    if len(words) < size * times or len(set(words)) > len(words) - size * (times - 1):
        return ""
    last: dict[str, tuple[int, int]] = {}
    for start in range(len(words) - size + 1):
        run = " ".join(words[start : start + size])
        seen, free = last.get(run, (0, 0))
        if start >= free:
            last[run] = (seen + 1, start + size)
            if seen + 1 >= times and _LETTER.search(run):
                return run
    return ""
