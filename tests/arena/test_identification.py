from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from practicum.arena.identification import identified, require_identified
from practicum.arena.log import ChoiceRow
from practicum.arena.table import ChoiceTable, count_choices
from practicum.errors import NotIdentifiedError
from tests.arena.choices import choice


def check(rows: Sequence[ChoiceRow], counselors: Sequence[str] | None = None) -> None:
    table = ChoiceTable.of(rows, counselors=counselors)
    counts = count_choices(table, "choice")
    require_identified(counts.wins, counts.members, table.counselors)


def both(one: str, other: str) -> list[ChoiceRow]:
    return [choice((one, other), (1, 0)), choice((one, other), (0, 1))]


def test_a_circle_determines_strengths() -> None:
    check([choice("ab", (1, 0)), choice("bc", (1, 0)), choice("ca", (1, 0))])


def test_a_tie_counts_for_both() -> None:
    check([choice("ab", (0.5, 0.5))])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([choice("ab", (1, 0)), choice("abc", (0, 1, 0))], "'c' never won against the rest. Judge more profiles"),
        ([*both("a", "b"), choice("abc", (0, 0, 1))], "'c' never lost against the rest. Judge more profiles"),
        ([choice("ab", (1, 0))], "'b' never won against the rest"),
        (
            [*both("b", "c"), choice("ab", (1, 0)), choice("cd", (1, 0))],
            "'d' never won against the rest and 'a' never lost against the rest.",
        ),
        ([*both("a", "b"), *both("b", "c"), *both("d", "e"), choice("ad", (1, 0))], "'d', 'e' never won against the rest"),
        ([*both("a", "b"), *both("b", "c"), *both("d", "e")], "'d', 'e' never met 'a', 'b', 'c', nor anyone who did. Judge sessions where"),
    ],
)
def test_who_is_to_blame_is_named_in_one_line(rows: list[ChoiceRow], message: str) -> None:
    with pytest.raises(NotIdentifiedError, match=f"^the choices do not determine strengths: {re.escape(message)}") as caught:
        check(rows)
    assert "\n" not in str(caught.value)


def test_who_was_in_no_scored_choice_is_named() -> None:
    with pytest.raises(NotIdentifiedError, match="'c', 'd' never was in a scored choice"):
        check(both("a", "b"), "abcd")


@pytest.mark.parametrize("rows", [[], [choice("ab", (0, 0))]])
def test_no_verdict_at_all_is_said(rows: list[ChoiceRow]) -> None:
    with pytest.raises(NotIdentifiedError, match="no win and no tie"):
        check(rows, "ab")


def test_many_data_sets_are_checked_at_once() -> None:
    members = np.ones((1, 2), np.bool_)

    assert identified(np.array([[[1.0, 1.0]], [[1.0, 0.0]], [[0.0, 0.0]]]), members).tolist() == [True, False, False]


def test_long_chains_are_followed_to_their_end() -> None:
    names = [f"c{number:02}" for number in range(40)]
    ring = [choice(pair, (1, 0)) for pair in zip(names, [*names[1:], names[0]], strict=True)]

    check(ring)
    with pytest.raises(NotIdentifiedError):
        check(ring[:-1])
