from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.arena.table import ChoiceTable, count_choices, exact_sums
from tests.arena.choices import choice, simulate

PARTS = st.lists(st.floats(0, 1), min_size=1, max_size=200)


def test_only_wins_and_ties_enter() -> None:
    rows = [choice("ab", (1, 0)), choice("ab", (0, 0)), choice("ac", (0.5, 0.5))]

    table = ChoiceTable.of(rows)

    assert table.counselors == ("a", "b", "c")
    assert table.offered.tolist() == [[0, 1], [0, 2]]
    assert table.shares.tolist() == [[1, 0], [0.5, 0.5]]


def test_short_choices_are_padded() -> None:
    table = ChoiceTable.of([choice("cab", (1, 0, 0)), choice("cb", (0, 1))])

    assert sorted(table.offered.tolist()) == [[2, 0, 1], [2, 1, -1]]
    counts = count_choices(table, "choice")
    assert counts.sets.tolist() == [[0, 1, 2], [1, 2, -1]]
    assert counts.wins.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert counts.choices.tolist() == [1, 1]


def test_rows_stand_in_one_order_whatever_the_logs_and_know_their_place_in_it() -> None:
    rows = [choice("ab", (1, 0), session=f"s{number % 4}", turn=number) for number in range(12)]
    mixed = random.Random(1).sample(rows, 12)

    table, other = ChoiceTable.of(rows), ChoiceTable.of(mixed)

    for one, two in ((table.offered, other.offered), (table.session, other.session), (table.choice, other.choice)):
        assert np.array_equal(np.asarray(one), np.asarray(two))
    assert table.position is not None
    assert other.position is not None
    assert [rows[place] for place in table.position] == [mixed[place] for place in other.position]


def test_raters_of_one_turn_share_its_cluster() -> None:
    rows = [choice("ab", (1, 0), turn=turn, rater=rater) for turn in (1, 3) for rater in ("one", "two")]

    table = ChoiceTable.of([*rows, choice("ba", (1, 0), turn=3, rater="three")])

    assert table.clusters("choice")[1] == 2
    assert table.clusters("session")[1] == table.clusters("profile")[1] == 1


def test_a_table_from_numbers_takes_each_row_for_a_choice_of_its_own() -> None:
    table = simulate(np.random.default_rng(1), 3)

    assert table.clusters("choice")[1] == len(table.offered) == 3 * 10 * 12
    assert table.clusters("session")[1] == 30
    assert table.clusters("profile")[1] == 3


@pytest.mark.parametrize("ids", [[5, 5, -2, 9], [10**15, 10**15, 3, 10**17]])
def test_any_numbers_may_name_clusters(ids: list[int]) -> None:
    table = ChoiceTable(
        counselors=("a", "b"),
        offered=np.array([[0, 1]] * 4),
        shares=np.array([[1.0, 0.0]] * 4),
        profile=np.array(ids),
        session=np.array(ids),
    )

    assert table.clusters("profile")[0].tolist() == [1, 1, 0, 2]


def test_sets_of_many_counselors_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    offered = np.array([rng.permutation(3000)[:8] for _ in range(50)])  # 3001⁸ is more than 64 bits hold
    offered = np.concatenate([offered, offered[:, ::-1]])
    table = ChoiceTable(
        counselors=tuple(map(str, range(3000))),
        offered=offered,
        shares=np.eye(8)[np.zeros(100, np.int64)],
        profile=np.arange(100),
        session=np.arange(100),
    )

    counts = count_choices(table, "session")

    assert counts.choices.tolist() == [2] * 50
    assert {frozenset(row) for row in counts.sets.tolist()} == {frozenset(row) for row in offered.tolist()}


def test_cells_add_up_to_the_whole() -> None:
    counts = count_choices(simulate(np.random.default_rng(2), 7), "profile")

    assert counts.by_cluster(counts.cell_wins).sum(axis=0) == pytest.approx(counts.wins.sum(axis=0))
    assert counts.cell_choices.sum() == counts.choices.sum() == 7 * 10 * 12
    assert counts.clusters == 7


@given(PARTS, st.randoms(use_true_random=False))
def test_sums_do_not_depend_on_the_order_and_are_right(parts: list[float], lots: random.Random) -> None:
    bins = [place % 3 for place in range(len(parts))]
    pairs = lots.sample(list(zip(bins, parts, strict=True)), len(parts))

    found = exact_sums(np.array(bins), np.array(parts), 3)
    again = exact_sums(np.array([one for one, _ in pairs]), np.array([part for _, part in pairs]), 3)

    assert found.tolist() == again.tolist()
    true = [float(sum(Fraction(part) for one, part in zip(bins, parts, strict=True) if one == place)) for place in range(3)]
    assert found == pytest.approx(true, abs=1e-13)
