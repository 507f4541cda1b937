from __future__ import annotations

import numpy as np
import pytest

from practicum.arena import bootstrap
from practicum.arena.bootstrap import bootstrap_strengths, percentile_intervals
from practicum.arena.luce import fit_strengths
from practicum.arena.rating import rate
from practicum.arena.results import Interval
from practicum.arena.table import ChoiceTable, count_choices
from tests.arena.choices import World, choice, simulate


def test_the_bootstrap_agrees_with_the_sandwich() -> None:
    table = simulate(np.random.default_rng(1), 100, World(session_sd=0.7, turns=6))

    ratings = rate(table, bootstraps=2000)

    for one, other in zip(ratings.intervals, ratings.bootstrap, strict=True):
        assert one is not None
        assert other == pytest.approx(one, abs=0.12 * (one.high - one.low))


def test_a_seed_gives_the_same_samples_and_another_gives_others() -> None:
    counts = count_choices(simulate(np.random.default_rng(1), 20), "profile")
    one, again, other = (bootstrap_strengths(counts, 5, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2))

    assert one == again
    assert one != other


def test_a_sample_is_the_fit_to_the_clusters_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    table = simulate(np.random.default_rng(1), 12)
    drawn = np.random.default_rng(5).integers(0, 12, 12)
    rows = np.concatenate([np.flatnonzero(table.profile == client) for client in drawn])
    again = ChoiceTable(
        counselors=table.counselors,
        offered=table.offered[rows],
        shares=table.shares[rows],
        profile=table.profile[rows],
        session=table.session[rows],
    )
    counts = count_choices(again, "choice")
    whole = count_choices(table, "profile")

    expected = fit_strengths(counts.wins[None], counts.members)[0]
    assert bootstrap_strengths(whole, 1, np.random.default_rng(5))[0] == pytest.approx(expected, abs=1e-9)
    monkeypatch.setattr(bootstrap, "_NUMBERS", 100)  # as with many clusters: in small pieces
    assert bootstrap_strengths(whole, 3, np.random.default_rng(5))[0] == pytest.approx(expected, abs=1e-9)


def test_samples_that_determine_nothing_are_marked_and_a_few_are_passed_over() -> None:
    rare = [choice("ab", (1, 0), session=f"s{number}") for number in range(30)] + [choice("ab", (0, 1), session="rare")]
    counts = count_choices(ChoiceTable.of(rare), "session")

    samples = bootstrap_strengths(counts, 300, np.random.default_rng(1))

    assert np.isnan(samples).any(axis=1).mean() == pytest.approx(np.exp(-1), abs=0.08)
    assert percentile_intervals(samples, 31) == (None, None)
    sound = samples[~np.isnan(samples).any(axis=1)]
    few = np.concatenate([sound[:95], np.full((5, 2), np.nan)])
    assert percentile_intervals(few, 31) == percentile_intervals(sound[:95], 31) != (None, None)


@pytest.mark.parametrize(("samples", "clusters"), [(0, 100), (100, 9)])
def test_without_samples_or_clusters_there_is_no_interval(samples: int, clusters: int) -> None:
    assert percentile_intervals(np.ones((samples, 3)), clusters) == (None, None, None)


def test_percentiles_are_those_of_the_middle() -> None:
    assert percentile_intervals(np.arange(1001.0)[:, None], 10) == (Interval(25, 975),)
