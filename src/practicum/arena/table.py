"""Choices as columns of numbers, and what of them a choice model needs to know."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from practicum.arena.log import ChoiceRow
from practicum.arena.results import Cluster

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
AnyInts = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]

Features = Callable[[ChoiceRow], Sequence[Sequence[float]]]
"""One row of numbers for each candidate of a choice, in the order of its `offered`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceTable:
    """Scored choices (wins and ties): n of them, among at most m candidates each."""

    counselors: tuple[str, ...]
    """K names, sorted; numbers below are places in it."""
    offered: AnyInts
    """(n, m): who was offered, each once, -1 where there are fewer than m."""
    shares: Floats
    """(n, m): the part of the win of each, from 0 to 1, summing to 1; 0 where nobody is offered."""
    profile: AnyInts
    """(n,): the client's number."""
    session: AnyInts
    """(n,): the session's number."""
    choice: AnyInts | None = None
    """(n,): the number of what was judged: two raters of one turn have one. None: every row is its own."""
    position: AnyInts | None = None
    """(n,): the row's place in the log. None: as here."""
    features: Floats | None = None
    """(n, m, F): what else may move a choice."""

    @classmethod
    def of(cls, rows: Iterable[ChoiceRow], *, counselors: Sequence[str] | None = None, features: Features | None = None) -> Self:
        """Take the scored among `rows`, in an order that does not depend on theirs.

        Args:
            rows: A log, or a part of one.
            counselors: Who is to be rated; by default everyone who is offered in a scored row.
            features: What to fill `features` with.
        """
        found = sorted(((row, place) for place, row in enumerate(rows) if row.scored), key=lambda item: _canonical(item[0]))
        scored = [row for row, _ in found]
        names = tuple(sorted({name for row in scored for name in row.offered} if counselors is None else set(counselors)))
        number = {name: place for place, name in enumerate(names)}
        width = max((len(row.offered) for row in scored), default=0)
        offered = np.full((len(scored), width), -1, np.int32)
        shares = np.zeros((len(scored), width))
        for place, row in enumerate(scored):
            offered[place, : len(row.offered)] = [number[name] for name in row.offered]
            shares[place, : len(row.offered)] = row.shares
        return cls(
            counselors=names,
            offered=offered,
            shares=shares,
            profile=_numbers([row.profile for row in scored]),
            session=_numbers([row.session for row in scored]),
            choice=_numbers([judged(row) for row in scored]),
            position=np.array([place for _, place in found], np.int64),
            features=None if features is None else _filled(scored, features, width),
        )

    def clusters(self, by: Cluster) -> tuple[Ints, int]:
        """Number the clusters of the rows from 0, whatever their ids are; also how many there are."""
        ids = {"profile": self.profile, "session": self.session, "choice": self.choice}[by]
        if ids is None:
            return np.arange(len(self.offered)), len(self.offered)
        return compact(ids.astype(np.int64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """All that Luce's model needs of a table: how often each candidate of each set won, in all and in each cluster."""

    members: Flags
    """(S, K): who belongs to each of the S sets that were offered."""
    wins: Floats
    """(S, K): the sum of shares, to the last digit the same for every order of the choices."""
    choices: Ints
    """(S,): how many choices."""
    clusters: int
    """G."""
    cell_cluster: Ints
    """(C,): a cell is what one cluster says of one set; cells stand by cluster, then by set."""
    cell_set: Ints
    """(C,)."""
    cell_choices: Ints
    """(C,)."""
    cell_wins: Floats
    """(C, m): wins of the set's members, in their order."""
    sets: Ints
    """(S, m): the members of each set, ascending, -1 where there are fewer than m."""

    def by_cluster(self, values: Floats) -> Floats:
        """Add up (C, m) values of the cells' members to (G, K)."""
        who = self.sets[self.cell_set]
        there = who >= 0
        count = self.members.shape[1]
        bins = (self.cell_cluster[:, None] * count + who)[there]
        return sums(bins, values[there], self.clusters * count).reshape(self.clusters, count)


def count_choices(table: ChoiceTable, cluster: Cluster) -> Counts:
    """Reduce a table to sufficient counts; 10⁶ choices take less than a second."""
    count = len(table.counselors)
    offered, shares = _ascending(table)
    width = offered.shape[1]
    keys, sets = _number_sets(offered, count)
    ids, clusters = table.clusters(cluster)
    cells, cell_keys = _unique(ids * len(sets) + keys)
    columns = np.arange(width)
    wins = exact_sums((keys[:, None] * width + columns).ravel(), shares.ravel(), len(sets) * width)
    cell_wins = exact_sums((cells[:, None] * width + columns).ravel(), shares.ravel(), len(cell_keys) * width)
    place, column = np.nonzero(sets >= 0)
    members = np.zeros((len(sets), count), np.bool_)
    members[place, sets[place, column]] = True
    dense = np.zeros((len(sets), count))
    dense[place, sets[place, column]] = wins.reshape(len(sets), width)[place, column]
    return Counts(
        members=members,
        wins=dense,
        choices=np.bincount(keys, minlength=len(sets)),
        clusters=clusters,
        cell_cluster=cell_keys // len(sets),
        cell_set=cell_keys % len(sets),
        cell_choices=np.bincount(cells, minlength=len(cell_keys)),
        cell_wins=cell_wins.reshape(len(cell_keys), width),
        sets=sets,
    )


def exact_sums(bins: Ints, parts: Floats, count: int) -> Floats:
    """Add up parts from 0 to 1 in each bin, the same to the last digit in whatever order they come.

    Each part is cut in two numbers so round that no sum of up to 2²⁴ of them loses a bit; below 2⁻⁵⁶ a part is nothing.
    """
    coarse = np.round(parts * 2.0**26) / 2.0**26
    rest = parts - coarse
    total = sums(bins, coarse, count)
    if rest.any():
        total += sums(bins, np.round(rest * 2.0**56) / 2.0**56, count)
    return total


def sums(bins: Ints, parts: Floats, count: int) -> Floats:
    """Add up parts in each bin, in the order in which they stand."""
    return np.bincount(bins, parts, count).astype(np.float64, copy=False)


def judged(row: ChoiceRow) -> tuple[str, int, tuple[str, ...]]:
    """Return what was judged: the same for all raters of one turn, or of one pair of sessions."""
    return row.session, row.turn, tuple(sorted(row.offered))


def compact(ids: Ints) -> tuple[Ints, int]:
    """Number ids from 0 in ascending order; also how many there are."""
    places, found = _unique(ids)
    return places, len(found)


def _unique(keys: Ints) -> tuple[Ints, Ints]:
    """Each key's place among the ascending distinct ones, and these."""
    top = int(keys.max(initial=0)) + 1
    if int(keys.min(initial=0)) < 0 or top > 8 * len(keys) + 1024:
        found, places = np.unique(keys, return_inverse=True)
        return places.astype(np.int64), found
    # Ids are mostly dense: counting them is ten times as fast as sorting.
    present = np.zeros(top, np.bool_)
    present[keys] = True
    return (np.cumsum(present) - 1)[keys], np.flatnonzero(present)


def _ascending(table: ChoiceTable) -> tuple[Ints, Floats]:
    """Put the candidates of each row in ascending order, the absent last."""
    offered = np.where(table.offered < 0, len(table.counselors), table.offered).astype(np.int64)
    order = np.argsort(offered, axis=1)
    offered = np.take_along_axis(offered, order, axis=1)
    return np.where(offered == len(table.counselors), -1, offered), np.take_along_axis(table.shares, order, axis=1)


def _number_sets(offered: Ints, count: int) -> tuple[Ints, Ints]:
    """Number the sets of ascending rows: each row's set, and the sets, in an order that the rows' does not change."""
    keys = np.zeros(len(offered), np.int64)
    most = 1
    for column in offered.T:
        if most > 2**62 // (count + 1):
            keys, most = compact(keys)
        keys, most = keys * (count + 1) + column + 1, most * (count + 1)
    places, found = _unique(keys)
    first = np.zeros(len(found), np.int64)
    first[places] = np.arange(len(places))
    return places, offered[first]


def _canonical(row: ChoiceRow) -> tuple[Any, ...]:
    return row.profile, row.session, row.turn, row.rater, row.offered, row.shares, row.texts


def _numbers(keys: Sequence[Hashable]) -> Ints:
    """Number keys from 0 in ascending order."""
    number = {key: place for place, key in enumerate(sorted(set(keys)))}  # type: ignore[type-var]
    return np.array([number[key] for key in keys], np.int64)


def _filled(rows: Sequence[ChoiceRow], features: Features, width: int) -> Floats:
    values = [np.array(features(row), np.float64) for row in rows]
    filled = np.zeros((len(rows), width, values[0].shape[1] if values else 0))
    for place, value in enumerate(values):
        filled[place, : len(value)] = value
    return filled
