"""The chi-square distribution's upper tail: how surprising a misfit is."""

from __future__ import annotations

import math

_TINY = 1e-300  # stands for 0 where Lentz's method begins
_PRECISION = 1e-15  # a few units in the last place: below that, rounding may keep a sum from ever settling


def chi_square_p(x: float, df: int) -> float:
    """Return the probability that a chi-square variable with `df` degrees of freedom exceeds `x`.

    Args:
        x: The statistic; 0 or more, infinity included.
        df: Degrees of freedom, 0 or more. With 0 nothing can misfit: 1.0 at x = 0, else 0.0.

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: `x` is negative or no number, or `df` is negative.

    References:
        Abramowitz & Stegun (1964), 6.5.29 and 6.5.31 (the regularised incomplete gamma function as a series and as a
        continued fraction); Lentz (1976), Applied Optics 15(3), for the fraction.
    """
    if not x >= 0:
        raise ValueError(f"chi_square_p: x = {x!r}; expected a number of 0 or more")
    if df < 0:
        raise ValueError(f"chi_square_p: df = {df!r}; expected 0 or more")
    shape, half = df / 2, x / 2
    if half == 0:
        return 1.0
    if df == 0 or math.isinf(x):
        return 0.0
    scale = math.exp(shape * math.log(half) - half - math.lgamma(shape))
    if half < shape + 1:
        return max(0.0, 1.0 - scale * _lower_series(shape, half))
    return min(1.0, scale * _upper_fraction(shape, half))


def _lower_series(shape: float, x: float) -> float:
    """Return the lower incomplete gamma function without its factor x^shape e^-x: quick for small `x`."""
    term = total = 1 / shape
    while term > total * _PRECISION / 10:
        shape += 1
        term *= x / shape
        total += term
    return total


def _upper_fraction(shape: float, x: float) -> float:
    """Return the upper incomplete gamma function without its factor x^shape e^-x: quick for large `x`."""
    below = x + 1 - shape
    c, d = 1 / _TINY, 1 / below
    total, step, turn = d, 0.0, 0
    while abs(step - 1) > _PRECISION:
        turn += 1
        part = turn * (shape - turn)
        below += 2
        d = 1 / (part * d + below)
        c = below + part / c
        step = c * d
        total *= step
    return total
