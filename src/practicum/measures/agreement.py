"""Agreement between raters: Krippendorff's alpha, Cohen's kappa, the raw share, and their intervals.

Each coefficient is a function of sums over items. `*_parts` give the items' terms and the function; whoever resamples
items (`bootstrap_interval`) weighs the terms anew and counts nothing twice.

Ratings are arrays of shape (raters, items): numbers, NaN where a rater gave none. For the nominal level any codes will do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Level = Literal["nominal", "ordinal", "interval"]

Floats = NDArray[np.float64]

Statistic = Callable[[Floats], float | None]
"""From the sums over items, shape (terms,), to the coefficient; None where it is not defined."""


class Parts(NamedTuple):
    """A coefficient, taken apart."""

    statistic: Statistic
    items: Floats
    """Shape (items, terms): what each item adds to the sums."""

    def value(self) -> float | None:
        """Return the coefficient over all items."""
        return self.statistic(self.items.sum(axis=0))


def krippendorff_alpha(ratings: ArrayLike, level: Level = "nominal") -> float | None:
    """Compute Krippendorff's alpha: 1 is perfect agreement, 0 what chance would give.

    Args:
        ratings: Shape (raters, items), NaN for missing. Items with fewer than two ratings count in nothing.
        level: What differences mean: "nominal" (none but same or not), "ordinal" (ranks), "interval" (squares).

    Returns:
        At most 1; None where it is not defined: nothing was rated twice, or all ratings are the same.

    References:
        Krippendorff (2011), Computing Krippendorff's Alpha-Reliability.
    """
    return alpha_parts(ratings, level).value()


def cohen_kappa(a: ArrayLike, b: ArrayLike) -> float | None:
    """Compute Cohen's kappa of two raters.

    Args:
        a: One rater's codes, shape (items,), NaN for missing.
        b: The other's. Only items that both rated count.

    Returns:
        At most 1; None where it is not defined: no common item, or both always gave the same one code.

    References:
        Cohen (1960), Educational and Psychological Measurement 20(1).
    """
    return kappa_parts(np.stack([_floats(a), _floats(b)])).value()


def mean_pairwise_kappa(ratings: ArrayLike) -> float | None:
    """Average Cohen's kappa over all pairs of raters for which it is defined; None if there is no such pair.

    Args:
        ratings: Shape (raters, items), NaN for missing.

    References:
        Light (1971), Psychological Bulletin 76(5).
    """
    return kappa_parts(ratings).value()


def raw_agreement(ratings: ArrayLike) -> float | None:
    """Compute the share of pairs of ratings of one item that are the same, over all items; None without any pair.

    Args:
        ratings: Shape (raters, items), NaN for missing.
    """
    return raw_parts(ratings).value()


def alpha_parts(ratings: ArrayLike, level: Level = "nominal") -> Parts:
    """Take Krippendorff's alpha apart; see `krippendorff_alpha`."""
    values, counts = _count_values(_floats(ratings))
    counts[counts.sum(axis=1) < 2] = 0
    rated = counts.sum(axis=1)
    others = np.maximum(rated - 1, 1)
    if level == "nominal":
        apart = (rated**2 - (counts**2).sum(axis=1)) / others
        return Parts(_nominal_alpha, np.column_stack([apart, counts]))
    if level == "ordinal":
        pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
        return Parts(_ordinal_alpha, (pairs / others[:, None, None]).reshape(len(counts), len(values) ** 2))
    # Squares are taken around a value that occurs: exact where all are the same, and no digits are lost far from 0.
    centred = values - values[len(values) // 2] if len(values) else values
    sums, squares = counts @ centred, counts @ centred**2
    means = sums / np.maximum(rated, 1)
    around = (counts * (centred[None, :] - means[:, None]) ** 2).sum(axis=1)
    return Parts(_interval_alpha, np.column_stack([2 * rated * around / others, rated, sums, squares]))


def kappa_parts(ratings: ArrayLike) -> Parts:
    """Take the mean of the pairwise kappas (with two raters: kappa) apart; see `mean_pairwise_kappa`."""
    array = _floats(ratings)
    values = np.unique(array[~np.isnan(array)])
    given = (array[:, :, None] == values).astype(np.float64)
    terms = [np.zeros((array.shape[1], 0))]
    for a, b in combinations(given, 2):
        both = a.sum(axis=1, keepdims=True) * b.sum(axis=1, keepdims=True)
        terms += [(a * b).sum(axis=1, keepdims=True), a * both, b * both]

    def statistic(sums: Floats) -> float | None:
        return _mean_kappa(sums, len(values))

    return Parts(statistic, np.concatenate(terms, axis=1))


def raw_parts(ratings: ArrayLike) -> Parts:
    """Take the raw agreement apart; see `raw_agreement`."""
    _, counts = _count_values(_floats(ratings))
    rated = counts.sum(axis=1)
    same = (counts * (counts - 1)).sum(axis=1)
    return Parts(_share, np.column_stack([same, rated * (rated - 1)]))


def bootstrap_interval(
    statistic: Statistic, items: Floats, *, clusters: Sequence[Hashable], seed: int, draws: int = 1000
) -> tuple[float, float] | None:
    """Find a 95 % interval by drawing whole clusters of items with replacement.

    Args:
        statistic: See `Parts`.
        items: See `Parts`; shape (items, terms).
        clusters: The cluster of each item: items of one client's profile, say, are no independent draws.
        seed: Of the draws; the same seed gives the same interval.
        draws: How many times to draw as many clusters as there are.

    Returns:
        The 2.5th and 97.5th percentile over the draws in which the statistic is defined; None if it is in fewer than half.

    References:
        Efron & Tibshirani (1993), An Introduction to the Bootstrap, ch. 13; Field & Welsh (2007), JRSS B 69(3), for clusters.
    """
    places = {cluster: place for place, cluster in enumerate(dict.fromkeys(clusters))}
    sums = np.zeros((len(places), items.shape[1]))
    np.add.at(sums, [places[cluster] for cluster in clusters], items)
    random = np.random.default_rng(seed)
    found = []
    for _ in range(draws if places else 0):
        weights = np.bincount(random.integers(len(places), size=len(places)), minlength=len(places))
        value = statistic(weights @ sums)
        if value is not None:
            found.append(value)
    if not found or 2 * len(found) < draws:
        return None
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _floats(ratings: ArrayLike) -> Floats:
    return np.asarray(ratings, dtype=np.float64)


def _count_values(ratings: Floats) -> tuple[Floats, Floats]:
    """Return the values that occur, ascending, and how often each item got each, shape (items, values)."""
    present = ~np.isnan(ratings)
    values, codes = np.unique(ratings[present], return_inverse=True)
    counts = np.zeros((ratings.shape[1], len(values)))
    np.add.at(counts, (np.nonzero(present)[1], codes), 1)
    return values, counts


def _alpha(observed: float, expected: float) -> float | None:
    return 1 - float(observed / expected) if expected > 0 else None


def _nominal_alpha(sums: Floats) -> float | None:
    frequencies = sums[1:]
    rated = float(frequencies.sum())
    return _alpha(sums[0], (rated**2 - float(frequencies @ frequencies)) / max(rated - 1, 1))


def _ordinal_alpha(sums: Floats) -> float | None:
    """Compute alpha from the coincidences, shape (values²,).

    Krippendorff's ordinal difference is that of the values' middle ranks; around their mean, half of all, the sums stay short.
    """
    size = round(len(sums) ** 0.5)
    coincidences = sums.reshape(size, size)
    frequencies = coincidences.sum(axis=1)
    rated = float(frequencies.sum())
    ranks = np.cumsum(frequencies) - frequencies / 2 - rated / 2
    squares = float(frequencies @ ranks**2)
    return _alpha(2 * (squares - float(ranks @ coincidences @ ranks)), 2 * rated * squares / max(rated - 1, 1))


def _interval_alpha(sums: Floats) -> float | None:
    apart, rated, total, squares = (float(one) for one in sums)
    spread = rated * squares - total**2
    if spread <= 1e-12 * rated * squares:  # a draw of one single value leaves nothing but rounding
        return None
    return _alpha(apart, 2 * spread / max(rated - 1, 1))


def _mean_kappa(sums: Floats, values: int) -> float | None:
    kappas = []
    for same, *margins in sums.reshape(-1, 1 + 2 * values):
        a, b = np.array(margins[:values]), np.array(margins[values:])
        both, chance = float(a.sum()), float(a @ b)
        if both**2 > chance:
            kappas.append((both * float(same) - chance) / (both**2 - chance))
    return sum(kappas) / len(kappas) if kappas else None


def _share(sums: Floats) -> float | None:
    return float(sums[0] / sums[1]) if sums[1] else None
