"""Luce's choice model: how strong each counselor is, from choices among any number of them."""

from __future__ import annotations

import numpy as np

from practicum.arena.identification import identified
from practicum.arena.results import SetFit
from practicum.arena.table import Counts, Flags, Floats
from practicum.measures import chi_square_p

TOLERANCE = 1e-9
"""A Newton step of so few logits ends the search: convergence is quadratic, so the next would be of 10⁻¹⁸."""
MOST_STEPS = 200
"""Ten are usual; 40 logits, the most that `exact_sums` leaves apart, take about 60."""
_BATCH = 4_000_000
"""Numbers held at once in a batch: 32 MB an array."""


def fit_strengths(wins: Floats, members: Flags, *, steps: int = MOST_STEPS) -> Floats:
    """Fit the strengths of greatest likelihood: P(i among S) = exp(θ_i) / Σ_{j in S} exp(θ_j).

    Newton's method, with a step that is damped so that it converges from everywhere. No prior, no ridge.

    Args:
        wins: (B, S, K): the sum of shares of each candidate of each set, for B data sets; 0 for who is no member.
        members: (S, K): who belongs to each set.
        steps: When to give up.

    Returns:
        (B, K): logits, mean 0; nan for a data set that does not determine them.

    References:
        Luce (1959), Individual Choice Behavior; McFadden (1974), Conditional logit analysis of qualitative choice behavior;
        Sun & Tran-Dinh (2019), Mathematical Programming 178 (the damping, ν = 2).
    """
    strengths = np.full((len(wins), members.shape[1]), np.nan)
    size = max(1, _BATCH // members.size)
    for start in range(0, len(wins), size):
        part = wins[start : start + size]
        sound = np.flatnonzero(identified(part, members))
        if len(sound):
            strengths[start + sound] = _newton(part[sound], members, steps)
    return strengths


def probabilities(strengths: Floats, members: Flags) -> Floats:
    """Return how likely each candidate of each set is to win.

    Args:
        strengths: (..., K).
        members: (S, K).

    Returns:
        (..., S, K): each set sums to 1; 0 for who is no member.
    """
    logits = np.where(members, strengths[..., None, :], -np.inf)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    chances: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return chances


def information(chances: Floats, trials: Floats) -> Floats:
    """Return the negative second derivative of the log-likelihood.

    Args:
        chances: (..., S, K): see `probabilities`.
        trials: (..., S): choices of each set.

    Returns:
        (..., K, K): rows sum to 0, as only differences of strengths count.
    """
    expected = chances * trials[..., None]
    found: Floats = -(np.swapaxes(expected, -1, -2) @ chances)
    places = np.arange(chances.shape[-1])
    found[..., places, places] += expected.sum(axis=-2)
    return found


def set_fits(counts: Counts, strengths: Floats, counselors: tuple[str, ...]) -> tuple[SetFit, ...]:
    """Compare the shares in each set with those that the model expects, the largest set first.

    The p value is approximate: it takes choices for independent (turns of one session are not, so p is too small), ties for
    wins, and strengths for known (so p is too large). It is there to point at sets that do not fit.

    Args:
        counts: What was chosen.
        strengths: (K,).
        counselors: K names.

    References:
        Pearson (1900), Philosophical Magazine 50(302); McFadden, Tye & Train (1977), Transportation Research Record 637.
    """
    chances = probabilities(strengths, counts.members)
    fits = []
    for members, wins, chance, choices in zip(counts.members, counts.wins, chances, counts.choices.tolist(), strict=True):
        who = np.flatnonzero(members)
        observed, expected = wins[who] / choices, chance[who]
        chi2 = float(choices * ((observed - expected) ** 2 / expected).sum())
        fits.append(
            SetFit(
                offered=tuple(counselors[place] for place in who),
                choices=choices,
                observed=tuple(observed.tolist()),
                expected=tuple(expected.tolist()),
                chi2=chi2,
                df=len(who) - 1,
                p=chi_square_p(chi2, len(who) - 1),
            )
        )
    return tuple(sorted(fits, key=lambda fit: (-fit.choices, fit.offered)))


def damping(span: Floats) -> Floats:
    """Shorten a Newton step that moves logits apart by `span` to a length at which the likelihood grows for certain."""
    longer = np.maximum(span, 1e-12)
    return np.log1p(longer) / longer


def _newton(wins: Floats, members: Flags, steps: int) -> Floats:
    points, trials = wins.sum(axis=1), wins.sum(axis=2)
    # The strongest is held at 0: its row is the one that rounding would spoil where another hardly ever wins.
    free = np.arange(members.shape[1]) != int(points.sum(axis=0).argmax())
    strengths: Floats = np.zeros_like(points)
    converged = np.zeros(len(wins), np.bool_)
    for _ in range(steps):
        chances = probabilities(strengths, members)
        slope = points - (chances * trials[..., None]).sum(axis=1)
        curve = information(chances, trials)[:, free][:, :, free]
        step = np.linalg.solve(curve, slope[:, free, None])[..., 0]
        span = np.maximum(step.max(axis=1), 0) - np.minimum(step.min(axis=1), 0)
        strengths[:, free] += step * damping(span)[:, None]
        converged = span < TOLERANCE
        if converged.all():
            break
    strengths -= strengths.mean(axis=1, keepdims=True)
    strengths[~converged] = np.nan
    return strengths
