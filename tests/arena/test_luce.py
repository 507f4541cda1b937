from __future__ import annotations

import math

import choix
import evalica
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from practicum.arena.luce import fit_strengths, probabilities, set_fits
from practicum.arena.table import ChoiceTable, Floats, count_choices
from tests.arena.choices import STRENGTHS, World, choice, logits, shuffled, simulate


def fit(table: ChoiceTable) -> Floats:
    counts = count_choices(table, "choice")
    found: Floats = fit_strengths(counts.wins[None], counts.members)[0]
    return found


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_fit_is_that_of_choix(size: int) -> None:
    table = simulate(np.random.default_rng(1), 4, World(size=size, turns=5))
    data = []
    for offered, shares in zip(table.offered.tolist(), table.shares.tolist(), strict=True):
        winner = offered[shares.index(1)]
        data.append((winner, tuple(who for who in offered if who != winner)))

    assert fit(table) == pytest.approx(choix.ilsr_top1(5, data, tol=1e-10), abs=1e-6)


def test_the_fit_to_pairs_is_bradley_terrys_of_evalica() -> None:
    table = simulate(np.random.default_rng(2), 4, World(size=2, turns=5))
    first, second = table.offered.T.tolist()
    winners = [evalica.Winner.X if share else evalica.Winner.Y for share in table.shares[:, 0]]

    theirs = evalica.bradley_terry(first, second, winners, tolerance=1e-14, limit=100_000).scores.sort_index()

    assert fit(table) == pytest.approx(logits(np.log(theirs.to_numpy()).tolist()), abs=1e-6)


def test_known_strengths_are_found_again() -> None:
    assert fit(simulate(np.random.default_rng(3), 300)) == pytest.approx(logits(STRENGTHS), abs=0.05)


def test_two_to_one_is_the_logarithm_of_two() -> None:
    table = ChoiceTable.of([choice("ab", (1, 0))] * 2 + [choice("ab", (0, 1))])

    assert np.ptp(fit(table)) == pytest.approx(math.log(2))


def test_ties_and_probabilities_count_in_part() -> None:
    whole = [choice("abc", (1, 0, 0)), choice("abc", (0, 1, 0)), choice("abc", (0, 0, 1)), choice("abc", (1, 0, 0))]
    tied = [choice("abc", (0.5, 0.5, 0)), choice("abc", (0.5, 0.5, 0)), choice("abc", (0.9, 0, 0.1)), choice("abc", (0.1, 0, 0.9))]

    assert fit(ChoiceTable.of(tied)) == pytest.approx(fit(ChoiceTable.of(whole)))


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_choices_does_not_matter_to_the_last_digit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = simulate(rng, 2, World(strengths=STRENGTHS[:4], turns=2))
    soft = rng.dirichlet(np.ones(3), len(table.offered))
    table = ChoiceTable(counselors=table.counselors, offered=table.offered, shares=soft, profile=table.profile, session=table.session)

    assert fit(table).tolist() == fit(shuffled(table, rng)).tolist()


@given(st.permutations(range(5)))
@settings(max_examples=30, deadline=None)
def test_names_do_not_matter(names: list[int]) -> None:
    table = simulate(np.random.default_rng(5), 3)
    other = ChoiceTable(
        counselors=table.counselors,
        offered=np.array(names)[table.offered],
        shares=table.shares,
        profile=table.profile,
        session=table.session,
    )

    assert fit(other)[names] == pytest.approx(fit(table), abs=1e-9)


@given(st.lists(st.floats(-12, 0), min_size=3, max_size=3))
@settings(deadline=None)
def test_a_strength_is_found_however_far_away(powers: list[float]) -> None:
    shares = 10.0 ** np.array(powers)
    shares /= shares.sum()
    wins = (shares * 1000)[None, None]

    found = fit_strengths(wins, np.ones((1, 3), np.bool_))[0]

    assert found == pytest.approx(logits(np.log(shares).tolist()), abs=1e-6)


def test_the_least_that_is_no_zero_is_enough() -> None:
    table = ChoiceTable.of([choice("ab", (1, 0))] * 999 + [choice("ab", (1 - 1e-16, 1e-16))])

    assert np.ptp(fit(table)) == pytest.approx(math.log(1000 / 1e-16), rel=0.01)


def test_what_does_not_determine_strengths_has_none() -> None:
    members = np.ones((1, 2), np.bool_)

    found = fit_strengths(np.array([[[3.0, 1.0]], [[3.0, 0.0]]]), members)

    assert np.ptp(found[0]) == pytest.approx(math.log(3))
    assert np.isnan(found[1]).all()
    assert np.isnan(fit_strengths(np.array([[[3.0, 0.0]]]), members)).all()


def test_a_search_that_is_cut_short_has_no_result() -> None:
    assert np.isnan(fit_strengths(np.array([[[3.0, 1.0]]]), np.ones((1, 2), np.bool_), steps=1)).all()


def test_probabilities_of_a_set_sum_to_one_and_outsiders_have_none() -> None:
    found = probabilities(np.array([1000.0, 999.0, -1000.0]), np.array([[True, True, False], [True, True, True]]))

    assert found.sum(axis=1) == pytest.approx([1, 1])
    assert found[0].tolist() == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.e), 0])


def test_a_set_whose_members_split_their_votes_does_not_fit() -> None:
    # b and c are much alike: alone against a each takes half, together they take half.
    rows = [choice(pair, share) for pair in ("ab", "ac", "bc") for share in ((1, 0), (0, 1))] * 60
    rows += [choice("abc", share) for share in ((1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))] * 60
    table = ChoiceTable.of(rows)
    counts = count_choices(table, "choice")

    fits = set_fits(counts, fit(table), table.counselors)

    assert [(fit.offered, fit.choices, fit.df) for fit in fits] == [
        (("a", "b", "c"), 240, 2),
        (("a", "b"), 120, 1),
        (("a", "c"), 120, 1),
        (("b", "c"), 120, 1),
    ]
    whole = fits[0]
    assert whole.observed == pytest.approx((0.5, 0.25, 0.25))
    assert whole.chi2 == pytest.approx(240 * sum((o - e) ** 2 / e for o, e in zip(whole.observed, whole.expected, strict=True)))
    assert whole.p < 0.05 < fits[3].p


def test_choices_by_the_model_fit_it() -> None:
    table = simulate(np.random.default_rng(7), 50)

    fits = set_fits(count_choices(table, "choice"), fit(table), table.counselors)

    assert len(fits) == 10
    assert min(fit.p for fit in fits) > 0.01
    for found in fits:
        assert sum(found.expected) == pytest.approx(1)
