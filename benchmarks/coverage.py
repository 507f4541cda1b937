"""Figure 12: 95 % intervals hold what they should in 95 % of studies; those of pairs taken for independent do not.

2,000 studies in the paper's design (the own model with every pair of four baselines × 100 profiles × 12 turns), choices by Luce's
model with effects of the session of sd 0.7 logits, each rated by `rate` as `practicum rank` does it: one interval for each of
five counselors, 10,000 in all. What they are to cover is known without any simulation: the fit to the exact probabilities.

Beside it the usual short cut: of each choice the winner beats every loser, two rows a choice, all taken for independent, with
intervals from the inverse Fisher information of Bradley and Terry's model. They are to cover what that model tends to, so that
only their width is tested. The row tells both.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from benchmarks.bench import Bench
from benchmarks.studies import NAMES, Design, draw_study, flags, limit, spread
from benchmarks.table import Row
from practicum.arena.luce import fit_strengths, information, probabilities
from practicum.arena.rating import rate
from practicum.arena.sandwich import NORMAL_975, POINTS, START, contrast
from practicum.arena.table import ChoiceTable, Floats

PAIRS = np.array(list(itertools.combinations(range(len(NAMES)), 2)), np.int64)
LEAST, MOST = 0.93, 0.97


class Bounds(NamedTuple):
    """Both ends of the intervals of one study, (K,) each."""

    low: Floats
    high: Floats

    def cover(self, truth: Floats) -> Floats:
        """Return (K,): 1 where the truth lies within."""
        return ((self.low <= truth) & (truth <= self.high)).astype(np.float64)


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    design, studies = Design(), 40 if bench.quick else 2000
    rng = np.random.default_rng(12)
    versus = contrast(len(NAMES), None) * POINTS
    truth, pair_truth = START + versus @ limit(design), START + versus @ limit_of_pairs(design)
    clustered, naive = np.zeros((studies, len(NAMES))), np.zeros((studies, len(NAMES)))
    widths = np.zeros((2, studies, len(NAMES)))
    for study in range(studies):
        table = draw_study(design, rng)
        ours, theirs = clustered_bounds(table), naive_bounds(table, versus)
        clustered[study], naive[study] = ours.cover(truth), theirs.cover(pair_truth)
        widths[:, study] = ours.high - ours.low, theirs.high - theirs.low
    covered, missed = float(clustered.mean()), float(naive.mean())
    return [
        Row(
            figure=12,
            measure=f"coverage of 95 % intervals, {studies} studies of 600 sessions × {design.turns} turns, session effects of sd 0.7",
            reach="93–97 %",
            ours=f"{covered:.1%} (pairs taken as independent: {missed:.1%})",
            verdict=bench.verdict(LEAST <= covered <= MOST and missed < LEAST),
            detail={
                "clustered": dict(zip(NAMES, clustered.mean(axis=0).tolist(), strict=True)),
                "naive": dict(zip(NAMES, naive.mean(axis=0).tolist(), strict=True)),
                "points_wide_clustered": dict(zip(NAMES, widths[0].mean(axis=0).tolist(), strict=True)),
                "points_wide_naive": dict(zip(NAMES, widths[1].mean(axis=0).tolist(), strict=True)),
                "truth": dict(zip(NAMES, truth.tolist(), strict=True)),
            },
        )
    ]


def clustered_bounds(table: ChoiceTable) -> Bounds:
    """Return the intervals that `rate` gives, by client; there are always some in these studies."""
    intervals = [found for found in rate(table, bootstraps=0).intervals if found is not None]
    return Bounds(*np.array(intervals).T)


def naive_bounds(table: ChoiceTable, versus: Floats) -> Bounds:
    """Return the intervals of winner-beats-each-loser rows taken for independent."""
    won = np.zeros((len(NAMES), len(NAMES)))
    winner = np.take_along_axis(table.offered, table.shares.argmax(axis=1)[:, None], axis=1)
    np.add.at(won, (np.broadcast_to(winner, table.offered.shape), table.offered), 1 - table.shares)
    strengths, wins = fit_pairs(won)
    curve = information(probabilities(strengths, flags(PAIRS)), wins.sum(axis=1))
    spread_of = versus @ np.linalg.pinv(curve) @ versus.T
    points, reach = START + versus @ strengths, NORMAL_975 * np.sqrt(np.diag(spread_of))
    return Bounds(points - reach, points + reach)


def limit_of_pairs(design: Design) -> Floats:
    """Return (5,): the strengths that the fit to pairs tends to."""
    chances = spread(design.chances(), design.sets)
    return fit_pairs(chances.T @ design.members - np.diag(chances.sum(axis=0)))[0]


def fit_pairs(won: Floats) -> tuple[Floats, Floats]:
    """Fit Bradley and Terry's model to (K, K) wins of one over another; also return the (S, K) wins of each pair."""
    wins = spread(np.stack([won[PAIRS[:, 0], PAIRS[:, 1]], won[PAIRS[:, 1], PAIRS[:, 0]]], axis=1), PAIRS)
    return fit_strengths(wins[None], flags(PAIRS))[0], wins
