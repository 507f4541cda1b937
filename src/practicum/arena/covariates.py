"""The choice model with more than strengths in it: the slot in which a reply was shown, its length and its style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from practicum.arena.identification import identified
from practicum.arena.log import ChoiceRow
from practicum.arena.luce import MOST_STEPS, TOLERANCE, damping
from practicum.arena.rating import anchor_place
from practicum.arena.results import MIN_CLUSTERS, Cluster, Effect, Interval
from practicum.arena.sandwich import POINTS, START, clustered, contrast, interval
from practicum.arena.table import ChoiceTable, Features, Flags, Floats, Ints, count_choices
from practicum.core import Language, Outcome
from practicum.measures import STYLE_FEATURES, style_features

PRIOR_SD = 10.0
"""Logits. A normal prior so wide is next to nothing where choices say anything (0.01 of information against a fifth for each
choice); where a feature decides every choice it keeps the coefficient finite."""
MOST_PRIOR = 0.02
"""Where the posterior variance is more than this part of the prior's (an error of 1.4 logits), there is no interval: a feature
that decides every choice ends at some -9 logits or 30, where this part is one in ten or thirty."""
LEAST_DOUBT = 0.1
"""With less, an effect without interval decides next to every choice: what is left tells nothing of strengths."""
_CHUNK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Strengths and effects together, P = K + F coefficients, strengths first."""

    coefficients: Floats
    """(P,): logits; strengths have mean 0."""
    spread: Floats
    """(P, P): clustered sandwich covariance."""
    bread: Floats
    """(P, P): inverse of the information, prior included."""
    clusters: int
    met: tuple[int, ...]
    """K counts: in how many clusters each counselor was offered."""
    doubt: float
    """Mean of Σ p(1-p) over the choices: 0 where each is a foregone conclusion, ⅔ among three equals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controlled:
    """Ratings with features held equal, in the order of the sorted counselors, and the effects of the features."""

    ratings: tuple[float | None, ...]
    """None, for all, where the choices whose texts are known do not determine strengths."""
    intervals: tuple[Interval | None, ...]
    """None with too few clusters, or where a feature decides next to every choice."""
    effects: tuple[Effect, ...]


def fit_covariates(table: ChoiceTable, cluster: Cluster, *, steps: int = MOST_STEPS) -> Fit:
    """Fit P(i among S) ∝ exp(θ_i + x_i β), with a wide normal prior on every coefficient.

    Args:
        table: With `features`, best on a common scale.
        cluster: What counts as one independent draw.
        steps: When to be content with what has been found.

    References:
        McFadden (1974), Conditional logit analysis of qualitative choice behavior; Sun & Tran-Dinh (2019), Mathematical
        Programming 178 (the damping).
    """
    features = _features(table)
    count = len(table.counselors)
    ids, clusters = table.clusters(cluster)
    coefficients = np.zeros(count + features.shape[2])
    precision = np.eye(len(coefficients)) / PRIOR_SD**2
    for _ in range(steps):
        slopes, curve = _derivatives(table, coefficients, ids, clusters)
        step = np.linalg.solve(curve + precision, slopes.sum(axis=0) - precision @ coefficients)
        span = _span(table, step)
        coefficients += step * damping(np.array(span))
        if span < TOLERANCE:
            break
    slopes, curve = _derivatives(table, coefficients, ids, clusters)
    bread: Floats = np.linalg.inv(curve + precision).astype(np.float64)
    return Fit(
        coefficients=coefficients,
        spread=clustered(bread, slopes),
        bread=bread,
        clusters=clusters,
        met=_clusters_met(table, ids, clusters),
        doubt=float(np.trace(curve[:count, :count])) / len(ids),
    )


def effects(fit: Fit, names: Sequence[str]) -> tuple[Effect, ...]:
    """Return the F effects of a fit, by the names of the features."""
    size = len(fit.coefficients)
    found = zip(names, fit.coefficients[size - len(names) :].tolist(), np.eye(size)[size - len(names) :], strict=True)
    return tuple(Effect(name=name, logits=value, interval=_known(fit, weights, value, fit.clusters)) for name, value, weights in found)


def slot_effects(rows: Sequence[ChoiceRow], cluster: Cluster) -> tuple[Effect, ...]:
    """Estimate what each slot but the first is worth, strengths held equal, from first askings that ended in a win.

    Returns:
        `slot 2`, `slot 3` …; nothing where no ballot tells an order.
    """
    ballots = [ballot for row in rows for ballot in _ballot_rows(row)]
    widest = max((len(row.offered) for row in ballots), default=1)
    names = [f"slot {slot + 1}" for slot in range(1, widest)]
    if not names:
        return ()

    def slots(row: ChoiceRow) -> list[list[float]]:
        return [[float(place == slot) for slot in range(1, widest)] for place in range(len(row.offered))]

    return effects(fit_covariates(ChoiceTable.of(ballots, features=slots), cluster), names)


def control_style(
    rows: Sequence[ChoiceRow],
    counselors: Sequence[str],
    *,
    cluster: Cluster,
    anchor: str | None = None,
    features: Sequence[str] = STYLE_FEATURES,
) -> Controlled | None:
    """Rate with length and style held equal, from the choices whose texts are known.

    Features are centred within the choice and scaled over all candidates to a standard deviation of 1; one that never varies
    within a choice is left out.

    Args:
        rows: A log; rows without texts are passed over.
        counselors: Who is to be rated.
        cluster: What counts as one independent draw.
        anchor: Whose rating is 1000; None: the mean of all is.
        features: Names out of `STYLE_FEATURES`.

    Returns:
        None where texts are not known, nothing varies, or some counselor has no text.

    Raises:
        ConfigError: Nobody is called like the anchor.
    """
    known = [row for row in rows if row.scored and row.texts]
    if {name for row in known for name in row.offered} != set(counselors):
        return None
    table, varies = scaled(ChoiceTable.of(known, counselors=counselors, features=_style(features)))
    if not varies.any():
        return None
    fit = fit_covariates(table, cluster)
    count = len(table.counselors)
    versus = np.hstack([contrast(count, anchor_place(table.counselors, anchor)), np.zeros((count, len(fit.coefficients) - count))]) * POINTS
    points = (START + versus @ fit.coefficients).tolist()
    found = effects(fit, [name for name, kept in zip(features, varies.tolist(), strict=True) if kept])
    decided = fit.doubt < LEAST_DOUBT and any(effect.interval is None for effect in found)
    counts = count_choices(table, cluster)
    determined = bool(identified(counts.wins, counts.members))
    return Controlled(
        ratings=tuple(points) if determined else (None,) * count,
        intervals=tuple(map(_known, (fit,) * count, versus, points, fit.met)) if determined and not decided else (None,) * count,
        effects=found,
    )


def scaled(table: ChoiceTable) -> tuple[ChoiceTable, Flags]:
    """Centre features within each choice, scale them over all candidates to sd 1, and leave out those that do not vary.

    Returns:
        The table, and (F,) which features it kept.
    """
    here = (table.offered >= 0)[:, :, None]
    features = np.where(here, _features(table), 0.0)
    centred = np.where(here, features - features.sum(axis=1, keepdims=True) / here.sum(axis=1, keepdims=True), 0.0)
    deviation = np.sqrt((centred**2).sum(axis=(0, 1)) / max(1, int(here.sum())))
    # What rounding leaves of a constant is no variation.
    varies: Flags = deviation > 1e-9 * np.abs(features).max(axis=(0, 1), initial=0.0)
    return replace(table, features=centred[:, :, varies] / deviation[varies]), varies


def _style(names: Sequence[str]) -> Features:
    """Return what reads the named features off a row's texts, each text once."""
    picked = [STYLE_FEATURES.index(name) for name in names]
    seen: dict[tuple[str, str], list[float]] = {}

    def values(row: ChoiceRow) -> list[list[float]]:
        language: Language = "en" if row.language == "en" else "zh"
        for text in row.texts:
            if (text, language) not in seen:
                every = style_features(text, language)
                seen[text, language] = [every[place] for place in picked]
        return [seen[text, language] for text in row.texts]

    return values


