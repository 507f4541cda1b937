"""A choice between candidate replies: what was offered, what a rater said of it, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from practicum.core.turn import NOTHING, Call


class Outcome(StrEnum):
    """What kind of verdict it is."""

    WIN = "win"
    """One candidate is best."""
    TIE = "tie"
    """Two or more are equally good."""
    NONE = "none"
    """None is acceptable."""
    UNSCORED = "unscored"
    """No verdict could be read: never a guess, never a zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rater, or several askings of one together, found."""

    outcome: Outcome
    winners: tuple[str, ...] = ()
    """Digests of the candidates: one for a win, two or more for a tie, none otherwise."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Digest to its part of the win, summing to 1: (1) for a win, equal parts for a tie, probabilities where the rater gave
    them. Empty for `none` and `unscored`."""
    reason: str = ""
    """Why it is unscored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A reply that was offered, chosen or not."""

    participant: str
    """Digest of who says it."""
    text: str
    """"" where it failed."""
    call: Call | None = None
    state: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What the reply check marked; see `Turn.state`."""
    failure: str = ""
    """Why there is no reply; "" if there is one."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens spent, refused replies included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One asking of one rater in one order."""

    rater: str
    """Digest of the supervisor, or a person's name."""
    shown: tuple[str, ...]
    """Digests of the candidates in the order in which they were shown; a canary is named `canary:KIND`."""
    labels: tuple[str, ...]
    """What each was called, in the same order."""
    answers: tuple[str, ...]
    """The raw answers; a second one where the first could not be read."""
    verdict: Verdict
    order: int = 0
    """Which of the choice's orders this is, from 0."""
    repeat: int = 0
    """0 for the first asking in this order, 1 for the same question asked again."""
    mass: float | None = None
    """Probability that the labels together had at the verdict; None where the rater gave none."""
    call: Call | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one rater chose at one turn (or between two whole sessions), over all the orders in which it was asked."""

    rater: str
    offered: tuple[str, ...]
    """Digests of the candidates that answered, sorted."""
    verdict: Verdict
    combined: str
    """How its ballots became one verdict: majority, probability, single."""
