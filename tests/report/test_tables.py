"""What the tables say of a judge card and a ranking."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from practicum.arena.results import TurnShare
from practicum.report import Table, agreement_table, card_table, elo_note, shown, standings_table, tables_of
from practicum.report.ranking_tables import course_table, fits_table, matrix_table, pages_of, turns_table
from tests.report.makers import CHINESE, agreement, card, person, ranking, rater, standing, without_intervals


def cells(table: Table, row: int = 0) -> dict[str, str]:
    """One row as a reader sees it, by heading."""
    return dict(zip(table.header, map(shown, table.rows[row]), strict=True))


def test_the_card_has_a_row_for_each_rater() -> None:
    made = card_table(card(rater(own_family=("a", "b")), person()))
    assert cells(made) == {
        "rater": "judge",
        "model": "deepseek:deepseek-chat",
        "verdict": "with care",
        "choices": "1,200",
        "unscored": "12",
        "ballots": "3,600",
        "invalid": "36 of 3,600 (1.0 %)",
        "canaries missed": "1 of 60 (1.7 %)",
        "own family": "a, b",
        "order consistency": "930 of 1,150 (80.9 %)",
        "slot shares": "33.9 % of 3,300, 33.3 % of 3,300, 32.7 % of 3,300",
        "slot p": "0.690",
        "repeats stable": "45 of 50 (90.0 %)",
        "longest wins": "41.2 %",
        "by chance": "33.3 %",
        "length effect": "0.25",
        "length interval": "[0.11, 0.39]",
    }
    unknown = cells(made, 1)
    assert unknown["verdict"] == "untested"
    assert {unknown[name] for name in ("model", "slot shares", "slot p", "longest wins", "length effect", "length interval")} == {"–"}


def test_agreement_is_told_with_its_n_and_interval() -> None:
    made = agreement_table(agreement())
    assert made.title == "Agreement of 2 raters: judge, 李老师"
    assert cells(made) == {"measure": "alpha (Krippendorff, nominal)", "value": "0.41", "interval": "[0.30, 0.52]", "n": "180"}
    assert cells(made, 1)["measure"] == "kappa (Cohen)"
    assert "mean over pairs" in cells(agreement_table(agreement(raters=("a", "b", "c"))), 1)["measure"]


def test_agreement_that_is_not_defined_is_a_dash_and_a_note() -> None:
    made = agreement_table(agreement(items=0, alpha=None, alpha_interval=None, kappa=None, kappa_interval=None, raw=None))
    assert cells(made)["value"] == "–"
    assert len(made.notes) == 1


def test_a_standing_has_all_that_is_known() -> None:
    assert cells(standings_table(ranking(CHINESE)), 1) == {
        "rank": "2 to 3",
        "counselor": "以人为中心",
        "rating": "1,010",
        "interval": "[992, 1,028]",
        "bootstrap": "[992, 1,029]",
        "controlled": "1,022",
        "controlled interval": "[1,000, 1,044]",
        "Elo": "1,015",
        "Elo sd": "21",
        "Elo range": "[955, 1,081]",
        "sessions": "100",
        "offered": "1,100",
        "selections": "310",
        "average": "3.10",
        "share": "34.0 %",
        "share interval": "[31.0, 37.0] %",
        "none": "4.3 %",
        "failed": "3",
    }


def test_the_title_says_what_was_counted_and_what_1000_is() -> None:
    assert standings_table(ranking(anchor="baseline")).title == (
        "Standings: 1,200 choices (1,000 wins, 100 ties, 50 none acceptable, 50 unscored) in 100 sessions; 1000 = baseline; 100 profiles"
    )


@pytest.mark.parametrize(("cluster", "what"), [("profile", "profiles"), ("session", "sessions"), ("choice", "choices")])
def test_too_few_clusters_stand_in_the_place_of_every_interval(cluster: Any, what: str) -> None:
    made = standings_table(without_intervals(ranking(cluster=cluster), 6))
    row = cells(made)
    assert row["rank"] == "–"
    for name in ("interval", "bootstrap", "controlled interval", "share interval"):
        assert row[name] == f"too few {what} for an interval (n = 6)"


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        ("profile", "too few profiles for an interval (n < 10)"),
        ("session", "too few sessions for an interval (n = 7)"),
        ("choice", "too few choices for an interval (n = 9)"),
    ],
)
def test_a_counselor_that_few_have_met_has_no_interval_among_others_that_have(cluster: Any, told: str) -> None:
    lonely = standing("lonely", 1, sessions=7, offered=9, interval=None, share_interval=None)
    row = cells(standings_table(ranking(cluster=cluster, standings=(standing("a", 0), lonely))), 1)
    assert row["interval"] == row["share interval"] == told


def test_without_texts_there_is_no_controlled_rating() -> None:
    row = cells(standings_table(ranking(standings=(standing("a", 0, controlled=None, controlled_interval=None),))))
    assert row["controlled"] == row["controlled interval"] == "–"


def test_one_line_says_why_a_sequential_elo_means_little() -> None:
    assert elo_note(ranking()).text == (
        "A single sequential Elo means little: it depends on the order of the same choices. Over 1,000 random orders of n = 1,100 "
        "(K = 4, scale 400, start 1000) that of integrative runs from 1,035 to 1,161."
    )


def test_the_matrix_is_numbered_in_the_order_of_the_standings() -> None:
    made = matrix_table(ranking())
    assert made.header == ("#", "counselor", "1", "2", "3")
    assert [shown(cell) for cell in made.rows[1]] == ["2", "person-centred", "42.0 %", "–", "58.0 %"]


def test_a_fit_shows_what_was_observed_beside_what_was_expected() -> None:
    row = cells(fits_table(ranking(("甲", "b"))))
    assert row["candidates"] == "甲 / b"
    assert row["observed"] == "50.0 % / 50.0 %"
    assert (row["n"], row["p"], row["Holm p"]) == ("1,100", "0.550", "0.550")


def test_shares_by_exchange_follow_the_standings() -> None:
    by_turn = tuple(TurnShare(counselor=name, exchange=exchange, offered=9, share=0.5) for exchange in (2, 1) for name in ("b", "a"))
    made = turns_table(ranking(("b", "a"), by_turn=by_turn))
    assert [row[:2] for row in made.rows] == [("b", 1), ("b", 2), ("a", 1), ("a", 2)]
    assert made.notes[0].text == "Judged turns per session: mean 12.0, median 12.0, min 8.0, max 15.0 (n = 100 sessions)."
    assert turns_table(ranking(judged_per_session={})).notes == ()


def test_the_card_comes_first_and_empty_tables_are_left_out() -> None:
    names = [table.name for table in tables_of(ranking(), card(agreement=agreement()))]
    assert names == ["judge_card", "agreement", "standings", "win_matrix", "slot_effects", "style_effects", "fit", "share_by_exchange"]
    bare = replace(ranking(), slots=(), style=(), fits=(), by_turn=())
    assert [table.name for table in tables_of(bare, card())] == ["judge_card", "standings", "win_matrix"]


def test_effects_without_an_interval_say_why() -> None:
    made = ranking()
    slots = tuple(replace(effect, interval=None) for effect in made.slots)
    tables = {table.name: table for table in tables_of(replace(made, slots=slots, clusters=6), card())}
    assert cells(tables["slot_effects"])["interval"] == "too few profiles for an interval (n = 6)"
    tables = {table.name: table for table in tables_of(replace(made, slots=slots), card())}
    assert cells(tables["slot_effects"])["interval"] == "–"


def test_wide_tables_are_cut_in_two_pages_with_the_notes_under_the_last() -> None:
    pages = list(pages_of(tables_of(ranking(), card())))
    assert [page.name for page in pages[:4]] == ["judge_card", "judge_card_2", "standings", "standings_2"]
    assert pages[3].title == "Standings, continued"
    assert (len(pages[2].notes), len(pages[3].notes)) == (0, 3)


def test_the_course_of_a_session_has_three_parts_each_weighted_by_what_was_offered() -> None:
    shares = {1: (10, 0.2), 2: (30, 0.6), 3: (10, 0.5), 4: (10, 0.1), 5: (10, 1.0)}
    by_turn = tuple(TurnShare(counselor="a", exchange=exchange, offered=n, share=share) for exchange, (n, share) in shares.items())
    made = course_table(ranking(("a", "b"), by_turn=by_turn))
    assert made.header == ("counselor", "1 to 2", "3 to 4", "5")
    assert [[shown(cell) for cell in row] for row in made.rows] == [["a", "50.0 %", "30.0 %", "100.0 %"], ["b", "–", "–", "–"]]


def test_a_single_exchange_has_no_course() -> None:
    assert course_table(ranking(("a", "b"), by_turn=(TurnShare(counselor="a", exchange=1, offered=2, share=0.5),))).rows == ()
    assert course_table(ranking(("a", "b"), by_turn=())).rows == ()
