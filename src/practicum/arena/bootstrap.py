"""The cross-check of the sandwich: the same fit to clusters drawn again, with replacement."""

from __future__ import annotations

import numpy as np

from practicum.arena.luce import fit_strengths
from practicum.arena.results import MIN_CLUSTERS, Interval
from practicum.arena.table import Counts, Floats

MOST_LOST = 0.05
"""Of the samples: with more of them not identified, the rest is a selection and says nothing."""
_NUMBERS = 4_000_000
"""Numbers held at once: 32 MB an array."""


def bootstrap_strengths(counts: Counts, samples: int, rng: np.random.Generator) -> Floats:
    """Fit strengths to samples of as many clusters as there are, drawn with replacement.

    Args:
        counts: What was chosen, by cluster.
        samples: B.
        rng: For the draws.

    Returns:
        (B, K): logits, mean 0; nan for a sample that does not determine them.

    References:
        Efron (1979), Annals of Statistics 7(1); Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90(3).
    """
    strengths = np.zeros((samples, counts.members.shape[1]))
    size = max(1, min(_NUMBERS // counts.clusters, _NUMBERS // counts.members.size))
    for start in range(0, samples, size):
        many = min(size, samples - start)
        times = np.empty((many, counts.clusters))
        for place in range(many):
            drawn = rng.integers(0, counts.clusters, counts.clusters)
            times[place] = np.bincount(drawn, minlength=counts.clusters)
        strengths[start : start + many] = fit_strengths(_resampled(counts, times), counts.members)
    return strengths


def percentile_intervals(values: Floats, clusters: int) -> tuple[Interval | None, ...]:
    """Return the middle 95 % of each column of (B, K) samples.

    None for all with too few clusters, without any sample, or where more than 5 % of the samples were not identified (nan).
    """
    sound = values[~np.isnan(values).any(axis=1)]
    if clusters < MIN_CLUSTERS or not len(sound) or len(sound) < (1 - MOST_LOST) * len(values):
        return tuple(None for _ in values.T)
    ends: Floats = np.percentile(sound, (2.5, 97.5), axis=0)
    return tuple(Interval(low, high) for low, high in ends.T.tolist())


def _resampled(counts: Counts, times: Floats) -> Floats:
    """Add up what (B, G) numbers of copies of the clusters won: (B, S, K)."""
    sets, size = counts.members.shape
    width = counts.sets.shape[1]
    place, column = np.nonzero(counts.sets >= 0)
    won = np.zeros((len(times), sets * width))
    step = max(1, _NUMBERS // won.shape[1])
    edges = np.searchsorted(counts.cell_cluster, np.arange(0, counts.clusters + step, step))
    for first, (start, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        here = times[:, first * step : (first + 1) * step]
        one = np.zeros((here.shape[1], sets, width))
        one[counts.cell_cluster[start:end] - first * step, counts.cell_set[start:end]] = counts.cell_wins[start:end]
        won += here @ one.reshape(len(one), -1)
    dense = np.zeros((len(times), sets, size))
    dense[:, place, counts.sets[place, column]] = won.reshape(-1, sets, width)[:, place, column]
    return dense
