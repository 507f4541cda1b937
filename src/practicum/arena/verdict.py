"""What stands in a rater's answer: a verdict is read or refused, never guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from math import exp
from typing import NamedTuple

from practicum.backends import Constraint, TokenChances
from practicum.core import Language
from practicum.errors import UnscorableError

TIE, NONE = "tie", "none"
WORDS: Mapping[Language, str] = {"zh": "结论：", "en": "Verdict: "}
"""What the last line begins with; either is read, whatever the language."""
MIN_MASS = 0.5
"""Probability that labels, tie and none must have together at the verdict: below it the rater meant something else."""
LONGEST_REASONS = 400
"""Characters of a constrained answer's reasons, at most."""

_LAST_LINE = re.compile(r"(?:Verdict|结论):\s*(\S+)")
_TAIL = 80


def read_verdict(answer: str, labels: Collection[str]) -> str:
    """Return the label, `tie` or `none` on an answer's last line; the reasons above it may name whatever they like.

    Args:
        answer: The rater's answer, as it came. Full-width letters and colons count as plain ones.
        labels: What the candidates were called.

    Raises:
        UnscorableError: The last line that is not blank is anything but `Verdict: X` or `结论：X`, X one of these.
    """
    lines = [line.strip() for line in unicodedata.normalize("NFKC", answer).splitlines() if line.strip()]
    found = _LAST_LINE.fullmatch(lines[-1]) if lines else None
    word = found[1] if found else ""
    if word in labels:
        return word
    if word.lower() in (TIE, NONE):
        return word.lower()
    known = "/".join([*labels, TIE, NONE])
    raise UnscorableError(f"expected a last line 'Verdict: X' with X one of {known}, got {answer.strip()[-_TAIL:]!r}")


class Odds(NamedTuple):
    """How probable each verdict was where it was given."""

    of: Mapping[str, float]
    """Labels, `tie` and `none` to probabilities that sum to 1."""
    mass: float
    """What they had together before they were made to."""


def read_odds(chances: Sequence[TokenChances], word: str, labels: Collection[str]) -> Odds:
    """Return the odds of all verdicts at the place where `word` was given as one.

    Tokens that differ in blanks, width or (tie, none) in how much of the word they hold are one verdict.

    Raises:
        UnscorableError: The place is not among the tokens, or labels, tie and none have less than `MIN_MASS` there.
    """
    place = next((chances[at] for at in reversed(range(len(chances))) if _is_place(chances, at, word, labels)), None)
    if place is None:
        raise UnscorableError(f"the answer ends in {word!r}, but no probability was given for it")
    sums = dict.fromkeys([*labels, TIE, NONE], 0.0)
    for token, chance in place.top.items():
        if verdict := _verdict_of(token, labels):
            sums[verdict] += exp(chance)
    mass = sum(sums.values())
    if mass < MIN_MASS:
        raise UnscorableError(f"labels, tie and none had a probability of {mass:.2f} together; expected {MIN_MASS} or more")
    return Odds({verdict: part / mass for verdict, part in sums.items()}, min(1.0, mass))


def _is_place(chances: Sequence[TokenChances], at: int, word: str, labels: Collection[str]) -> bool:
    """Tell whether a token gives the verdict `word`: right behind a colon, for the reasons may name any label too."""
    before = "".join(one.text for one in chances[:at])
    return _verdict_of(chances[at].text, labels) == word and unicodedata.normalize("NFKC", before).rstrip().endswith(":")


def _verdict_of(token: str, labels: Collection[str]) -> str:
    """Return the verdict that a token is, or (tie, none) begins; "" for any other."""
    text = unicodedata.normalize("NFKC", token).strip()
    if text in labels:
        return text
    return next((word for word in (TIE, NONE) if text and word.startswith(text.lower())), "")


def constraint_for(labels: Sequence[str], language: Language) -> Constraint:
    """Return the form of an answer: reasons on one line, the verdict on the last."""
    answers = [*labels, TIE, NONE]
    word = WORDS[language]
    quoted = " | ".join(f'"{answer}"' for answer in answers)
    return Constraint(
        regex=rf"[^\n]{{10,{LONGEST_REASONS}}}\n{word}({'|'.join(answers)})",
        grammar=f'root ::= reasons "\\n" "{word}" ({quoted})\nreasons ::= [^\\n]{{10,{LONGEST_REASONS}}}',
    )