def _known(fit: Fit, weights: Floats, middle: float, clusters: int) -> Interval | None:
    """Return the interval of a weighted sum of coefficients around `middle`; None if little but the prior tells of it."""
    prior = PRIOR_SD**2 * float(weights @ weights)
    if clusters < MIN_CLUSTERS or float(weights @ fit.bread @ weights) > MOST_PRIOR * prior:
        return None
    return interval(middle, math.sqrt(max(0.0, float(weights @ fit.spread @ weights))), clusters)


def _ballot_rows(row: ChoiceRow) -> list[ChoiceRow]:
    return [
        replace(
            row,
            offered=ballot.shown,
            outcome=Outcome.WIN,
            shares=tuple(float(slot == ballot.picked) for slot in range(len(ballot.shown))),
            texts=(),
        )
        for ballot in row.ballots
        if ballot.outcome is Outcome.WIN and ballot.repeat == 0
    ]


def _features(table: ChoiceTable) -> Floats:
    return np.zeros((*table.offered.shape, 0)) if table.features is None else table.features


def _derivatives(table: ChoiceTable, coefficients: Floats, ids: Ints, clusters: int) -> tuple[Floats, Floats]:
    """Return the (G, P) slopes of the log-likelihood by cluster and its (P, P) information, prior left out."""
    count, size = len(table.counselors), len(coefficients)
    features = _features(table)
    slopes, curve = np.zeros((clusters, size)), np.zeros((size, size))
    for start in range(0, len(ids), _CHUNK):
        part = slice(start, start + _CHUNK)
        who, shares = table.offered[part], table.shares[part]
        design = np.zeros((*who.shape, size))
        place, column = np.nonzero(who >= 0)
        design[place, column, who[place, column]] = 1
        design[:, :, count:] = features[part]
        logits = np.where(who < 0, -np.inf, design @ coefficients)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = powers / powers.sum(axis=1, keepdims=True)
        np.add.at(slopes, ids[part], ((shares - chances)[:, :, None] * design).sum(axis=1))
        rest = (design - (chances[:, :, None] * design).sum(axis=1, keepdims=True)).reshape(-1, size)
        curve += (rest * chances.reshape(-1, 1)).T @ rest
    return slopes, curve


def _span(table: ChoiceTable, step: Floats) -> float:
    """By how much a step moves the logits of one choice apart, at most."""
    count = len(table.counselors)
    here = table.offered >= 0
    moved = step[table.offered] * here + _features(table) @ step[count:]
    return float((np.where(here, moved, -np.inf).max(axis=1) - np.where(here, moved, np.inf).min(axis=1)).max())


def _clusters_met(table: ChoiceTable, ids: Ints, clusters: int) -> tuple[int, ...]:
    met = np.zeros((clusters, len(table.counselors)), np.bool_)
    place, column = np.nonzero(table.offered >= 0)
    met[ids[place], table.offered[place, column]] = True
    return tuple(met.sum(axis=0).tolist())
