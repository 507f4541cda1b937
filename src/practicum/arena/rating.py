"""From a table of choices to ratings on the Elo scale, with all that is known of how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from practicum.arena.bootstrap import bootstrap_strengths, percentile_intervals
from practicum.arena.identification import require_identified
from practicum.arena.luce import fit_strengths
from practicum.arena.results import MIN_CLUSTERS, Cluster, Interval, Ranks
from practicum.arena.sandwich import POINTS, START, clusters_met, contrast, covariance, interval, simultaneous_ranks
from practicum.arena.table import ChoiceTable, Counts, Floats, count_choices
from practicum.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """A fit, each tuple in the order of `counselors`."""

    counselors: tuple[str, ...]
    strengths: Floats
    """(K,): logits, mean 0."""
    ratings: tuple[float, ...]
    """400/ln 10 per logit, mean 1000 or the anchor's 1000."""
    se: tuple[float | None, ...]
    """In points; None where a counselor was in too few clusters."""
    intervals: tuple[Interval | None, ...]
    bootstrap: tuple[Interval | None, ...]
    ranks: tuple[Ranks | None, ...]
    counts: Counts


def rate(table: ChoiceTable, *, cluster: Cluster = "profile", anchor: str | None = None, seed: int = 0, bootstraps: int = 1000) -> Ratings:
    """Fit the strengths of counselors from many-way choices (Luce's choice model).

    Args:
        table: One row per judged turn; the sets offered may differ from row to row.
        cluster: What counts as one independent draw for the intervals.
        anchor: Whose rating is 1000; None: the mean of all is.
        seed: Of the bootstrap and the simulated ranks.
        bootstraps: How many samples; 0 for none.

    Returns:
        Ratings that do not depend on the order of the rows, to the last digit; without intervals where there are fewer than
        10 clusters.

    Raises:
        ConfigError: Nobody is called like the anchor.
        NotIdentifiedError: Some counselor never won or never lost against the rest, or never met it.

    References:
        Luce (1959), Individual Choice Behavior; White (1980), Econometrica 48(4).
    """
    place = anchor_place(table.counselors, anchor)
    counts = count_choices(table, cluster)
    require_identified(counts.wins, counts.members, table.counselors)
    strengths = fit_strengths(counts.wins[None], counts.members)[0]
    rng = np.random.default_rng(seed)
    versus = contrast(len(strengths), place) * POINTS
    met = clusters_met(counts).tolist()
    spread = covariance(counts, strengths)
    points = (START + versus @ strengths).tolist()
    errors = np.sqrt(np.maximum(np.diag(versus @ spread @ versus.T), 0)).tolist()
    enough = counts.clusters >= MIN_CLUSTERS
    ranks: tuple[Ranks | None, ...] = simultaneous_ranks(strengths, spread, met, rng) if enough else (None,) * len(met)
    samples = bootstrap_strengths(counts, bootstraps if enough else 0, rng)
    return Ratings(
        counselors=table.counselors,
        strengths=strengths,
        ratings=tuple(points),
        se=tuple(se if many >= MIN_CLUSTERS else None for se, many in zip(errors, met, strict=True)),
        intervals=tuple(map(interval, points, errors, met)),
        bootstrap=percentile_intervals(START + samples @ versus.T, counts.clusters),
        ranks=ranks,
        counts=counts,
    )


def anchor_place(counselors: tuple[str, ...], anchor: str | None) -> int | None:
    """Find the anchor.

    Raises:
        ConfigError: It is not there; the message lists who is.
    """
    if anchor is None:
        return None
    if anchor not in counselors:
        raise ConfigError(f"anchor: expected a counselor of these choices, got {anchor!r}; known: {', '.join(counselors)}")
    return counselors.index(anchor)
