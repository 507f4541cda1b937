from __future__ import annotations

import math
import subprocess
import sys
from typing import get_args

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from practicum.measures.agreement import (
    Floats,
    Level,
    alpha_parts,
    bootstrap_interval,
    cohen_kappa,
    kappa_parts,
    krippendorff_alpha,
    mean_pairwise_kappa,
    raw_agreement,
    raw_parts,
)

LEVELS: tuple[Level, ...] = get_args(Level)
NAN = math.nan

# Krippendorff (2011), example C: four observers, twelve units, gaps.
EXAMPLE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


def ratings_of(values: st.SearchStrategy[float]) -> st.SearchStrategy[Floats]:
    """Ratings of 1 to 5 raters and 1 to 12 items, some missing."""
    return st.tuples(st.integers(1, 5), st.integers(1, 12)).flatmap(
        lambda shape: arrays.arrays(np.float64, shape, elements=st.one_of(values, st.just(NAN)))
    )


def theirs(ratings: Floats, level: Level) -> float | None:
    """What the `krippendorff` package makes of it; None where it refuses."""
    pairable = ratings[:, (~np.isnan(ratings)).sum(axis=0) > 1]
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:
        return None
    return float(krippendorff.alpha(reliability_data=ratings, level_of_measurement=level))


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_the_papers_example(level: Level, alpha: float) -> None:
    assert krippendorff_alpha(EXAMPLE, level) == pytest.approx(alpha, abs=5e-4)


@pytest.mark.parametrize("level", LEVELS)
@given(ratings=ratings_of(st.integers(1, 5).map(float)))
def test_alpha_is_the_krippendorff_packages(level: Level, ratings: Floats) -> None:
    expected = theirs(ratings, level)
    assert krippendorff_alpha(ratings, level) == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9))


@pytest.mark.parametrize("level", LEVELS)
@given(ratings=ratings_of(st.sampled_from([-1e6, 0.1, 0.3, 2.5, 1e6 + 0.25])))
def test_alpha_takes_any_numbers(level: Level, ratings: Floats) -> None:
    expected = theirs(ratings, level)
    assert krippendorff_alpha(ratings, level) == (None if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-9))


@given(ratings_of(st.integers(1, 4).map(float)), st.permutations([1.0, 2.0, 3.0, 4.0]))
def test_nominal_agreement_knows_no_order_of_codes_raters_or_items(ratings: Floats, codes: list[float]) -> None:
    renamed = np.array([[NAN if math.isnan(one) else codes[int(one) - 1] for one in row] for row in ratings])[::-1, ::-1]
    for measure in (krippendorff_alpha, mean_pairwise_kappa, raw_agreement):
        value = measure(ratings)
        assert measure(renamed) == (None if value is None else pytest.approx(value, abs=1e-9))


@pytest.mark.parametrize(
    "ratings",
    [
        np.zeros((2, 0)),
        np.full((2, 3), NAN),
        [[1.0, NAN], [NAN, 2.0]],  # nothing was rated twice
        [[1.0, 2.0]],  # one rater
        [[0.1, 0.1, 0.1], [0.1, 0.1, 0.1]],  # no variation
    ],
)
def test_alpha_and_kappa_without_pairs_or_variation_are_not_defined(ratings: Floats) -> None:
    assert [krippendorff_alpha(ratings, level) for level in LEVELS] == [None, None, None]
    assert mean_pairwise_kappa(ratings) is None


def test_kappa_is_the_textbooks() -> None:
    # Two readers of 50 grant proposals: both yes 20, yes-no 5, no-yes 10, both no 15.
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)


def test_kappa_of_three_categories_is_as_by_hand() -> None:
    # Shares .44 .07 .09 | .05 .20 .05 | .01 .03 .06 of 200: .70 agree, .60 × .50 + .30 × .30 + .10 × .20 = .41 would by chance.
    table = {(0, 0): 88, (0, 1): 14, (0, 2): 18, (1, 0): 10, (1, 1): 40, (1, 2): 10, (2, 0): 2, (2, 1): 6, (2, 2): 12}
    pairs = [pair for pair, count in table.items() for _ in range(count)]
    assert cohen_kappa([a for a, _ in pairs], [b for _, b in pairs]) == pytest.approx((0.70 - 0.41) / (1 - 0.41))


@pytest.mark.parametrize(
    ("a", "b", "kappa"),
    [
        ([0, 1, 2], [0, 1, 2], 1.0),
        ([0, 1], [1, 0], -1.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], 0.0),
        ([0, 1, NAN, 1], [0, 1, 0, NAN], 1.0),  # what one did not rate counts in nothing
        ([0, 0], [0, 0], None),
        ([0, 0], [1, 1], 0.0),
        ([], [], None),
    ],
)
def test_kappa_at_its_ends(a: list[float], b: list[float], kappa: float | None) -> None:
    assert cohen_kappa(a, b) == kappa


def test_the_mean_over_pairs_leaves_out_pairs_without_a_kappa() -> None:
    ratings: list[list[float]] = [[0, 1, 0, 1], [0, 1, 1, 1], [NAN] * 4]
    assert mean_pairwise_kappa(ratings) == cohen_kappa(ratings[0], ratings[1]) == 0.5


