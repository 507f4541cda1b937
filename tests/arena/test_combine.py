from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from practicum.arena.combine import NONE_ACCEPTABLE, GoOn, by_majority, by_probability, decide, tie, unscored, win
from practicum.core import Outcome, Verdict
from tests.arena.stage import verdict

NAMES = ("a", "b", "c")
VERDICTS = st.lists(
    st.one_of(
        st.sampled_from(NAMES).map(win),
        st.just(tie(NAMES)),
        st.just(NONE_ACCEPTABLE),
        st.just(unscored("no last line")),
    ),
    max_size=6,
)


def relabel(one: Verdict, names: Mapping[str, str]) -> Verdict:
    return replace(
        one,
        winners=tuple(sorted(names[name] for name in one.winners)),
        shares={names[name]: part for name, part in one.shares.items()},
    )


def plain(one: Verdict) -> tuple[Outcome, set[str], dict[str, float]]:
    return one.outcome, set(one.winners), dict(one.shares)


# ── several orders of one rater ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("verdicts", "found"),
    [
        ([win("a"), win("a"), win("b")], win("a")),
        ([win("a")], win("a")),
        ([win("a"), win("b"), win("c")], tie(NAMES)),
        ([win("a"), win("b")], tie("ab")),
        ([win("a"), win("a"), win("b"), win("b")], tie("ab")),
        ([tie(NAMES), tie(NAMES), win("a")], tie(NAMES)),
        ([tie(NAMES), win("a")], tie(NAMES)),
        ([NONE_ACCEPTABLE, NONE_ACCEPTABLE, win("a")], NONE_ACCEPTABLE),
        ([NONE_ACCEPTABLE, win("a"), win("b")], tie("ab")),
        ([NONE_ACCEPTABLE, win("a")], tie(NAMES)),
        ([NONE_ACCEPTABLE, NONE_ACCEPTABLE, win("a"), win("a")], tie(NAMES)),
        ([unscored("x"), unscored("x"), win("b")], win("b")),
        ([unscored("x"), win("a"), win("b")], tie("ab")),
        ([unscored("first"), unscored("second")], unscored("first")),
        ([], unscored("nobody was asked")),
    ],
)
def test_more_than_half_decide_and_else_all_who_were_named_tie(verdicts: Sequence[Verdict], found: Verdict) -> None:
    assert by_majority(verdicts, NAMES) == found


@given(st.data(), VERDICTS)
def test_the_order_of_askings_does_not_matter(data: st.DataObject, verdicts: list[Verdict]) -> None:
    again = data.draw(st.permutations(verdicts))
    assert by_majority(again, NAMES) == by_majority(verdicts, NAMES)


@given(st.permutations(NAMES), VERDICTS)
def test_no_candidate_has_an_advantage_by_its_name(names: list[str], verdicts: list[Verdict]) -> None:
    renamed = dict(zip(NAMES, names, strict=True))
    assert plain(by_majority([relabel(one, renamed) for one in verdicts], NAMES)) == plain(relabel(by_majority(verdicts, NAMES), renamed))


@given(VERDICTS, st.integers(1, 4))
def test_what_could_not_be_read_counts_for_nothing(verdicts: list[Verdict], more: int) -> None:
    readable = [one for one in verdicts if one.outcome is not Outcome.UNSCORED]
    found = by_majority([*verdicts, *[unscored("no last line")] * more], NAMES)
    assert found == (by_majority(readable, NAMES) if readable else unscored("no last line"))


@given(VERDICTS)
def test_shares_sum_to_one_for_a_win_or_a_tie_and_are_absent_else(verdicts: list[Verdict]) -> None:
    found = by_majority(verdicts, NAMES)
    assert sum(found.shares.values()) == pytest.approx(float(found.outcome in (Outcome.WIN, Outcome.TIE)))
    assert set(found.shares) == set(found.winners)
    assert len(found.winners) >= {Outcome.WIN: 1, Outcome.TIE: 2}.get(found.outcome, 0)


# ── probabilities ────────────────────────────────────────────────────────────────────────────────────────────────────

ODDS = (
    st.lists(st.integers(0, 100), min_size=5, max_size=5)
    .filter(sum)
    .map(lambda parts: {name: part / sum(parts) for name, part in zip((*NAMES, "tie", "none"), parts, strict=True)})
)


