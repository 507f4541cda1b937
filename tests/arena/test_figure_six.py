"""Supervisors whose faults are known by design, through panel, store and judge card: the card tells them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from practicum.arena import Bench, ChoiceLog, RaterCard, judge, read_log
from practicum.backends import Request
from practicum.core import Ending, Outcome, Profile
from practicum.engine import Desk, Pace, Progress
from practicum.engine.run import Appointment
from practicum.store import PlannedSession, RunRecord, Store
from tests.arena.stage import SAID, Rule, first_slot, gibberish, longest, members, oracle, read_question, supervisor
from tests.arena.test_panel import Cast

SESSIONS = 20


def at_random(request: Request) -> str:
    labels = read_question(request).labels
    return f"随便。\n结论：{labels[request.seed % len(labels)]}"


async def hold(path: Path, rule: Rule) -> ChoiceLog:
    """Hold sessions of two exchanges under one supervisor, all of whose choices have a canary and a repeat; read them back."""
    db = f"sqlite:///{path / 'practicum.db'}"
    judge_of = supervisor(rule)
    names = {**{name: name for name in SAID}, judge_of.name: "judge"}
    with Store.open(db) as store:
        run = store.begin_run(RunRecord(name="r", identity={}, settings={"names": names}, version="0"), at=0.0)
        profile = Profile(id="p", text="我睡不着。", language="zh")
        plan = [
            PlannedSession(key=f"{number:04}", profile=profile, case="c", number=number, client="c", counselor="k", seed=7)
            for number in range(SESSIONS)
        ]
        store.plan_sessions(run, plan)
        desk = Desk(
            store=store,
            cast=Cast(Bench(supervisors=[judge_of], canaries=1.0, repeats=1.0), members(SAID)),
            pace=Pace(backends=[judge_of.backend], calls_per_session=5),
            run_seed=7,
            clock=lambda: 0.0,
            progress=Progress(),
        )
        await desk.hold([Appointment(owed.id, owed.key, profile) for owed in store.owed_sessions(run)])
        assert [session.ending for session in store.sessions("r")] == [Ending.TURN_LIMIT] * SESSIONS
    log = read_log(["r"], db=db)
    assert len(log.rows) == 2 * SESSIONS
    return log


def card(log: ChoiceLog) -> RaterCard:
    (found,) = judge(log).raters
    return found


async def test_one_that_always_takes_the_first_slot_is_never_consistent_and_decides_nothing(tmp_path: Path) -> None:
    log = await hold(tmp_path, first_slot)
    assert {(row.outcome, row.drawn) for row in log.rows} == {(Outcome.TIE, True)}
    found = card(log)
    assert (found.consistent, found.in_orders) == (0, 2 * SESSIONS)
    assert [share.picks for share in found.slot_shares] == [6 * SESSIONS, 0, 0]
    assert (found.stable, found.repeated) == (2 * SESSIONS, 2 * SESSIONS)  # stable, and worth nothing


async def test_one_that_takes_the_longest_is_consistent_and_its_taste_is_told(tmp_path: Path) -> None:
    log = await hold(tmp_path, longest)
    assert {(row.outcome, row.went_on, row.drawn) for row in log.rows} == {(Outcome.WIN, "b", False)}
    found = card(log)
    assert (found.consistent, found.in_orders) == (2 * SESSIONS, 2 * SESSIONS)
    assert found.longest_wins == 1.0
    assert found.longest_by_chance == pytest.approx(1 / 3)


async def test_one_that_draws_lots_is_hardly_ever_consistent_and_misses_canaries(tmp_path: Path) -> None:
    found = card(await hold(tmp_path, at_random))
    assert found.consistent < 0.3 * found.in_orders  # one in nine, by chance
    assert found.canary_miss_rate == pytest.approx(1 / 3, abs=0.2)
    assert found.slot_p is not None
    assert found.slot_p > 0.001


async def test_an_oracle_is_consistent_stable_and_picks_no_canary(tmp_path: Path) -> None:
    log = await hold(tmp_path, oracle(SAID["a"], SAID["c"], SAID["b"]))
    assert {row.went_on for row in log.rows} == {"a"}
    found = card(log)
    assert (found.consistent, found.stable, found.missed, found.canaries) == (found.in_orders, found.repeated, 0, 2 * SESSIONS)
    assert found.longest_wins == 0.0


async def test_of_gibberish_nothing_is_scored_and_the_run_completes(tmp_path: Path) -> None:
    log = await hold(tmp_path, gibberish)
    assert {(row.outcome, row.drawn) for row in log.rows} == {(Outcome.UNSCORED, True)}
    assert {canary.caught for canary in log.canaries} == {None}
    found = card(log)
    assert (found.unscored, found.invalid, found.ballots, found.in_orders) == (2 * SESSIONS, 6 * SESSIONS, 6 * SESSIONS, 0)
