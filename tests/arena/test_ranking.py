from __future__ import annotations

import random
from dataclasses import fields, replace

import numpy as np
import pytest

from practicum.arena.log import ChoiceLog, ChoiceRow
from practicum.arena.ranking import rank
from practicum.arena.results import Ranking, Ranks
from practicum.errors import ConfigError, NotIdentifiedError
from tests.arena.choices import NAMES, World, as_rows, choice, simulate


@pytest.fixture(scope="module")
def rows() -> list[ChoiceRow]:
    """Twelve clients, 120 sessions."""
    return [
        replace(row, texts=tuple(name + "好" * (place + number % 7) for place, name in enumerate(row.offered)))
        for number, row in enumerate(as_rows(simulate(np.random.default_rng(1), 12, World(turns=5, session_sd=0.5))))
    ]


@pytest.fixture(scope="module")
def ranking(rows: list[ChoiceRow]) -> Ranking:
    return rank(ChoiceLog(rows=rows), bootstraps=200)


def test_the_same_log_shuffled_gives_the_same_rating_to_the_last_digit_and_another_elo(rows: list[ChoiceRow], ranking: Ranking) -> None:
    other = rank(ChoiceLog(rows=random.Random(1).sample(rows, len(rows))), bootstraps=200)

    assert [(line.counselor, line.rating) for line in other.standings] == [(line.counselor, line.rating) for line in ranking.standings]
    moved = [abs(one.elo.sequential - two.elo.sequential) for one, two in zip(ranking.standings, other.standings, strict=True)]
    assert max(moved) > 20
    # Nothing else moves, either.
    standings = tuple(
        replace(two, elo=replace(two.elo, sequential=one.elo.sequential))
        for one, two in zip(ranking.standings, other.standings, strict=True)
    )
    assert replace(other, standings=standings) == ranking


def test_the_best_stands_first(ranking: Ranking) -> None:
    assert [line.counselor for line in ranking.standings] == ["simpsybot", "cpsycounx", "mechat", "psychat", "soulchat"]
    ratings = [line.rating for line in ranking.standings]
    assert ratings == sorted(ratings, reverse=True)
    assert np.mean(ratings) == pytest.approx(1000)
    for place, line in enumerate(ranking.standings, 1):
        assert line.ranks is not None
        assert line.ranks.best <= place <= line.ranks.worst
    assert ranking.standings[-1].ranks == Ranks(5, 5)


def test_equals_stand_by_name() -> None:
    ranking = rank([choice("ba", (0.5, 0.5)), choice("ca", (0.5, 0.5))])

    assert [line.counselor for line in ranking.standings] == ["a", "b", "c"]


def test_every_line_is_filled(ranking: Ranking) -> None:
    assert not ranking.too_few
    for line in ranking.standings:
        assert all(getattr(line, field.name) is not None for field in fields(line))
        assert line.interval is not None
        assert line.interval.low < line.rating < line.interval.high
        assert line.share_interval is not None
        assert line.share_interval.low < line.share < line.share_interval.high
        assert line.elo.low <= line.elo.mean <= line.elo.high
        assert (line.sessions, line.offered) == (12 * 6, 12 * 6 * 5)
        assert line.average == pytest.approx(line.selections / line.sessions)
        assert line.points == line.selections


def test_the_whole_table_counts(ranking: Ranking) -> None:
    assert (ranking.choices, ranking.wins, ranking.ties, ranking.nones, ranking.unscored, ranking.drawn) == (600, 600, 0, 0, 0, 0)
    assert (ranking.cluster, ranking.clusters, ranking.sessions) == ("profile", 12, 120)
    assert ranking.judged_per_session == {"mean": 5, "median": 5, "min": 5, "max": 5}
    assert [effect.name for effect in ranking.slots] == ["slot 2", "slot 3"]
    assert [effect.name for effect in ranking.style] == ["log_length"]
    assert len(ranking.fits) == 10
    assert {(one.exchange, one.offered) for one in ranking.by_turn} == {(exchange, 72) for exchange in range(1, 6)}
    assert (ranking.elo_k, ranking.elo_scale, ranking.elo_start, ranking.elo_orders) == (32, 400, 1000, 200)


