"""Classic Elo, for continuity: what it makes of choices depends on their order, so it is shown over many orders."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from practicum.arena.results import Elo
from practicum.arena.table import ChoiceTable, Floats

ELO_K = 32.0
ELO_SCALE = 400.0
ELO_START = 1000.0
ELO_ORDERS = 200
MOST_CHOICES = 20_000
"""A random order ends after so many choices: with K = 32 Elo has forgotten the first after a few hundred."""


def sequential_elo(table: ChoiceTable, *, k: float = ELO_K, scale: float = ELO_SCALE, start: float = ELO_START) -> tuple[float, ...]:
    """Play the choices in the order of the log.

    Of each choice every two candidates play one game, all from the ratings before the choice: i scores its part of the points
    that the two share (1 for the winner against a loser, ½ for a tie); two without points do not play.

    Args:
        table: The choices.
        k: The most that one game moves a rating.
        scale: Who is so many points ahead is expected to win ten games of eleven.
        start: Everyone's first rating.

    Returns:
        (K,): ratings, mean `start`.

    References:
        Elo (1978), The rating of chessplayers, past and present.
    """
    order = np.arange(len(table.offered)) if table.position is None else np.argsort(table.position)
    ratings = [start] * len(table.counselors)
    for offered, shares in zip(table.offered[order].tolist(), table.shares[order].tolist(), strict=True):
        there = [(who, share, ratings[who]) for who, share in zip(offered, shares, strict=True) if who >= 0]
        for place, (one, part, rating) in enumerate(there):
            for other, rest, opposed in there[place + 1 :]:
                if part + rest > 0:
                    gain = k * (part / (part + rest) - 1 / (1 + 10 ** ((opposed - rating) / scale)))
                    ratings[one] += gain
                    ratings[other] -= gain
    return tuple(ratings)


def shuffled_elo(
    table: ChoiceTable, orders: int, rng: np.random.Generator, *, k: float = ELO_K, scale: float = ELO_SCALE, start: float = ELO_START
) -> Floats:
    """Play the choices in random orders, all at once; see `sequential_elo`.

    Returns:
        (orders, K): ratings after the last choice, or after 20,000.
    """
    count = len(table.counselors)
    offered = np.where(table.offered < 0, count, table.offered)
    points, games = _games(table)
    length = min(len(offered), MOST_CHOICES)
    sequence = np.stack([rng.permutation(len(offered))[:length] for _ in range(orders)], axis=1)
    # One column more than there are counselors: the absent of short rows play no game in it.
    ratings = np.zeros((orders, count + 1))
    rows = np.arange(orders)[:, None]
    power = math.log(10) / scale
    for now in sequence:
        who = offered[now]
        worth = np.exp(power * ratings[rows, who])
        expected = worth[:, :, None] / (worth[:, :, None] + worth[:, None, :])
        ratings[rows, who] += k * (points[now] - (expected * games[now]).sum(axis=2))
    return ratings[:, :count] + start


def elo(table: ChoiceTable, orders: int, rng: np.random.Generator) -> tuple[Elo, ...]:
    """Summarise Elo over random orders (1 or more), for each counselor, next to that in the order of the log."""
    ratings = shuffled_elo(table, orders, rng)
    columns: Sequence[list[float]] = [values.tolist() for values in (ratings.mean(0), ratings.std(0), ratings.min(0), ratings.max(0))]
    return tuple(
        Elo(mean=mean, sd=sd, low=low, high=high, sequential=last)
        for mean, sd, low, high, last in zip(*columns, sequential_elo(table), strict=True)
    )


def _games(table: ChoiceTable) -> tuple[Floats, Floats]:
    """What each candidate scores in each row's games together (n, m), and who plays whom (n, m, m)."""
    one, other = table.shares[:, :, None], table.shares[:, None, :]
    here = table.offered >= 0
    games = here[:, :, None] & here[:, None, :] & (one + other > 0) & ~np.eye(table.offered.shape[1], dtype=np.bool_)
    scores = np.divide(one, one + other, out=np.zeros(games.shape), where=games)
    return scores.sum(axis=2), games.astype(np.float64)
