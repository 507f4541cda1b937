from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from practicum.arena.covariates import control_style, effects, fit_covariates, scaled, slot_effects
from practicum.arena.log import BallotRow, ChoiceRow
from practicum.arena.rating import rate
from practicum.arena.table import ChoiceTable, Floats
from practicum.core import Outcome
from practicum.errors import ConfigError
from practicum.measures import STYLE_FEATURES
from tests.arena.choices import NAMES, World, as_rows, choice, logits, simulate

EQUAL = World(strengths=(0.0,) * 5, turns=6)


def with_lengths(rng: np.random.Generator, clients: int, effect: float, wordy: int | None = 0) -> list[ChoiceRow]:
    """Replies of many lengths, one counselor's four times as long; a choice goes by log length times the effect."""
    rows = []
    for row in as_rows(simulate(rng, clients, EQUAL)):
        sizes = [int(np.exp(rng.normal(4 if wordy is not None and name == NAMES[wordy] else 2.6, 0.5))) + 1 for name in row.offered]
        heard = effect * np.log([size + 1 for size in sizes]) + rng.gumbel(size=len(sizes))
        shares = tuple((heard == heard.max()).astype(float).tolist())
        rows.append(replace(row, shares=shares, texts=tuple("好" * size for size in sizes)))
    return rows


def test_a_planted_effect_of_length_is_found_and_the_ranking_is_flat_after_control() -> None:
    rows = with_lengths(np.random.default_rng(1), 30, effect=0.8)

    found = control_style(rows, NAMES, cluster="profile")

    assert found is not None
    (length,) = found.effects  # texts of one sentence differ in nothing else
    assert length.name == "log_length"
    sizes = np.log([[len(text) + 1 for text in row.texts] for row in rows])
    deviation = (sizes - sizes.mean(axis=1, keepdims=True)).std()
    assert length.interval is not None
    assert length.interval.low <= 0.8 * deviation <= length.interval.high
    raw = rate(ChoiceTable.of(rows), bootstraps=0)
    assert np.ptp(raw.ratings) > 150
    assert raw.intervals[0] is not None
    assert raw.intervals[0].low > 1000
    for interval, rating in zip(found.intervals, found.ratings, strict=True):
        assert interval is not None
        assert interval.low < 1000 < interval.high
        assert rating == pytest.approx(1000, abs=40)


def test_control_without_effect_changes_next_to_nothing() -> None:
    rows = with_lengths(np.random.default_rng(2), 30, effect=0.0, wordy=None)

    found = control_style(rows, NAMES, cluster="profile")

    assert found is not None
    assert found.effects[0].logits == pytest.approx(0, abs=0.1)
    assert found.ratings == pytest.approx(rate(ChoiceTable.of(rows), bootstraps=0).ratings, abs=3)


def test_a_judge_who_always_takes_the_longest_has_a_large_effect_without_interval() -> None:
    rows = []
    for row in with_lengths(np.random.default_rng(3), 12, effect=0.0, wordy=None):
        longest = max(range(3), key=lambda place: (len(row.texts[place]), place))
        texts = tuple(text + "好" * (place == longest) for place, text in enumerate(row.texts))
        rows.append(replace(row, texts=texts, shares=tuple(float(place == longest) for place in range(3))))

    found = control_style(rows, NAMES, cluster="profile")

    assert found is not None
    assert found.effects[0].logits > 10
    assert found.effects[0].interval is None
    assert found.ratings == pytest.approx([1000] * 5, abs=400)
    assert found.intervals == (None,) * 5


def test_a_rare_feature_that_never_wins_leaves_the_other_intervals_alone() -> None:
    rows = with_lengths(np.random.default_rng(6), 12, effect=0.3, wordy=None)
    for place in range(0, 60, 20):
        lost = rows[place].shares.index(0)
        texts = tuple(f"1. {text}\n2. 好" if slot == lost else text for slot, text in enumerate(rows[place].texts))
        rows[place] = replace(rows[place], texts=texts)

    found = control_style(rows, NAMES, cluster="profile", features=("log_length", "list_marks"))

    assert found is not None
    assert [effect.interval is None for effect in found.effects] == [False, True]
    assert found.effects[1].logits < 0
    assert None not in found.intervals


def test_the_order_of_the_log_does_not_matter_to_the_last_digit() -> None:
    rows = with_lengths(np.random.default_rng(4), 5, effect=0.5)
    mixed = [rows[place] for place in np.random.default_rng(1).permutation(len(rows))]

    assert control_style(rows, NAMES, cluster="session") == control_style(mixed, NAMES, cluster="session")
    assert slot_effects(rows, "session") == slot_effects(mixed, "session")


def test_the_anchor_stays_at_a_thousand() -> None:
    rows = with_lengths(np.random.default_rng(5), 12, effect=0.5)

    found = control_style(rows, NAMES, cluster="profile", anchor=NAMES[2])

    assert found is not None
    assert found.ratings[2] == 1000
    with pytest.raises(ConfigError, match="'x'"):
        control_style(rows, NAMES, cluster="profile", anchor="x")


def test_single_features_can_be_asked_for() -> None:
    texts = [("好吗？好。", "好好好好好好好。"), ("好。", "好吗？好吗？"), ("好。", "好好好。好。")]
    rows = [
        replace(choice("ab", (float(number % 2), float(1 - number % 2)), session=str(number)), texts=texts[number % 3])
        for number in range(60)
    ]

    found = control_style(rows, "ab", cluster="session", features=("questions", "log_length"))

    assert found is not None
    assert [effect.name for effect in found.effects] == ["questions", "log_length"]
    english = [replace(row, language="en") for row in rows]
    every = control_style(english, "ab", cluster="session")
    assert every is not None
    assert [effect.name for effect in every.effects] == ["log_length", "questions", "sentences"]
    assert set(STYLE_FEATURES) >= {effect.name for effect in every.effects}


