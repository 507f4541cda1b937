from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from practicum.arena.counting import average, count_shares, drawn_turns, judged_per_session, shares_by_turn, tally, win_matrix
from practicum.arena.log import ChoiceLog, ChoiceRow
from practicum.arena.table import ChoiceTable, count_choices
from practicum.core import Outcome
from practicum.errors import ConfigError
from tests.arena.choices import choice

ROWS = [
    choice("abc", (1, 0, 0), session="s", turn=1),
    choice("abc", (0.5, 0.5, 0), session="s", turn=3),
    choice("abc", (0, 0, 0), session="s", turn=5),
    replace(choice("ab", (0, 0), session="t", turn=1), outcome=Outcome.UNSCORED, failed=("c",), drawn=True),
    replace(choice("ba", (0.7, 0.3), session="t", turn=3), outcome=Outcome.WIN, drawn=True),
    replace(choice("ba", (0, 1), session="t", turn=3, rater="other"), drawn=True),
]


@pytest.mark.parametrize(
    ("selections", "sessions", "published"), [(560, 300, 1.87), (253, 300, 0.84), (427, 300, 1.42), (722, 300, 2.41), (5185, 600, 8.64)]
)
def test_averages_are_those_of_the_paper(selections: int, sessions: int, published: float) -> None:
    assert round(average(selections, sessions), 2) == published


def test_selections_come_from_wins_alone() -> None:
    found = tally(ROWS)

    assert found.selections == {"a": 2, "b": 1}


def test_a_session_counts_once_even_where_nothing_was_scored() -> None:
    assert tally(ROWS).sessions == {"a": 2, "b": 2, "c": 1}
    assert tally(ROWS[3:4]).sessions == {"a": 1, "b": 1}


def test_unscored_rows_are_neither_for_nor_against() -> None:
    found = tally(ROWS)

    assert found.judged == {"a": 5, "b": 5, "c": 3}
    assert found.nones == {"a": 1, "b": 1, "c": 1}
    assert found.failed == {"c": 1}


def test_a_turn_is_judged_once_whoever_many_judge_it() -> None:
    assert judged_per_session(ROWS) == {"mean": 2, "median": 2, "min": 1, "max": 3}
    assert judged_per_session(ROWS[3:4])["max"] == 0


def test_drawn_turns_count_once() -> None:
    assert drawn_turns(ROWS) == 2


def test_points_and_offers_are_of_scored_choices() -> None:
    found = count_shares(count_choices(ChoiceTable.of(ROWS), "session"))

    assert found.offered == (4, 4, 2)
    assert found.points == pytest.approx((2.8, 1.2, 0))
    assert found.intervals == (None, None, None)


def test_the_matrix_shares_out_what_two_got_where_both_were() -> None:
    rows = [choice("abc", (1, 0, 0)), choice("abc", (0, 0, 1)), choice("ab", (0, 1)), choice("cd", (0.5, 0.5)), choice("cde", (1, 0, 0))]

    found = win_matrix(count_choices(ChoiceTable.of(rows), "session"))

    nan = np.nan
    assert found == pytest.approx(
        np.array(
            [
                [nan, 0.5, 0.5, nan, nan],
                [0.5, nan, 0, nan, nan],
                [0.5, 1, nan, 0.75, 1],
                [nan, nan, 0.25, nan, nan],
                [nan, nan, 0, nan, nan],
            ]
        ),
        nan_ok=True,
    )


def test_shares_by_exchange_leave_whole_sessions_out() -> None:
    found = shares_by_turn([*ROWS, choice("ab", (1, 0), turn=-1)], "bac")

    assert [(one.counselor, one.exchange, one.offered, one.share) for one in found] == [
        ("b", 1, 1, 0),
        ("b", 2, 3, pytest.approx(0.4)),
        ("a", 1, 1, 1),
        ("a", 2, 3, pytest.approx(0.6)),
        ("c", 1, 1, 0),
        ("c", 2, 1, 0),
    ]


def test_a_session_counts_once_for_each_rater_in_the_average_and_once_for_all_in_failures() -> None:
    def row(rater: str) -> ChoiceRow:
        offered = ("a", "b")
        return ChoiceRow(
            session="s", turn=1, profile="p", rater=rater, offered=offered, outcome=Outcome.WIN, shares=(1.0, 0.0), failed=("c",)
        )

    counted = tally([row("one"), row("two")])
    assert (counted.sessions["a"], counted.readings["a"], counted.selections["a"], counted.failed["c"]) == (1, 2, 2, 1)


def test_a_counselor_is_left_out_with_the_choices_that_it_was_in() -> None:
    def row(offered: tuple[str, ...], failed: tuple[str, ...] = ()) -> ChoiceRow:
        shares = (1.0, *(0.0 for _ in offered[1:]))
        return ChoiceRow(session="s", turn=1, profile="p", rater="r", offered=offered, outcome=Outcome.WIN, shares=shares, failed=failed)

    log = ChoiceLog(rows=[row(("a", "b")), row(("a", "b", "c")), row(("b", "a"), failed=("c",))])
    left = log.without(["c"])
    assert [(one.offered, one.failed) for one in left.rows] == [(("a", "b"), ()), (("b", "a"), ())]
    with pytest.raises(ConfigError, match="without: d: no such counselor; expected a, b, c"):
        log.without(["d"])
