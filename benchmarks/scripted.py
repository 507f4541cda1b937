"""Figure 16: supervisors that are known to be bad are shown to be so, and one that knows the truth finds it.

Supervisors without a model, each in an arena of its own through panel, store, log, judge card and ranking (`stage.py`):

- first: chooses the first slot: the card has all picks there, and not one choice that is the same in all orders;
- longest: chooses the longest reply, where counselors talk differently much: the plain ranking tells all apart, by length; the
  coefficient of length is large, and with length held equal there is no interval, for nothing is left that tells of strengths;
- longer: chooses by Luce's model what is longer: the plain ranking tells all apart, with length held equal the intervals are there
  and tell nobody apart, and the coefficient of length is the planted one;
- by lot: the simultaneous ranks of all are 1 to 4: no difference is claimed;
- oracle: chooses by Luce's model, knowing who speaks: the true order;
- gibberish: no answer can be read: every choice is unscored, every session ends as planned, and no ranking is made up.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.stage import STRENGTHS, TASTE, Held, Rule, by_lot, first, gibberish, hold, log_length, longer, longest, oracle
from benchmarks.table import Row, Verdict
from practicum.arena import Effect, Interval, Ranking, RaterCard, judge, rank
from practicum.core import Ending, Outcome
from practicum.errors import NotIdentifiedError

LARGE = 3.0
"""Logits a standard deviation of length: odds of twenty to one."""


def measure_figure(bench: Bench) -> list[Row]:
    """Return a row for each supervisor."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:

        def arena(rule: Rule) -> Held:
            return hold(rule, Path(folder), profiles=12 if bench.quick else 60, exchanges=4 if bench.quick else 10)

        rows = [
            _first(arena(first)),
            _longest(arena(longest)),
            _longer(arena(longer)),
            _by_lot(arena(by_lot)),
            _oracle(arena(oracle)),
            _gibberish(arena(gibberish)),
        ]
    return [replace(row, verdict=bench.verdict(row.verdict is Verdict.REACHED)) for row in rows]


def _first(held: Held) -> Row:
    card, ranking = card_of(held), rank(held.log)
    share = card.slot_shares[0].share
    return _row(
        "always the first slot: its share · consistent choices",
        "100 % · 0",
        f"{share:.0%} · {card.consistent} of {card.in_orders}",
        reached=share == 1 and card.consistent == 0 < card.in_orders,
        detail={"slot_p": card.slot_p, **_facts(held, card, ranking)},
    )


def _longest(held: Held) -> Row:
    card, ranking = card_of(held), rank(held.log)
    length, apart, controlled = length_of(ranking), told_apart(plain(ranking)), with_length_equal(ranking)
    return _row(
        "the longest wins: logits per sd of length · pairs of 4 told apart · with length held equal",
        f"≥ {LARGE:g} · 6 · 0",
        f"{length.logits:.1f} · {apart} · {told_apart(controlled)}",
        reached=length.logits >= LARGE and apart == 6 and told_apart(controlled) == 0,
        detail={"longest_wins": card.longest_wins, "longest_by_chance": card.longest_by_chance, **_facts(held, card, ranking)},
    )


def _longer(held: Held) -> Row:
    card, ranking = card_of(held), rank(held.log)
    length, apart, controlled = length_of(ranking), told_apart(plain(ranking)), with_length_equal(ranking)
    planted = TASTE * spread_of_length(held)
    found = length.interval is not None and length.interval.low <= planted <= length.interval.high
    return _row(
        "longer is likelier: pairs of 4 told apart · with length held equal (intervals) · logits per sd of length (planted)",
        "6 · 0 (4) · interval holds it",
        f"{apart} · {told_apart(controlled)} ({sum(one is not None for one in controlled)}) · {length.logits:.2f} ({planted:.2f})",
        reached=apart == 6 and told_apart(controlled) == 0 and None not in controlled and found,
        detail={"length": length.interval, "controlled_intervals": controlled, **_facts(held, card, ranking)},
    )


