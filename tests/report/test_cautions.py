"""Warnings: who must not be believed, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from practicum.arena.results import SetFit, SlotShare
from practicum.report import Trust, card_notes, ranking_notes, rater_notes, trust_in
from practicum.report.cautions import agreement_note, holm, poor_fits
from tests.report.makers import agreement, card, person, ranking, rater, standing, without_intervals


def test_a_sound_rater_has_no_warning() -> None:
    assert rater_notes(rater()) == ()
    assert trust_in(rater()) is Trust.SOUND


def test_a_person_without_ballots_is_untested_not_sound() -> None:
    assert trust_in(person()) is Trust.UNTESTED


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"own_family": ("deepseek-r1", "深度")}, "judges its own family: deepseek-r1, 深度"),
        ({"invalid": 181}, "often gave no readable verdict: 181 of 3,600 (5.0 %) of its ballots"),
        ({"consistent": 689}, "the same verdict in 689 of 1,150 (59.9 %)"),
        (
            {
                "slot_p": 0.0002,
                "slot_shares": (SlotShare(slot=1, picks=30, shown=100, share=0.3), SlotShare(slot=2, picks=70, shown=100, share=0.7)),
            },
            "favours a slot: slot 2 was picked 70 of 100 (70.0 %), p < 0.001 if all slots were equal",
        ),
    ],
)
def test_a_fault_is_a_warning_with_its_n(changes: dict[str, Any], told: str) -> None:
    (note,) = rater_notes(rater(**changes))
    assert told in note.text
    assert not note.severe
    assert trust_in(rater(**changes)) is Trust.CARE


@pytest.mark.parametrize("changes", [{"invalid": 180}, {"consistent": 690}, {"slot_p": 0.01}, {"missed": 3}])
def test_at_the_threshold_there_is_no_warning_yet(changes: dict[str, Any]) -> None:
    assert rater_notes(rater(**changes)) == ()


def test_missing_more_than_one_canary_in_twenty_is_severe() -> None:
    (note,) = rater_notes(rater(missed=4, missed_kinds={"copy": 1, "unsafe": 3}))
    assert note.severe
    assert "4 of 60 (6.7 %), copy 1, unsafe 3" in note.text
    assert trust_in(rater(missed=4)) is Trust.UNSOUND


def test_a_rater_without_any_readable_verdict_is_unsound() -> None:
    assert trust_in(rater(unscored=1200)) is Trust.UNSOUND


def test_severe_warnings_come_first() -> None:
    notes = card_notes(card(rater("a", own_family=("x",)), rater("b", missed=30)))
    assert [note.severe for note in notes] == [True, False]


def fit(p: float, choices: int = 100) -> SetFit:
    return SetFit(offered=("甲", "b"), choices=choices, observed=(0.6, 0.4), expected=(0.5, 0.5), chi2=4.0, df=1, p=p)


def test_holm_corrects_as_in_the_textbook() -> None:
    # Holm (1979): the smallest times m, the next times m - 1 …, never falling
    assert holm((0.01, 0.04, 0.03, 0.005)) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm(()) == ()
    assert holm((0.9, 0.8)) == (1.0, 1.0)


def test_one_poor_fit_among_many_is_judged_after_correction() -> None:
    assert poor_fits([fit(0.009)]) == (fit(0.009),)
    assert poor_fits([fit(0.009), fit(0.5)]) == ()


def test_a_poor_fit_is_told_with_the_worst_set() -> None:
    (note,) = ranking_notes(ranking(fits=(fit(0.00001, 444), fit(0.5))))
    assert "1 of 2 (50.0 %) sets of candidates; worst: 甲 / b (n = 444, p < 0.001)" in note.text


def test_a_fault_free_ranking_has_no_warning() -> None:
    assert ranking_notes(ranking()) == ()


@pytest.mark.parametrize(("cluster", "what"), [("profile", "profiles"), ("session", "sessions"), ("choice", "choices")])
def test_too_few_clusters_are_told_by_their_name(cluster: Any, what: str) -> None:
    (note,) = ranking_notes(without_intervals(ranking(cluster=cluster), 6))
    assert note.severe
    assert note.text.startswith(f"too few {what} for an interval (n = 6); 10 are the least.")


def test_ties_alone_are_severe() -> None:
    (note,) = ranking_notes(ranking(wins=0, ties=1100))
    assert note.severe
    assert "all 1,100 scored ones are ties" in note.text


def test_lots_unscored_choices_and_lost_replies_are_told() -> None:
    made = ranking(unscored=61, drawn=17, standings=(standing("a", 0), standing("哑", 1, offered=900, failed=100)))
    told = [note.text for note in ranking_notes(made)]
    assert told[0].startswith("what went on was drawn by lot at 17 turns")
    assert told[1].startswith("61 of 1,200 (5.1 %) choices are unscored")
    assert told[2].startswith("哑 gave no reply 100 of 1,000 (10.0 %) times")
    assert len(told) == 3


def test_raters_without_a_common_choice_cannot_agree() -> None:
    assert agreement_note(agreement()) is None
    note = agreement_note(replace(agreement(), items=0, alpha=None))
    assert note is not None
    assert "their agreement is not known" in note.text