def test_the_matrix_stands_in_the_order_of_the_lines(ranking: Ranking) -> None:
    for place, row in enumerate(ranking.matrix):
        assert row[place] is None
        for other in range(place + 1, len(row)):
            part, rest = row[other], ranking.matrix[other][place]
            assert part is not None
            assert rest is not None
            assert part + rest == pytest.approx(1)
    assert all(part is None or part > 0.5 for part in ranking.matrix[0])


def test_a_seed_moves_the_bootstrap_and_elo_and_no_rating(rows: list[ChoiceRow], ranking: Ranking) -> None:
    other = rank(rows, bootstraps=200, seed=1)

    for one, two in zip(ranking.standings, other.standings, strict=True):
        assert (one.rating, one.interval, one.elo.sequential) == (two.rating, two.interval, two.elo.sequential)
        assert one.bootstrap != two.bootstrap
        assert one.elo.mean != two.elo.mean


def test_other_names_change_nothing_but_names(rows: list[ChoiceRow], ranking: Ranking) -> None:
    other = dict(zip(NAMES, ("e", "c", "d", "a", "b"), strict=True))
    renamed = [replace(row, offered=tuple(other[name] for name in row.offered), ballots=()) for row in rows]

    found = rank(renamed, bootstraps=0)

    assert [line.counselor for line in found.standings] == [other[line.counselor] for line in ranking.standings]
    assert [line.rating for line in found.standings] == pytest.approx([line.rating for line in ranking.standings], abs=1e-8)
    for one, two in zip(found.standings, ranking.standings, strict=True):
        assert one.interval == pytest.approx(two.interval, abs=1e-6)
    assert found.slots == ()


def test_the_anchor_is_a_thousand_without_error(rows: list[ChoiceRow], ranking: Ranking) -> None:
    found = rank(rows, anchor="mechat", bootstraps=200)

    lines = {line.counselor: line for line in found.standings}
    assert (lines["mechat"].rating, lines["mechat"].se, lines["mechat"].controlled) == (1000, 0, 1000)
    assert [lines["mechat"].interval, lines["mechat"].bootstrap] == [(1000, 1000), (1000, 1000)]
    shift = lines["simpsybot"].rating - ranking.standings[0].rating
    assert [line.rating - shift for line in found.standings] == pytest.approx([line.rating for line in ranking.standings])
    assert found.anchor == "mechat"


def test_too_few_clients_leave_no_interval_anywhere(rows: list[ChoiceRow]) -> None:
    found = rank([row for row in rows if row.profile < "p00009"])

    assert (found.clusters, found.too_few) == (9, True)
    for line in found.standings:
        assert (line.se, line.interval, line.bootstrap, line.ranks, line.controlled_interval, line.share_interval) == (None,) * 6
        assert line.controlled is not None
    assert all(effect.interval is None for effect in (*found.slots, *found.style))


def test_none_and_unscored_are_told_apart() -> None:
    rows = [choice("ab", (0.5, 0.5)), choice("ab", (0, 0)), choice("ab", (0, 0)), replace(choice("ab", (1, 0)), failed=("b",))]

    found = rank(rows)

    assert (found.ties, found.nones, found.wins) == (1, 2, 1)
    assert [line.none_rate for line in found.standings] == [0.5, 0.5]
    assert [line.failed for line in found.standings] == [0, 1]
    assert [line.controlled for line in found.standings] == [None, None]


@pytest.mark.parametrize("rows", [[], [choice("ab", (0, 0))]])
def test_no_scored_choice_ranks_nobody(rows: list[ChoiceRow]) -> None:
    with pytest.raises(NotIdentifiedError, match="no win and no tie"):
        rank(rows)


def test_who_only_ever_failed_is_not_passed_over_in_silence() -> None:
    with pytest.raises(NotIdentifiedError, match="'c' never was in a scored choice"):
        rank([replace(choice("ab", (0.5, 0.5)), failed=("c",))])


def test_an_unknown_anchor_is_refused() -> None:
    with pytest.raises(ConfigError, match="got 'x'; known: a, b"):
        rank([choice("ab", (0.5, 0.5))], anchor="x")


def test_elo_needs_an_order() -> None:
    with pytest.raises(ConfigError, match="elo_orders"):
        rank([choice("ab", (0.5, 0.5))], elo_orders=0)