def _by_lot(held: Held) -> Row:
    card, ranking = card_of(held), rank(held.log)
    ranks = [one.ranks for one in ranking.standings]
    everything = sum(one == (1, len(STRENGTHS)) for one in ranks)
    return _row(
        "by lot: counselors whose ranks are 1 to 4",
        "all 4",
        str(everything),
        reached=everything == len(STRENGTHS),
        detail={"slot_p": card.slot_p, **_facts(held, card, ranking)},
    )


def _oracle(held: Held) -> Row:
    card, ranking = card_of(held), rank(held.log)
    order = [one.counselor for one in ranking.standings]
    return _row(
        "an oracle: the order of four counselors 139 points apart · choices the same in all orders · canaries picked",
        "true · all · 0",
        f"{'true' if order == list(STRENGTHS) else 'false'} · {card.consistent} of {card.in_orders} · {card.missed} of {card.canaries}",
        reached=order == list(STRENGTHS) and card.consistent == card.in_orders and card.missed == 0 < card.canaries,
        detail=_facts(held, card, ranking),
    )


def _gibberish(held: Held) -> Row:
    card = card_of(held)
    unscored = sum(row.outcome is Outcome.UNSCORED for row in held.log.rows)
    ended = held.progress.endings[Ending.TURN_LIMIT]
    try:
        rank(held.log)
        refused = ""
    except NotIdentifiedError as problem:
        refused = str(problem)
    return _row(
        "gibberish: choices unscored · sessions that end as planned · rankings",
        "all · all · 0",
        f"{unscored} of {len(held.log.rows)} · {ended} of {held.sessions} · {int(not refused)}",
        reached=unscored == len(held.log.rows) and ended == held.sessions and bool(refused),
        detail={"refused": refused, **_facts(held, card, None)},
    )


def card_of(held: Held) -> RaterCard:
    """Return the only supervisor's card."""
    (card,) = judge(held.log).raters
    return card


def plain(ranking: Ranking) -> list[Interval | None]:
    """Return the intervals of the ranking."""
    return [one.interval for one in ranking.standings]


def with_length_equal(ranking: Ranking) -> list[Interval | None]:
    """Return the intervals with length and style held equal."""
    return [one.controlled_interval for one in ranking.standings]


def length_of(ranking: Ranking) -> Effect:
    """Return the effect of length."""
    return next(one for one in ranking.style if one.name == "log_length")


def spread_of_length(held: Held) -> float:
    """Return the standard deviation of log length around the mean of its choice: the unit of the effect."""
    logs = [[log_length(text) for text in row.texts] for row in held.log.rows]
    return math.sqrt(statistics.fmean((one - statistics.fmean(row)) ** 2 for row in logs for one in row))


def told_apart(intervals: list[Interval | None]) -> int:
    """Count the pairs whose intervals do not meet; what has none is told apart from nobody."""
    found = [one for one in intervals if one is not None]
    return sum(one.high < other.low for one in found for other in found)


def _facts(held: Held, card: RaterCard, ranking: Ranking | None) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "choices": card.choices,
        "ballots": card.ballots,
        "invalid": card.invalid,
        "stable": [card.stable, card.repeated],
        "canaries": [card.missed, card.canaries],
        "sessions": held.sessions,
    }
    if ranking is not None:
        facts["ratings"] = {one.counselor: one.rating for one in ranking.standings}
        facts["ranks"] = {one.counselor: one.ranks for one in ranking.standings}
        facts["controlled"] = {one.counselor: one.controlled for one in ranking.standings}
        facts["length_effect"] = None if card.length_effect is None else card.length_effect.logits
    return facts


def _row(what: str, reach: str, ours: str, *, reached: bool, detail: Mapping[str, Any]) -> Row:
    return Row(figure=16, measure=f"scripted supervisor, {what}", reach=reach, ours=ours, verdict=Verdict.of(reached), detail=detail)
