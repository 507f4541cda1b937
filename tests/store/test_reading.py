from __future__ import annotations

import re

import pytest

from practicum.core import Ending, Record, digest_of
from practicum.errors import StoreError
from practicum.store import Store, Totals
from tests.store.making import begin, call, planned, record_of_run, turn


async def hold(store: Store, session_id: int, turns: int, ending: Ending | None = Ending.CLOSED, risk: tuple[str, ...] = ()) -> None:
    """Hold a session of that many turns, each with one refused reply."""
    (claim,) = await store.claim([session_id], at=10.0)
    for index in range(turns):
        records = [Record(kind="refused", data={"text": "嗯"}), Record(kind="other", data={})]
        await store.append(session_id, claim.epoch, turn(index, call=call(), prompt_tokens=10, completion_tokens=2), records)
    if ending:
        await store.finish(session_id, claim.epoch, ending=ending, risk=risk, failure="reset" if ending is Ending.FAILED else "", at=20.0)


async def test_a_session_is_read_back_whole(store: Store) -> None:
    begin(store)
    await hold(store, 1, 3, risk=("suicide", "abuse"))
    session = store.session("run", "1")
    plan = planned(1)
    assert (session.key, session.run, session.profile, session.case, session.number) == (plan.key, "run", plan.profile, plan.case, 1)
    assert (session.client, session.counselor, session.seed) == (plan.client, plan.counselor, 7)
    assert [(one.index, one.call) for one in session.turns] == [(index, call()) for index in range(3)]
    assert (session.ending, session.failure, session.risk) == (Ending.CLOSED, "", ("abuse", "suicide"))
    assert (session.started_at, session.finished_at) == (10.0, 20.0)


async def test_totals_are_those_of_the_run_alone(store: Store) -> None:
    begin(store, 5)
    begin(store, 1, "other")
    await hold(store, 1, 4)
    await hold(store, 2, 3, Ending.FAILED, risk=("abuse",))
    await hold(store, 3, 1, ending=None)
    store.note(1, "seed dropped", at=1.0)
    first, other = store.runs()
    assert (first.name, first.created_at, other.name) == ("run", 1.0, "other")
    assert first.totals == Totals(
        planned=5,
        endings={Ending.CLOSED: 1, Ending.FAILED: 1},
        turns=8,
        exchanges=3,
        prompt_tokens=80,
        completion_tokens=16,
        flagged=1,
        refused=8,
        notes=1,
    )
    assert (first.totals.done, first.totals.failed, first.totals.open) == (1, 1, 3)
    assert other.totals == Totals(planned=1)
    assert store.run("run").totals == first.totals


def test_a_run_without_sessions_sums_to_nothing(store: Store) -> None:
    store.begin_run(record_of_run(), at=1.0)
    assert store.run("run").totals == Totals()
    assert list(store.sessions("run")) == []


async def test_only_unfinished_and_failed_sessions_are_owed_in_plan_order(store: Store) -> None:
    run_id = begin(store, 5)
    await hold(store, 2, 1)
    await hold(store, 4, 1, Ending.FAILED)
    await hold(store, 5, 1, ending=None)
    owed = store.owed_sessions(run_id)
    assert [(one.id, one.failed) for one in owed] == [(1, False), (3, False), (4, True), (5, False)]
    assert (owed[0].key, owed[0].profile_id, owed[0].number) == (planned(1).key, "p1", 1)


async def test_sessions_come_in_plan_order_page_after_page(store: Store) -> None:
    begin(store, 3, "before")
    begin(store, 150)
    last = [one.id for one in store.owed_sessions(2)][-1]
    await hold(store, last, 2)
    sessions = list(store.sessions("run"))
    assert [session.key for session in sessions] == [planned(number).key for number in range(1, 151)]
    assert [len(session.turns) for session in sessions] == [0] * 149 + [2]
    assert all(session.turns == () for session in store.sessions("run", with_turns=False))


async def test_sessions_can_be_read_while_others_are_written(store: Store) -> None:
    begin(store, 70)
    sessions = store.sessions("run")
    assert next(sessions).turns == ()
    await hold(store, 70, 1)
    assert [len(session.turns) for session in sessions] == [0] * 68 + [1]


def test_a_session_is_named_by_its_position_or_the_start_of_its_key(store: Store) -> None:
    begin(store, 20)
    assert store.session("run", "20").key == planned(20).key
    assert store.session("run", planned(3).key).key == planned(3).key
    assert store.session("run", planned(3).key[:8].upper()).key == planned(3).key


def test_a_position_beyond_the_run_is_taken_for_a_key(store: Store) -> None:
    number = next(number for number in range(1, 10_000) if digest_of(number)[:3].isdigit() and digest_of(number)[0] != "0")
    store.plan_sessions(store.begin_run(record_of_run(), at=1.0), [planned(number)])
    assert store.session("run", digest_of(number)[:3]).key == digest_of(number)


@pytest.mark.parametrize("which", ["0", "21", "", "%", "zz", "9" * 30, "²"])
def test_an_unknown_session_is_an_error_that_says_how_to_name_one(store: Store, which: str) -> None:
    begin(store, 20)
    if which == "21":  # must not be the start of a key by chance
        assert not any(planned(number).key.startswith("21") for number in range(1, 21))
    with pytest.raises(StoreError, match=re.escape(f"run 'run' has no session {which!r}; expected its number in the run")):
        store.session("run", which)


def test_a_key_that_fits_several_sessions_is_an_error_that_names_them(store: Store) -> None:
    begin(store, 100)
    letter = next(key[0] for key in (planned(number).key for number in range(1, 101)) if key[0].isalpha())
    first = next(planned(number).key for number in range(1, 101) if planned(number).key[0] == letter)
    with pytest.raises(StoreError, match=rf"several sessions '{letter}' \({first}, .* …\); give more of the key"):
        store.records("run", letter)


def test_an_unknown_run_is_an_error_that_names_the_known_ones(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no run 'x' in this store; it has no runs yet"):
        store.run("x")
    begin(store, 1, "first")
    begin(store, 1, "second")
    with pytest.raises(StoreError, match="there is no run 'x' in this store; known: second, first"):
        list(store.sessions("x"))


async def test_a_reader_sees_what_another_process_has_written(url: str) -> None:
    with Store.open(url) as writer, Store.open(url, create=False) as reader:
        begin(writer)
        await hold(writer, 1, 2)
        assert len(reader.session("run", "1").turns) == 2


async def test_records_of_some_kinds_come_with_their_sessions_page_after_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("practicum.store.reading.PAGE", 2)
    begin(store, 5)
    begin(store, 1, "other")
    for session_id, turns in ((1, 2), (3, 1), (6, 3)):
        await hold(store, session_id, turns)
    found = list(store.records_of("run", ["refused", "nothing"]))
    assert [session.key for session, _ in found] == [planned(number).key for number in range(1, 6)]
    assert [[index for index, _ in records] for _, records in found] == [[0, 1], [], [0], [], []]
    assert {record.kind for _, records in found for _, record in records} == {"refused"}
    assert {len(session.turns) for session, _ in found} == {0}
    both = list(store.records_of("run", ["refused", "other"], with_turns=True))
    assert [len(session.turns) for session, _ in both] == [2, 0, 1, 0, 0]
    assert [record.kind for _, record in both[0][1]] == ["refused", "other"] * 2
    with pytest.raises(StoreError, match="no run 'nobody'"):
        list(store.records_of("nobody", ["refused"]))
