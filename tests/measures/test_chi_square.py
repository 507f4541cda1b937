from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.measures import chi_square_p

scipy_stats = pytest.importorskip("scipy.stats")  # comes along with the other oracles


@given(st.floats(0, 3000), st.integers(1, 500))
def test_the_tail_is_scipys(x: float, df: int) -> None:
    assert chi_square_p(x, df) == pytest.approx(float(scipy_stats.chi2.sf(x, df)), abs=1e-10)


@given(st.floats(0, 60), st.integers(1, 20))
def test_small_tails_keep_their_digits(x: float, df: int) -> None:
    assert chi_square_p(x, df) == pytest.approx(float(scipy_stats.chi2.sf(x, df)), rel=1e-10)


@pytest.mark.parametrize(("x", "df", "p"), [(3.841459, 1, 0.05), (5.991465, 2, 0.05), (11.0705, 5, 0.05), (6.634897, 1, 0.01)])
def test_the_tables_of_textbooks_are_met(x: float, df: int, p: float) -> None:
    assert chi_square_p(x, df) == pytest.approx(p, abs=1e-6)


def test_two_degrees_of_freedom_are_an_exponential() -> None:
    assert chi_square_p(7.0, 2) == pytest.approx(math.exp(-3.5), rel=1e-13)


@pytest.mark.parametrize(
    ("x", "df", "p"),
    [(0.0, 3, 1.0), (0.0, 0, 1.0), (5e-324, 3, 1.0), (2.0, 0, 0.0), (math.inf, 3, 0.0), (1e9, 2, 0.0)],
)
def test_the_ends_are_exact(x: float, df: int, p: float) -> None:
    assert chi_square_p(x, df) == p


@pytest.mark.parametrize(("x", "df"), [(-1.0, 2), (math.nan, 2), (1.0, -1)])
def test_what_has_no_tail_is_refused(x: float, df: int) -> None:
    with pytest.raises(ValueError, match="chi_square_p: "):
        chi_square_p(x, df)