@pytest.mark.parametrize(
    "texts",
    [
        [(), ()],  # not known
        [("好。", "行。")] * 2,  # all alike
    ],
)
def test_without_texts_or_variation_nothing_is_controlled(texts: Sequence[tuple[str, ...]]) -> None:
    rows = [replace(choice("ab", shares), texts=said) for shares, said in zip(((1, 0), (0, 1)), texts, strict=True)]

    assert control_style(rows, "ab", cluster="session") is None


def test_texts_that_leave_a_counselor_out_control_nothing() -> None:
    rows = [replace(choice("ab", (0.5, 0.5)), texts=("好。", "好好。")), choice("bc", (0.5, 0.5))]

    assert control_style(rows, "abc", cluster="session") is None


def test_texts_of_choices_that_do_not_determine_strengths_tell_of_style_alone() -> None:
    rows = [replace(choice("ab", (1, 0), turn=2 * n + 1), texts=("好" * (n % 5 + 1), "好" * (n % 3 + 1))) for n in range(30)]

    found = control_style([*rows, choice("ab", (0, 1))], "ab", cluster="choice")

    assert found is not None
    assert (found.ratings, found.intervals) == ((None, None), (None, None))
    assert found.effects[0].name == "log_length"


def test_features_are_centred_in_the_choice_and_scaled_over_all() -> None:
    table = ChoiceTable.of(
        [choice("ab", (1, 0), session="s"), choice("abc", (1, 0, 0), session="t")],
        features=lambda row: [[len(row.offered) * 100 + place * 3, 7.7] for place in range(len(row.offered))],
    )

    found, varies = scaled(table)

    assert varies.tolist() == [True, False]
    assert found.features is not None
    values = found.features[..., 0]
    assert values[0, 2] == 0
    assert values.sum(axis=1) == pytest.approx([0, 0])
    assert (values**2).sum() / 5 == pytest.approx(1)
    assert values[0, 1] - values[0, 0] == pytest.approx(values[1, 2] - values[1, 1])


def by_slot(rng: np.random.Generator, clients: int, bonus: Floats) -> list[ChoiceRow]:
    """Shown in random order; each slot has its bonus."""
    rows = []
    for row in as_rows(simulate(rng, clients, World(strengths=(0.6, 0.3, 0.0, -0.3, -0.6), turns=6))):
        shown = tuple(row.offered[place] for place in rng.permutation(3))
        liking = np.array([0.6 - 0.3 * NAMES.index(name) for name in shown])
        picked = int((liking + bonus + rng.gumbel(size=3)).argmax())
        rows.append(replace(row, ballots=(BallotRow(shown=shown, outcome=Outcome.WIN, picked=picked),)))
    return rows


def test_a_planted_preference_for_a_slot_is_found() -> None:
    found = slot_effects(by_slot(np.random.default_rng(1), 60, np.array([0.0, -0.4, -0.7])), "profile")

    assert [effect.name for effect in found] == ["slot 2", "slot 3"]
    for effect, truth in zip(found, (-0.4, -0.7), strict=True):
        assert effect.interval is not None
        assert effect.interval.low < truth < effect.interval.high
        assert effect.interval.high - effect.interval.low < 0.4


def test_only_first_askings_that_ended_in_a_win_tell_of_slots() -> None:
    ballots = (
        BallotRow(shown=("a", "b"), outcome=Outcome.WIN, picked=0),
        BallotRow(shown=("b", "a"), outcome=Outcome.WIN, picked=1, order=1),
        BallotRow(shown=("b", "a"), outcome=Outcome.WIN, picked=1, order=1, repeat=1),
        BallotRow(shown=("a", "b", "c"), outcome=Outcome.TIE),
    )

    (effect,) = slot_effects([replace(choice("ab", (1, 0)), ballots=ballots)], "choice")

    assert (effect.name, effect.interval) == ("slot 2", None)
    assert effect.logits == pytest.approx(0, abs=1e-6)


def test_a_judge_who_always_takes_the_first_has_finite_slots() -> None:
    found = slot_effects(by_slot(np.random.default_rng(1), 12, np.array([0.0, -100.0, -100.0])), "profile")

    for effect in found:
        assert -15 < effect.logits < -5
        assert effect.interval is None


def test_without_ballots_there_are_no_slots() -> None:
    assert slot_effects([choice("ab", (1, 0))], "profile") == ()


def test_without_features_the_fit_is_luces_and_so_is_its_interval() -> None:
    table = simulate(np.random.default_rng(1), 20, World(session_sd=0.5))
    other = rate(table, bootstraps=0)

    fit = fit_covariates(table, "profile")

    assert fit.coefficients == pytest.approx(other.strengths, abs=1e-3)
    assert effects(fit, ()) == ()
    spread = fit.spread[0, 0] + fit.spread[1, 1] - 2 * fit.spread[0, 1]
    anchored = rate(table, bootstraps=0, anchor="b")
    assert np.sqrt(spread) * 400 / np.log(10) == pytest.approx(anchored.se[0], rel=0.001)
    assert logits(fit.coefficients.tolist()) == pytest.approx(fit.coefficients, abs=1e-9)


def test_a_fit_that_is_cut_short_is_not_there_yet() -> None:
    table = simulate(np.random.default_rng(1), 20)

    assert fit_covariates(table, "profile", steps=2).coefficients != pytest.approx(fit_covariates(table, "profile").coefficients, abs=1e-6)
