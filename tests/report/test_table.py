"""Cells, tables, and names that must stay apart when they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.arena.results import Interval
from practicum.report import Cell, Number, P, Ratio, Span, Table, shorten, shown, to_the_right
from practicum.report.names import columns_of


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, "–"),
        (12345, "12,345"),
        ("文字", "文字"),
        (Number(1234.6), "1,235"),
        (Number(-0.0004, 2), "0.00"),
        (Number(-0.3, 2), "-0.30"),
        (Number(0.4125, 1, percent=True), "41.2 %"),
        (P(0.0004), "< 0.001"),
        (P(0.012), "0.012"),
        (Ratio(812, 1200), "812 of 1,200 (67.7 %)"),
        (Ratio(0, 0), "0 of 0"),
        (Span(Interval(960.4, 1040.2)), "[960, 1,040]"),
        (Span(Interval(0.39, 0.45), 1, percent=True), "[39.0, 45.0] %"),
        (Span(None, why="too few profiles for an interval (n = 6)"), "too few profiles for an interval (n = 6)"),
        (Span(None), "–"),
    ],
)
def test_a_cell_is_shown_rounded_and_with_its_n(cell: Cell, expected: str) -> None:
    assert shown(cell) == expected


def test_a_p_is_told_as_a_comparison() -> None:
    assert P(0.0001).told == "p < 0.001"
    assert P(0.25).told == "p = 0.250"


def test_columns_are_picked_by_name_in_the_order_asked_for() -> None:
    table = Table("t", "T", ("a", "b", "c"), ((1, 2, 3), (4, 5, 6)))
    assert table.only("c", "a").rows == ((3, 1), (6, 4))
    assert table.only("c", "a").header == ("c", "a")


def test_numbers_are_set_to_the_right_even_where_some_are_missing() -> None:
    assert to_the_right([("x", 1, None, None), ("y", None, Number(1.0), None)]) == [False, True, True, False]


def test_short_names_stay_as_they_are() -> None:
    assert shorten(["baseline", "整合咨询师"], 20) == ["baseline", "整合咨询师"]


def test_a_long_name_loses_its_middle() -> None:
    assert shorten(["openai:gpt-4.1-mini-2025-04-14"], 15) == ["openai:…5-04-14"]
    assert shorten(["整合取向的心理咨询师第三版"], 12) == ["整合…第三版"]


def test_names_that_differ_only_in_their_middle_get_their_place() -> None:
    assert shorten(["aaaaaaaaaa-1-bbbbbbbbbb", "aaaaaaaaaa-2-bbbbbbbbbb"], 12) == ["aaaa…bbbb #1", "aaaa…bbbb #2"]


def test_a_line_break_in_a_name_becomes_a_blank() -> None:
    assert shorten(["a\nb"], 10) == ["a b"]


@given(st.lists(st.text("ab心理-", min_size=1, max_size=40), min_size=1, max_size=9, unique=True), st.integers(8, 40))
def test_shortened_names_fit_and_differ(names: list[str], width: int) -> None:
    short = shorten(names, width)
    assert all(columns_of(one) <= width for one in short)
    assert len(set(short)) == len(names)
