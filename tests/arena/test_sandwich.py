from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from practicum.arena.luce import fit_strengths, information, probabilities
from practicum.arena.rating import rate
from practicum.arena.results import Cluster, Ranks
from practicum.arena.sandwich import (
    POINTS,
    clusters_met,
    contrast,
    covariance,
    interval,
    share_interval,
    simultaneous_ranks,
    student_975,
)
from practicum.arena.table import ChoiceTable, Floats, count_choices
from tests.arena.choices import World, choice, simulate

LIVELY = World(turns=8, session_sd=0.7, client_sd=0.4)
UNEQUAL = np.array([2.0, 1.0, 0.0])


@pytest.mark.parametrize("df", [9, 10, 19, 29, 99, 10**6])
def test_the_quantile_of_t_is_scipys(df: int) -> None:
    assert student_975(df) == pytest.approx(stats.t.ppf(0.975, df), abs=2e-5)


def test_contrasts_are_to_the_mean_or_to_the_anchor() -> None:
    strengths = np.array([1.0, 2.0, 6.0])

    assert contrast(3, None) @ strengths == pytest.approx([-2, -1, 3])
    assert contrast(3, 1) @ strengths == pytest.approx([-1, 0, 4])


def test_the_sandwich_is_what_its_definition_says() -> None:
    """Row by row, in plain loops, against the aggregated one."""
    table = simulate(np.random.default_rng(1), 12, LIVELY)
    counts = count_choices(table, "profile")
    strengths = fit_strengths(counts.wins[None], counts.members)[0]
    scores, curve = np.zeros((12, 5)), np.zeros((5, 5))
    for offered, shares, profile in zip(table.offered, table.shares, table.profile, strict=True):
        chance = np.zeros(5)
        chance[offered] = np.exp(strengths[offered]) / np.exp(strengths[offered]).sum()
        scores[profile, offered] += shares
        scores[profile] -= chance
        curve += np.diag(chance) - np.outer(chance, chance)
    bread = np.linalg.pinv(curve, rcond=1e-10)
    versus = contrast(5, None)

    found = covariance(counts, strengths)

    assert versus @ found @ versus == pytest.approx(bread @ scores.T @ scores @ bread * 12 / 11)
    assert information(probabilities(strengths, counts.members), counts.wins.sum(axis=1)) == pytest.approx(curve)


def test_the_error_of_two_counselors_is_that_of_a_logit() -> None:
    table = ChoiceTable.of(
        [choice("ab", (1, 0), turn=turn) for turn in range(75)] + [choice("ab", (0, 1), turn=turn) for turn in range(75, 100)]
    )

    ratings = rate(table, cluster="choice", anchor="b", bootstraps=0)

    assert ratings.ratings == pytest.approx((1000 + 400 * math.log10(3), 1000))
    assert ratings.se[0] == pytest.approx(POINTS * math.sqrt(1 / 75 + 1 / 25) * math.sqrt(100 / 99))
    assert ratings.se[1] == 0
    assert ratings.intervals[1] == (1000, 1000)


def test_one_cluster_has_no_covariance() -> None:
    counts = count_choices(simulate(np.random.default_rng(1), 1), "profile")

    assert np.isnan(covariance(counts, np.zeros(5))).all()


@pytest.mark.parametrize(("clusters", "known"), [(9, False), (10, True)])
def test_fewer_than_ten_clusters_have_no_interval(clusters: int, known: bool) -> None:
    assert (interval(1000, 10, clusters) is not None) is known
    assert (share_interval(np.ones(clusters), np.full(clusters, 2.0)) is not None) is known


def test_the_interval_of_a_share_is_that_of_a_ratio() -> None:
    points, offered = np.arange(20.0), np.arange(20.0) + 5

    found = share_interval(np.append(points, 0), np.append(offered, 0))  # a cluster where it was never offered says nothing

    assert found is not None
    share = points.sum() / offered.sum()
    error = math.sqrt(20 / 19 * ((points - share * offered) ** 2).sum()) / offered.sum()
    assert found == pytest.approx((share - stats.t.ppf(0.975, 19) * error, share + stats.t.ppf(0.975, 19) * error), abs=1e-4)