def test_the_mean_over_pairs_is_the_mean() -> None:
    ratings = [[0, 1, 0, 1, 2], [0, 1, 1, 1, 2], [1, 1, 0, 2, 2]]
    each = [cohen_kappa(ratings[i], ratings[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert mean_pairwise_kappa(ratings) == pytest.approx(sum(one for one in each if one is not None) / 3)


@pytest.mark.parametrize(
    ("ratings", "share"),
    [
        ([[0, 1, 2], [0, 1, 0]], 2 / 3),
        ([[0, 1], [0, 1], [0, 2]], 4 / 6),
        ([[0, NAN], [0, 1], [1, NAN]], 1 / 3),
        ([[NAN, 1], [0, NAN]], None),
    ],
)
def test_raw_agreement_is_the_share_of_equal_pairs(ratings: list[list[float]], share: float | None) -> None:
    assert raw_agreement(ratings) == share


@given(ratings_of(st.integers(0, 2).map(float)), st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_weighing_the_parts_anew_is_repeating_the_items(ratings: Floats, weights: list[int]) -> None:
    weights = weights[: ratings.shape[1]]
    repeated = np.repeat(ratings, weights, axis=1)
    for level in LEVELS:
        parts, fresh = alpha_parts(ratings, level), krippendorff_alpha(repeated, level)
        weighed = parts.statistic(np.array(weights) @ parts.items)
        assert weighed == (None if fresh is None else pytest.approx(fresh, abs=1e-9))
    for take_apart, measure in ((kappa_parts, mean_pairwise_kappa), (raw_parts, raw_agreement)):
        parts, fresh = take_apart(ratings), measure(repeated)
        weighed = parts.statistic(np.array(weights) @ parts.items)
        assert weighed == (None if fresh is None else pytest.approx(fresh, abs=1e-9))


def test_interval_alpha_keeps_its_digits_far_from_zero() -> None:
    ratings = np.array([[1.0, 2.0, 3.0, 3.0], [1.0, 2.0, 3.0, 2.0]])
    near = krippendorff_alpha(ratings, "interval")
    assert near is not None
    assert krippendorff_alpha(ratings + 1e9, "interval") == pytest.approx(near, rel=1e-9)


@given(st.sampled_from([0.1, 0.2, 0.7, 1.1]), st.integers(1, 50))
def test_a_draw_of_one_value_only_has_no_alpha(value: float, times: int) -> None:
    ratings = [[value, 0.3, 0.4], [value, 0.3, 0.5]]
    for level in LEVELS:
        parts = alpha_parts(ratings, level)
        assert parts.statistic(np.array([times, 0, 0]) @ parts.items) is None


def noisy_pair(items: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, size=items)
    return np.array([np.where(random.random(items) < 0.3, random.integers(0, 3, size=items), truth) for _ in range(2)], dtype=float)


@pytest.mark.parametrize("take_apart", [alpha_parts, kappa_parts, raw_parts])
def test_an_interval_holds_its_value_and_comes_out_the_same_again(take_apart: type) -> None:
    parts = take_apart(noisy_pair(200, seed=1))
    first = bootstrap_interval(parts.statistic, parts.items, clusters=range(200), seed=7)
    assert first == bootstrap_interval(parts.statistic, parts.items, clusters=range(200), seed=7)
    assert first is not None
    low, high = first
    assert low < parts.value() < high
    assert 0.1 < high - low < 0.3


def test_an_interval_over_copies_is_no_narrower_when_the_copies_are_one_cluster() -> None:
    once = alpha_parts(noisy_pair(60, seed=2))
    copied = alpha_parts(np.repeat(noisy_pair(60, seed=2), 9, axis=1))
    alone = bootstrap_interval(once.statistic, once.items, clusters=range(60), seed=3)
    naive = bootstrap_interval(copied.statistic, copied.items, clusters=range(540), seed=3)
    clustered = bootstrap_interval(copied.statistic, copied.items, clusters=[f"client {i // 9}" for i in range(540)], seed=3)
    assert alone is not None
    assert naive is not None
    assert clustered is not None
    assert clustered == pytest.approx(alone, abs=0.02)
    assert naive[1] - naive[0] < 0.5 * (clustered[1] - clustered[0])


@pytest.mark.parametrize("ratings", [np.zeros((2, 0)), np.ones((2, 5)), [[1.0] * 9 + [2.0], [1.0] * 9 + [NAN]]])
def test_where_nothing_is_defined_there_is_no_interval(ratings: Floats) -> None:
    parts = alpha_parts(ratings)
    assert bootstrap_interval(parts.statistic, parts.items, clusters=range(len(parts.items)), seed=0) is None


def test_an_interval_needs_half_of_its_draws() -> None:
    # One cluster of two is split; a draw that misses it has no variation. It is in 3 of 4 draws here, in 1 - (1 - 1/n)^n ever.
    parts = alpha_parts([[1.0, 1.0], [1.0, 2.0]])
    assert bootstrap_interval(parts.statistic, parts.items, clusters=[0, 1], seed=0) is not None
    assert bootstrap_interval(lambda sums: None, parts.items, clusters=[0, 1], seed=0) is None
    rare = iter([0.5] * 499 + [None] * 501)
    assert bootstrap_interval(lambda sums: next(rare), parts.items, clusters=[0, 1], seed=0) is None


def test_intervals_cover_the_truth_as_often_as_they_claim() -> None:
    truth = krippendorff_alpha(noisy_pair(200_000, seed=99))
    assert truth is not None
    covered = 0
    for seed in range(200):
        parts = alpha_parts(noisy_pair(150, seed=seed))
        interval = bootstrap_interval(parts.statistic, parts.items, clusters=range(150), seed=seed, draws=200)
        assert interval is not None
        covered += interval[0] <= truth <= interval[1]
    assert 180 <= covered <= 199


def test_the_room_opens_without_numpy() -> None:
    code = "import sys, practicum.measures; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
