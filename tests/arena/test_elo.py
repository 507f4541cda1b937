from __future__ import annotations

import evalica
import numpy as np
import pytest

from practicum.arena import elo as module
from practicum.arena.elo import elo, sequential_elo, shuffled_elo
from practicum.arena.table import ChoiceTable
from tests.arena.choices import World, choice, simulate


def test_elo_of_pairs_is_evalicas() -> None:
    table = simulate(np.random.default_rng(1), 5, World(size=2))
    first, second = table.offered.T.tolist()
    winners = [evalica.Winner.X if share else evalica.Winner.Y for share in table.shares[:, 0]]
    shares = table.shares.copy()
    for row in range(0, len(shares), 7):
        winners[row], shares[row] = evalica.Winner.Draw, 0.5
    tied = ChoiceTable(counselors=table.counselors, offered=table.offered, shares=shares, profile=table.profile, session=table.session)

    theirs = evalica.elo(first, second, winners, k=24, scale=300, initial=1500).scores.sort_index()

    assert sequential_elo(tied, k=24, scale=300, start=1500) == pytest.approx(theirs.tolist(), abs=1e-6)


def test_a_choice_among_three_is_two_games_won_from_the_ratings_before() -> None:
    table = ChoiceTable.of([choice("abc", (1, 0, 0))])

    assert sequential_elo(table) == pytest.approx((1032, 984, 984))


def test_a_tie_is_half_a_game_and_probabilities_are_parts() -> None:
    assert sequential_elo(ChoiceTable.of([choice("abc", (0.5, 0.5, 0))])) == pytest.approx((1016, 1016, 968))
    assert sequential_elo(ChoiceTable.of([choice("ab", (0.75, 0.25))])) == pytest.approx((1008, 992))


def test_elo_follows_the_order_of_the_log() -> None:
    rows = [choice("ab", (1, 0), session="z"), choice("ab", (0, 1), session="a")]

    first, second = sequential_elo(ChoiceTable.of(rows)), sequential_elo(ChoiceTable.of(rows[::-1]))

    assert first[0] < 1000 < second[0]


def test_all_orders_at_once_are_as_one_after_the_other() -> None:
    table = simulate(np.random.default_rng(3), 2)
    soft = ChoiceTable(
        counselors=table.counselors,
        offered=np.where(np.arange(3) < 2 + (np.arange(len(table.offered)) % 2)[:, None], table.offered, -1),
        shares=np.tile([0.5, 0.5, 0], (len(table.offered), 1)),
        profile=table.profile,
        session=table.session,
    )

    found = shuffled_elo(soft, 3, np.random.default_rng(9))

    rng = np.random.default_rng(9)
    for ratings in found:
        order = rng.permutation(len(table.offered))
        one = ChoiceTable(
            counselors=soft.counselors,
            offered=soft.offered[order],
            shares=soft.shares[order],
            profile=soft.profile,
            session=soft.session,
        )
        assert sequential_elo(one) == pytest.approx(ratings.tolist(), abs=1e-6)


def test_elo_is_summarised_over_orders() -> None:
    table = simulate(np.random.default_rng(3), 5)
    orders = shuffled_elo(table, 20, np.random.default_rng(1))

    found = elo(table, 20, np.random.default_rng(1))

    for line, column, last in zip(found, orders.T, sequential_elo(table), strict=True):
        assert (line.mean, line.sd, line.low, line.high) == pytest.approx((column.mean(), column.std(), column.min(), column.max()))
        assert line.sequential == last
    assert sum(line.mean for line in found) == pytest.approx(5000)
    assert elo(table, 1, np.random.default_rng(1))[0].sd == 0


def test_long_logs_are_cut_where_elo_has_forgotten_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    table = simulate(np.random.default_rng(3), 40)
    whole = shuffled_elo(table, 100, np.random.default_rng(1)).mean(axis=0)

    monkeypatch.setattr(module, "MOST_CHOICES", 1000)

    assert shuffled_elo(table, 100, np.random.default_rng(2)).mean(axis=0) == pytest.approx(whole, abs=25)