def test_a_share_stays_between_nothing_and_everything() -> None:
    found = share_interval(np.array([1.0] + [0.0] * 11), np.ones(12))

    assert found is not None
    assert found.low == 0


def study(cluster: Cluster, world: World, clients: int, samples: int) -> Floats:
    """How often each interval holds the truth."""
    truth = rate(simulate(np.random.default_rng(0), 3000, world), bootstraps=0).ratings
    hits = np.zeros(len(truth))
    for seed in range(samples):
        found = rate(simulate(np.random.default_rng(1000 + seed), clients, world), cluster=cluster, bootstraps=0)
        hits += [known is not None and known.low <= true <= known.high for known, true in zip(found.intervals, truth, strict=True)]
    return hits / samples


@pytest.mark.parametrize("clients", [10, 30])
def test_clustered_intervals_hold_the_truth_as_often_as_they_say_and_naive_ones_do_not(clients: int) -> None:
    clustered, naive = (study(cluster, LIVELY, clients, 100).mean() for cluster in ("profile", "choice"))

    assert 0.93 <= clustered <= 0.97
    assert naive < 0.85


def test_without_effects_of_the_session_all_clusters_agree() -> None:
    table = simulate(np.random.default_rng(3), 200)
    errors = [rate(table, cluster=cluster, bootstraps=0).se for cluster in ("profile", "session", "choice")]

    assert errors[1] == pytest.approx(errors[2], rel=0.1)
    assert errors[0] == pytest.approx(errors[2], rel=0.1)


def test_clear_differences_give_clear_ranks() -> None:
    ranks = partial(simultaneous_ranks, UNEQUAL, clusters=(100, 100, 100), rng=np.random.default_rng(1))

    assert ranks(np.eye(3) * 0.01) == (Ranks(1, 1), Ranks(2, 2), Ranks(3, 3))
    assert ranks(np.eye(3) * 0.2) == (Ranks(1, 2), Ranks(1, 3), Ranks(2, 3))
    assert ranks(np.eye(3) * 9) == (Ranks(1, 3), Ranks(1, 3), Ranks(1, 3))
    assert ranks(np.zeros((3, 3))) == (Ranks(1, 1), Ranks(2, 2), Ranks(3, 3))


def test_differences_count_by_their_covariance() -> None:
    common = np.ones((3, 3)) * 9 + np.eye(3) * 0.01  # each is badly known, their differences are well known

    assert simultaneous_ranks(UNEQUAL, common, (100, 100, 100), np.random.default_rng(1))[0] == Ranks(1, 1)


def test_who_was_met_too_rarely_may_have_any_rank() -> None:
    spread = np.eye(3) * 0.01

    assert simultaneous_ranks(UNEQUAL, spread, (100, 100, 9), np.random.default_rng(1)) == (Ranks(1, 2), Ranks(2, 3), Ranks(1, 3))
    assert simultaneous_ranks(UNEQUAL, spread, (100, 9, 9), np.random.default_rng(1)) == (Ranks(1, 3),) * 3


def test_equals_are_hardly_ever_told_apart() -> None:
    rng = np.random.default_rng(11)
    world = World(strengths=(0.0,) * 4, turns=6, session_sd=0.5)
    wrong = sum(any(ranks != Ranks(1, 4) for ranks in rate(simulate(rng, 20, world), bootstraps=0, seed=seed).ranks) for seed in range(200))

    assert 2 <= wrong <= 18  # 5 % of 200, and what chance makes of it


def test_clusters_are_counted_by_counselor() -> None:
    rows = [choice("ab", (1, 0), session="s"), choice("ab", (0, 1), session="t"), choice("bc", (1, 0), session="t")]

    assert clusters_met(count_choices(ChoiceTable.of(rows), "session")).tolist() == [2, 2, 1]