def odds(**parts: float) -> dict[str, float]:
    return {**dict.fromkeys((*NAMES, "tie", "none"), 0.0), **parts}


def test_probabilities_are_averaged_and_a_tie_is_split_evenly() -> None:
    found = by_probability([odds(a=0.7, b=0.3), odds(a=0.1, b=0.2, c=0.1, tie=0.6)], NAMES)
    assert (found.outcome, found.winners) == (Outcome.WIN, ("a",))
    assert found.shares == pytest.approx({"a": 0.5, "b": 0.35, "c": 0.15})


def test_shares_leave_none_aside_unless_it_is_more_probable_than_all_else() -> None:
    assert by_probability([odds(a=0.3, b=0.2, none=0.5)], NAMES).shares == pytest.approx({"a": 0.6, "b": 0.4, "c": 0.0})
    assert by_probability([odds(a=0.4, none=0.6)], NAMES) == NONE_ACCEPTABLE


def test_equal_probabilities_are_a_tie() -> None:
    found = by_probability([odds(a=0.7, b=0.3), odds(a=0.3, b=0.7)], NAMES)
    assert (found.outcome, found.winners) == (Outcome.TIE, ("a", "b"))
    assert by_probability([odds(tie=1.0)], NAMES).winners == NAMES


def test_without_odds_it_is_unscored() -> None:
    assert by_probability([], NAMES) == unscored("no order gave probabilities")


@given(st.data(), st.lists(ODDS, min_size=1, max_size=4), st.permutations(NAMES))
def test_probabilities_know_neither_order_nor_name(data: st.DataObject, given_odds: list[dict[str, float]], names: list[str]) -> None:
    renamed = {**dict(zip(NAMES, names, strict=True)), "tie": "tie", "none": "none"}
    again = data.draw(st.permutations([{renamed[name]: part for name, part in one.items()} for one in given_odds]))
    found, other = by_probability(given_odds, NAMES), by_probability(again, names)
    assert (found.outcome, {renamed[name] for name in found.winners}) == (other.outcome, set(other.winners))
    assert {renamed[name]: part for name, part in found.shares.items()} == pytest.approx(dict(other.shares))


# ── whose reply goes on ──────────────────────────────────────────────────────────────────────────────────────────────

TWO = verdict("a", "b")
LOT = {"a", "b", "c"}


@pytest.mark.parametrize(
    ("verdicts", "drawn_among"),
    [
        ([TWO], {"a", "b"}),
        ([NONE_ACCEPTABLE], LOT),
        ([unscored("x")], LOT),
        ([win("a"), win("b")], {"a", "b"}),
        ([win("a"), win("b"), unscored("x")], {"a", "b"}),
        ([win("a"), win("b"), win("c")], LOT),
        ([win("a"), NONE_ACCEPTABLE], {"a"}),
        ([win("a"), TWO, TWO], {"a", "b"}),
        ([], LOT),
    ],
)
def test_without_a_majority_one_is_drawn_among_those_who_were_named(verdicts: Sequence[Verdict], drawn_among: set[str]) -> None:
    found = [decide(verdicts, NAMES, GoOn.WINNER, Random(seed)) for seed in range(60)]
    assert {one.candidate for one in found} == drawn_among
    assert all(one.drawn for one in found)


@pytest.mark.parametrize("verdicts", [[win("b")], [win("b"), win("b"), win("a")], [unscored("x"), win("b")], [win("b"), TWO, win("b")]])
def test_whom_more_than_half_chose_goes_on(verdicts: Sequence[Verdict]) -> None:
    assert {decide(verdicts, NAMES, GoOn.WINNER, Random(seed)) for seed in range(20)} == {("b", False)}


def test_with_a_random_history_the_verdicts_decide_nothing() -> None:
    found = [decide([win("a")], NAMES, GoOn.RANDOM, Random(seed)) for seed in range(60)]
    assert {one.candidate for one in found} == LOT
    assert all(one.drawn for one in found)


@given(st.permutations(NAMES), VERDICTS, st.integers(0, 99))
def test_the_lot_depends_on_its_seed_alone(names: list[str], verdicts: list[Verdict], seed: int) -> None:
    assert decide(verdicts, names, GoOn.WINNER, Random(seed)) == decide(verdicts, NAMES, GoOn.WINNER, Random(seed))
