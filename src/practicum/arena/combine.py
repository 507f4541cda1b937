"""Several askings become one verdict, and one or several raters' verdicts say whose reply goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from random import Random
from typing import NamedTuple

from practicum.core import Outcome, Verdict


class Combine(StrEnum):
    """How the orders of one choice become one verdict."""

    MAJORITY = "majority"
    """What more than half of the readable askings say; else a tie of those that any of them named."""
    PROBABILITY = "probability"
    """The mean of the probabilities that the rater gave in each order."""


class GoOn(StrEnum):
    """Whose reply goes on in the session."""

    WINNER = "winner"
    """The chosen one (Qiu & Lan 2024)."""
    RANDOM = "random"
    """Any: what was chosen early does not write the history."""
    FIXED = "fixed"
    """None: the prefixes of stored sessions are replayed for all."""


class Decision(NamedTuple):
    """Whose reply goes on."""

    candidate: str
    drawn: bool
    """By lot: never a selection."""


def win(candidate: str) -> Verdict:
    """Return the verdict that one candidate is best."""
    return Verdict(outcome=Outcome.WIN, winners=(candidate,), shares={candidate: 1.0})


def tie(candidates: Collection[str]) -> Verdict:
    """Return the verdict that these, two or more, are equally good."""
    names = tuple(sorted(candidates))
    return Verdict(outcome=Outcome.TIE, winners=names, shares=dict.fromkeys(names, 1 / len(names)))


def unscored(reason: str) -> Verdict:
    """Return no verdict, and why."""
    return Verdict(outcome=Outcome.UNSCORED, reason=reason)


NONE_ACCEPTABLE = Verdict(outcome=Outcome.NONE)


def by_majority(verdicts: Sequence[Verdict], offered: Collection[str]) -> Verdict:
    """Combine the verdicts of one rater over several orders; those that could not be read do not count.

    Args:
        verdicts: One for each asking.
        offered: The candidates.

    Returns:
        What more than half of the readable ones say. Else, for want of agreement, a tie: of the candidates that any of them
        named, or of all, where that is but one (against `none`, which names nobody). Unscored if none could be read.
    """
    readable = [verdict for verdict in verdicts if verdict.outcome is not Outcome.UNSCORED]
    if not readable:
        return unscored(verdicts[0].reason if verdicts else "nobody was asked")
    tally = Counter((verdict.outcome, verdict.winners) for verdict in readable)
    (outcome, winners), votes = tally.most_common(1)[0]
    if 2 * votes > len(readable):
        return NONE_ACCEPTABLE if outcome is Outcome.NONE else win(winners[0]) if outcome is Outcome.WIN else tie(winners)
    named = {name for verdict in readable for name in verdict.winners}
    return tie(named if len(named) > 1 else offered)


def by_probability(odds: Sequence[Mapping[str, float]], offered: Sequence[str]) -> Verdict:
    """Combine the probabilities of one rater over several orders.

    Args:
        odds: For each readable asking, candidates, `tie` and `none` to probabilities that sum to 1.
        offered: The candidates.

    Returns:
        A win of the most probable one (a tie, if several are), with the mean probabilities as shares, a tie's part split
        evenly; `none` where that is more probable than all else together; unscored without any odds.
    """
    if not odds:
        return unscored("no order gave probabilities")
    none, even = (sum(one[word] for one in odds) / len(odds) for word in ("none", "tie"))
    if none > 0.5:
        return NONE_ACCEPTABLE
    raw = {name: sum(one[name] for one in odds) / len(odds) + even / len(offered) for name in sorted(offered)}
    shares = {name: part / sum(raw.values()) for name, part in raw.items()}
    best = max(shares.values())
    winners = tuple(name for name, part in shares.items() if best - part < 1e-9)
    return Verdict(outcome=Outcome.WIN if len(winners) == 1 else Outcome.TIE, winners=winners, shares=shares)


def decide(verdicts: Sequence[Verdict], offered: Sequence[str], rule: GoOn, rng: Random) -> Decision:
    """Return whose reply goes on, given a verdict of each rater.

    The candidate that more than half of the raters with a verdict chose alone goes on; else one is drawn: among those that any of
    them named, or among all where nobody was named. With the rule `random` it is always drawn among all.
    """
    named: set[str] = set()
    if rule is GoOn.WINNER:
        scored = [verdict for verdict in verdicts if verdict.outcome is not Outcome.UNSCORED]
        votes = Counter(verdict.winners[0] for verdict in scored if verdict.outcome is Outcome.WIN)
        for name, count in votes.most_common(1):
            if 2 * count > len(scored):
                return Decision(name, drawn=False)
        named = {name for verdict in scored for name in verdict.winners}
    return Decision(rng.choice(sorted(named or offered)), drawn=True)
