from __future__ import annotations

import math

import numpy as np
import pytest

from practicum.arena.rating import rate
from practicum.arena.table import ChoiceTable
from practicum.errors import ConfigError, NotIdentifiedError
from tests.arena.choices import choice, shuffled, simulate


def test_ten_to_one_is_four_hundred_points_around_a_thousand() -> None:
    rows = [choice("ab", (1, 0))] * 10 + [choice("ab", (0, 1))]

    assert rate(ChoiceTable.of(rows)).ratings == pytest.approx((1200, 800))
    assert rate(ChoiceTable.of(rows), anchor="a").ratings == pytest.approx((1000, 600))


def test_an_anchor_that_is_not_there_is_refused_with_those_who_are() -> None:
    with pytest.raises(ConfigError, match="anchor: expected a counselor of these choices, got 'x'; known: a, b"):
        rate(ChoiceTable.of([choice("ab", (0.5, 0.5))]), anchor="x")


def test_what_is_not_determined_is_refused() -> None:
    with pytest.raises(NotIdentifiedError, match="'b' never won"):
        rate(ChoiceTable.of([choice("ab", (1, 0))]))


def test_shuffled_choices_give_all_the_same_numbers() -> None:
    rng = np.random.default_rng(1)
    table = simulate(rng, 15)

    one, other = rate(table, bootstraps=50), rate(shuffled(table, rng), bootstraps=50)

    assert (one.ratings, one.se, one.intervals, one.bootstrap, one.ranks) == (
        other.ratings,
        other.se,
        other.intervals,
        other.bootstrap,
        other.ranks,
    )


def test_too_few_clusters_leave_the_ratings_alone() -> None:
    table = simulate(np.random.default_rng(1), 9)

    found = rate(table)

    assert all(math.isfinite(rating) for rating in found.ratings)
    assert {*found.se, *found.intervals, *found.bootstrap, *found.ranks} == {None}
    assert None not in rate(table, cluster="session").intervals


def test_who_was_met_by_few_clients_has_no_interval_of_its_own() -> None:
    rows = [choice("ab", share, session=f"s{number}{share}") for number in range(10) for share in ((1, 0), (0, 1))]
    rows += [choice("bc", share, session="s0") for share in ((1, 0), (0, 1))]

    found = rate(ChoiceTable.of(rows), bootstraps=0)

    assert [known is None for known in found.intervals] == [known is None for known in found.se] == [False, False, True]
