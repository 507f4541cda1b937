"""How sure a fit is, where choices of one client are no independent draws: covariances, intervals, ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from practicum.arena.luce import information, probabilities
from practicum.arena.results import MIN_CLUSTERS, Interval, Ranks
from practicum.arena.table import Counts, Flags, Floats, Ints

POINTS = 400 / math.log(10)
"""Points of the Elo scale for one logit."""
START = 1000.0
"""The mean of all ratings, or the rating of the anchor."""
NORMAL_975 = 1.959963984540054
"""Below it lie 97.5 % of the standard normal distribution."""
_DRAWS = 20_000
"""Simulated tables for simultaneous ranks: their 95 % quantile is known to 1 %."""


def contrast(count: int, anchor: int | None) -> Floats:
    """Return the (K, K) matrix that takes strengths to their distance from the mean, or from the anchor."""
    if anchor is None:
        return np.eye(count) - 1 / count
    against = np.zeros(count)
    against[anchor] = 1
    return np.eye(count) - against


def covariance(counts: Counts, strengths: Floats) -> Floats:
    """Estimate the covariance of strengths, whatever the dependence within clusters.

    Args:
        counts: What was chosen, by cluster.
        strengths: (K,): the fit, see `luce.fit_strengths`.

    Returns:
        (K, K), squared logits, with the correction G/(G-1); it has a meaning for differences of strengths only.
        nan with a single cluster.

    References:
        White (1980), Econometrica 48(4); Liang & Zeger (1986), Biometrika 73(1); Cameron & Miller (2015), Journal of Human
        Resources 50(2), section II.
    """
    chances = probabilities(strengths, counts.members)
    curve = information(chances, counts.wins.sum(axis=1))
    free = np.arange(len(strengths)) != int(counts.wins.sum(axis=0).argmax())
    bread = np.zeros_like(curve)
    bread[np.ix_(free, free)] = np.linalg.inv(curve[free][:, free])
    scores = cluster_scores(counts, chances)
    return clustered(bread, scores)


def clustered(bread: Floats, scores: Floats) -> Floats:
    """Put the sandwich together: (P, P) inverse information about (G, P) scores, with the correction G/(G-1)."""
    groups = len(scores)
    if groups < 2:
        return np.full_like(bread, np.nan)
    return bread @ (scores.T @ scores) @ bread * (groups / (groups - 1))


def cluster_scores(counts: Counts, chances: Floats) -> Floats:
    """Return (G, K): how many more points each got in each cluster than (S, K) `chances` had it."""
    sets = np.maximum(counts.sets, 0)
    expected = np.take_along_axis(chances, sets, axis=1)
    return counts.by_cluster(counts.cell_wins - counts.cell_wins.sum(axis=1)[:, None] * expected[counts.cell_set])


def clusters_met(counts: Counts) -> Ints:
    """Return (K,): in how many clusters each was offered."""
    offered = counts.by_cluster(np.broadcast_to(counts.cell_choices[:, None], counts.cell_wins.shape).astype(np.float64))
    return np.asarray((offered > 0).sum(axis=0))


def student_975(df: int) -> float:
    """Return the 97.5 % quantile of Student's t: off by less than 2·10⁻⁵ from 9 degrees of freedom on.

    References:
        Abramowitz & Stegun (1964), Handbook of Mathematical Functions, 26.7.5.
    """
    z = NORMAL_975
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term * float(df) ** -power for power, term in enumerate(terms))


def interval(middle: float, se: float, clusters: int) -> Interval | None:
    """Return the 95 % interval by Student's t with G-1 degrees of freedom; None where clusters are too few.

    References:
        Cameron & Miller (2015), section VI.D; Bell & McCaffrey (2002), Survey Methodology 28(2).
    """
    if clusters < MIN_CLUSTERS:
        return None
    reach = student_975(clusters - 1) * se
    return Interval(middle - reach, middle + reach)


def share_interval(points: Floats, offered: Floats) -> Interval | None:
    """Return the clustered 95 % interval of a share, a ratio of two sums over clusters, cut at 0 and 1.

    Args:
        points: (G,): what was won in each cluster.
        offered: (G,): how often it was offered there; clusters without any do not count.

    References:
        Cochran (1977), Sampling Techniques, section 6.
    """
    met = offered > 0
    groups = int(met.sum())
    if groups < MIN_CLUSTERS:
        return None
    total = float(offered.sum())
    share = float(points.sum()) / total
    rest = (points - share * offered)[met]
    reach = student_975(groups - 1) * math.sqrt(groups / (groups - 1) * float(rest @ rest)) / total
    return Interval(max(0.0, share - reach), min(1.0, share + reach))


def simultaneous_ranks(strengths: Floats, spread: Floats, clusters: Sequence[int], rng: np.random.Generator) -> tuple[Ranks, ...]:
    """Return the ranks that each may have, so that all hold together with 95 %.

    Two differ if their distance is more than the 95 % quantile of the largest of all distances, each in its standard errors,
    in tables without any difference. Who was in too few clusters differs from nobody.

    Args:
        strengths: (K,).
        spread: (K, K): their covariance.
        clusters: K counts: in how many clusters each was offered.
        rng: For the simulated tables.

    References:
        Tukey (1953), The problem of multiple comparisons; Mogstad, Romano, Shaikh & Wilhelm (2024), Review of Economic
        Studies 91(1).
    """
    enough = np.array(clusters) >= MIN_CLUSTERS
    known = enough[:, None] & enough & ~np.eye(len(strengths), dtype=np.bool_)
    if not known.any():
        return tuple(Ranks(1, len(strengths)) for _ in strengths)
    variance = np.diag(spread)
    errors = np.sqrt(np.maximum(variance[:, None] + variance - 2 * spread, 0))
    limit = _largest_distance(spread, errors, known, int(np.array(clusters)[enough].min()) - 1, rng)
    better = known & (strengths[:, None] - strengths > limit * errors)
    return tuple(
        Ranks(1 + beaten_by, len(strengths) - beats)
        for beaten_by, beats in zip(better.sum(axis=0).tolist(), better.sum(axis=1).tolist(), strict=True)
    )


def _largest_distance(spread: Floats, errors: Floats, known: Flags, df: int, rng: np.random.Generator) -> float:
    """Simulate the 95 % quantile of the largest distance of two, in standard errors (multivariate t)."""
    values, vectors = np.linalg.eigh(spread)
    drawn = rng.standard_normal((_DRAWS, len(spread))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    largest = np.zeros(_DRAWS)
    for one, other in zip(*np.nonzero(np.triu(known) & (errors > 0)), strict=True):
        np.maximum(largest, np.abs(drawn[:, one] - drawn[:, other]) / errors[one, other], out=largest)
    return float(np.quantile(largest / np.sqrt(rng.chisquare(df, _DRAWS) / df), 0.95))
