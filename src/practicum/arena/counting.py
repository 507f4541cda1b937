"""What a table of counselors counts, before any model: selections, points, shares, who met whom, when."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from practicum.arena.log import ChoiceRow
from practicum.arena.results import Interval, TurnShare
from practicum.arena.sandwich import share_interval
from practicum.arena.table import Counts, Floats, judged
from practicum.core import Outcome


def average(selections: int, sessions: int) -> float:
    """Selections per session: the score of Qiu & Lan (2024), table 2. It grows with the length of sessions, a share does not.

    Where several raters judge a session, it counts once for each, so that the score is a mean over raters.
    """
    return selections / sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Whole numbers, by counselor, over all rows; who is absent has none."""

    sessions: Mapping[str, int]
    """Sessions in which it was offered, whatever came of it."""
    readings: Mapping[str, int]
    """The same, once for each rater."""
    selections: Mapping[str, int]
    """Choices that it won outright."""
    judged: Mapping[str, int]
    """Rows that it was in, unscored ones left out."""
    nones: Mapping[str, int]
    """Of these, rows in which no candidate was acceptable."""
    failed: Mapping[str, int]
    """Turns at which it gave no reply, once for all raters."""


def tally(rows: Sequence[ChoiceRow]) -> Tally:
    """Count what needs no model."""
    selections, seen, nones = Counter[str](), Counter[str](), Counter[str]()
    readings = {(name, row.session, row.rater) for row in rows for name in row.offered}
    failed = {(name, row.session, row.turn) for row in rows for name in row.failed}
    for row in rows:
        if row.outcome is not Outcome.UNSCORED:
            seen.update(row.offered)
        if row.outcome is Outcome.NONE:
            nones.update(row.offered)
        if row.outcome is Outcome.WIN:
            selections[max(zip(row.shares, row.offered, strict=True))[1]] += 1
    return Tally(
        sessions=Counter(name for name, _ in {(name, session) for name, session, _ in readings}),
        readings=Counter(name for name, *_ in readings),
        selections=selections,
        judged=seen,
        nones=nones,
        failed=Counter(name for name, *_ in failed),
    )


def judged_per_session(rows: Sequence[ChoiceRow]) -> dict[str, float]:
    """Return mean, median, min and max of what was judged in each session: once for all its raters, unscored left out."""
    found = Counter(dict.fromkeys((row.session for row in rows), 0))
    found.update(session for session, *_ in {judged(row) for row in rows if row.outcome is not Outcome.UNSCORED})
    numbers = list(found.values())
    return {
        "mean": statistics.fmean(numbers),
        "median": float(statistics.median(numbers)),
        "min": float(min(numbers)),
        "max": float(max(numbers)),
    }


def drawn_turns(rows: Sequence[ChoiceRow]) -> int:
    """Count the turns at which the reply that went on was drawn by lot, once for all raters."""
    return len({(row.session, row.turn) for row in rows if row.drawn})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What each counselor got of the scored choices that it was in, in the order of the table's counselors."""

    offered: tuple[int, ...]
    points: tuple[float, ...]
    intervals: tuple[Interval | None, ...]
    """Of points per time offered, by cluster."""


def count_shares(counts: Counts) -> Shares:
    """Add up points and offers from the counts of a table."""
    points = counts.by_cluster(counts.cell_wins)
    offered = counts.by_cluster(np.broadcast_to(counts.cell_choices[:, None], counts.cell_wins.shape).astype(np.float64))
    return Shares(
        offered=tuple((counts.choices @ counts.members).tolist()),
        points=tuple(counts.wins.sum(axis=0).tolist()),
        intervals=tuple(map(share_interval, points.T, offered.T)),
    )


def win_matrix(counts: Counts) -> Floats:
    """Return (K, K): of the points that i and j shared in choices with both, i's part; nan where there are none."""
    got = counts.wins.T @ counts.members
    both = got + got.T
    found = np.divide(got, both, out=np.full_like(got, np.nan), where=both > 0)
    np.fill_diagonal(found, np.nan)
    return found


def shares_by_turn(rows: Sequence[ChoiceRow], counselors: Sequence[str]) -> tuple[TurnShare, ...]:
    """Return each counselor's share of the scored choices at each exchange; whole sessions have none.

    Args:
        rows: A log.
        counselors: Whose, in the order of the answer; for each by exchange.
    """
    found: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        if row.scored and row.turn >= 0:
            for name, share in zip(row.offered, row.shares, strict=True):
                found[name, (row.turn + 1) // 2].append(share)
    place = {name: number for number, name in enumerate(counselors)}
    return tuple(
        # fsum: the sum must not depend on the order of the log
        TurnShare(counselor=name, exchange=exchange, offered=len(shares), share=math.fsum(shares) / len(shares))
        for (name, exchange), shares in sorted(found.items(), key=lambda item: (place[item[0][0]], item[0][1]))
    )
