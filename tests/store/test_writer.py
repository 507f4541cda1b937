from __future__ import annotations

import asyncio
import gc
import random
import signal
import sqlite3
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from practicum.core import Ending, Record
from practicum.errors import StaleSessionError, StoreError
from practicum.store import Store
from practicum.store.dialect import make_engine, parse_url
from practicum.store.hot import Append, Take
from practicum.store.writer import Writer
from tests.store.making import begin, planned, start_python, turn

WRITE_FOREVER = """
import asyncio, sys
from practicum.core import Record
from practicum.store import Store
from tests.store.making import turn

async def hold(store, session_id):
    (claim,) = await store.claim([session_id], at=1.0)
    for index in range(len(claim.turns), 1_000_000):
        await store.append(session_id, claim.epoch, turn(index), [Record(kind="refused", data={"i": index})])
        print(session_id, index, flush=True)

async def main(store):
    await asyncio.gather(*(hold(store, owed.id) for owed in store.owed_sessions(1)))

asyncio.run(main(Store.open(sys.argv[1])))
"""

FORGET_TO_CLOSE = """
import sys
from practicum.store import Store
from tests.store.making import begin
begin(Store.open(sys.argv[1]), 2)
print("begun", flush=True)
"""


def stored_texts(store: Store) -> list[str]:
    return [one.text for one in store.session("run", "1").turns]


async def test_a_turn_is_there_once_append_returns(store: Store) -> None:
    begin(store)
    (claim,) = await store.claim([1], at=1.0)
    await store.append(1, claim.epoch, turn(0, "你好"))
    assert stored_texts(store) == ["你好"]


async def test_a_turn_that_is_there_already_is_left_as_it_is(store: Store) -> None:
    begin(store, 2)
    one, two = await store.claim([1, 2], at=1.0)
    await store.append(1, one.epoch, turn(0, "first"), [Record(kind="a", data={})])
    await asyncio.gather(
        store.append(1, one.epoch, turn(0, "second"), [Record(kind="b", data={})]),
        store.append(2, two.epoch, turn(0, "another session's, in the same group")),
    )
    assert stored_texts(store) == ["first"]
    assert [record.kind for _, record in store.records("run", "1")] == ["a"]
    assert len(store.session("run", "2").turns) == 1


async def test_a_stale_writer_is_refused_and_writes_nothing(store: Store) -> None:
    begin(store, 2)
    old, other = await store.claim([1, 2], at=1.0)
    (new,) = await store.claim([1], at=2.0)
    results = await asyncio.gather(
        store.append(1, old.epoch, turn(0, "stale"), [Record(kind="stale", data={})]),
        store.append(2, other.epoch, turn(0, "fine"), [Record(kind="fine", data={})]),
        store.append(1, new.epoch, turn(0, "mine")),
        return_exceptions=True,
    )
    assert isinstance(results[0], StaleSessionError)
    assert "session 1 has been claimed again since (epoch 2, this writer holds 1); nothing was written" in str(results[0])
    assert (results[1], results[2]) == (None, None)
    assert stored_texts(store) == ["mine"]
    assert store.records("run", "1") == []
    assert [record.kind for _, record in store.records("run", "2")] == ["fine"]


async def test_a_stale_ending_is_refused_and_harms_no_other(store: Store) -> None:
    begin(store, 2)
    old, other = await store.claim([1, 2], at=1.0)
    await store.claim([1], at=2.0)
    results = await asyncio.gather(
        store.finish(1, old.epoch, ending=Ending.CLOSED, at=3.0),
        store.finish(2, other.epoch, ending=Ending.TURN_LIMIT, at=3.0),
        return_exceptions=True,
    )
    assert isinstance(results[0], StaleSessionError)
    assert [session.ending for session in store.sessions("run")] == [None, Ending.TURN_LIMIT]


async def test_a_session_that_does_not_exist_is_refused(store: Store) -> None:
    begin(store)
    with pytest.raises(StaleSessionError, match="session 9 "):
        await store.append(9, 1, turn(0))


async def test_a_failed_session_is_claimed_with_its_turns_and_loses_its_ending(store: Store) -> None:
    begin(store)
    (claim,) = await store.claim([1], at=1.0)
    await store.append(1, claim.epoch, turn(0))
    await store.append(1, claim.epoch, turn(1))
    await store.finish(1, claim.epoch, ending=Ending.FAILED, failure="HTTP 500", at=2.0)
    (again,) = await store.claim([1], at=9.0)
    assert (again.session_id, again.epoch, again.turns) == (1, claim.epoch + 1, (turn(0), turn(1)))
    session = store.session("run", "1")
    assert (session.ending, session.failure, session.started_at, session.finished_at) == (None, "", 1.0, None)


async def test_a_finished_session_is_not_claimed(store: Store) -> None:
    begin(store, 3)
    claims = await store.claim([3, 2, 1], at=1.0)
    assert [claim.session_id for claim in claims] == [3, 2, 1]
    await store.finish(2, claims[1].epoch, ending=Ending.CLOSED, at=2.0)
    assert [claim.session_id for claim in await store.claim([1, 2, 3], at=3.0)] == [1, 3]
    assert await store.claim([], at=3.0) == []


async def test_of_two_claims_in_one_group_the_later_one_holds(store: Store) -> None:
    begin(store)
    (first,), (second,) = await asyncio.gather(store.claim([1], at=1.0), store.claim([1], at=1.0))
    assert (first.epoch, second.epoch) == (1, 2)
    with pytest.raises(StaleSessionError):
        await store.append(1, first.epoch, turn(0))
    await store.append(1, second.epoch, turn(0))


async def test_many_sessions_at_once_lose_and_double_nothing(store: Store) -> None:
    begin(store, 60)

    async def hold(session_id: int) -> None:
        (claim,) = await store.claim([session_id], at=1.0)
        for index in range(10):
            await store.append(session_id, claim.epoch, turn(index, f"{session_id}/{index}"))
        await store.finish(session_id, claim.epoch, ending=Ending.CLOSED, at=2.0)

    await asyncio.gather(*(hold(owed.id) for owed in store.owed_sessions(1)))
    for number, session in enumerate(store.sessions("run"), 1):
        assert [one.text for one in session.turns] == [f"{number}/{index}" for index in range(10)]
        assert session.ending is Ending.CLOSED


async def test_a_cancelled_append_harms_nothing(store: Store) -> None:
    begin(store)
    (claim,) = await store.claim([1], at=1.0)
    task = asyncio.create_task(store.append(1, claim.epoch, turn(0, "perhaps")))
    await asyncio.sleep(0)  # it has been queued, and waits
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.append(1, claim.epoch, turn(1, "surely"))
    assert stored_texts(store) == ["perhaps", "surely"]


def test_a_store_serves_one_event_loop_after_another(store: Store) -> None:
    begin(store)
    (claim,) = asyncio.run(store.claim([1], at=1.0))
    asyncio.run(store.append(1, claim.epoch, turn(0)))
    assert len(store.session("run", "1").turns) == 1


def test_turns_of_a_loop_that_is_gone_are_written_all_the_same(store: Store) -> None:
    begin(store)
    loop = asyncio.new_event_loop()
    (claim,) = loop.run_until_complete(store.claim([1], at=1.0))
    task = loop.create_task(store.append(1, claim.epoch, turn(0)))
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    store.plan_sessions(1, [planned(2)])
    assert len(store.session("run", "1").turns) == 1


async def test_closing_writes_what_waits_and_refuses_what_comes_after(url: str) -> None:
    store = Store.open(url)
    begin(store)
    (claim,) = await store.claim([1], at=1.0)
    task = asyncio.create_task(store.append(1, claim.epoch, turn(0)))
    await asyncio.sleep(0)
    store.close()
    store.close()
    await task
    with pytest.raises(StoreError, match=r"the store sqlite:///.*practicum.db is closed"):
        await store.append(1, claim.epoch, turn(1))
    with Store.open(url, create=False) as again:
        assert len(again.session("run", "1").turns) == 1


def test_a_store_that_nobody_closed_keeps_no_process_from_ending(url: str) -> None:
    with start_python(FORGET_TO_CLOSE, url) as process:
        assert process.communicate()[0] == "begun\n"
    with Store.open(url, create=False) as store:
        assert store.runs()[0].totals.planned == 2


async def test_a_full_disk_reaches_all_who_wait_and_all_who_come_later(url: str) -> None:
    with Store.open(url) as store:

        @event.listens_for(store.engine, "checkout")
        def _small_disk(connection: Any, _record: Any, _proxy: Any) -> None:
            connection.execute("PRAGMA max_page_count = 60")

        begin(store, 2)
        one, two = await store.claim([1, 2], at=1.0)
        await store.append(1, one.epoch, turn(0, "kept"))
        results = await asyncio.gather(
            store.append(1, one.epoch, turn(1, "x" * 500_000)),
            store.append(2, two.epoch, turn(0, "in the same group")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [StoreError, StoreError]
        assert "the disk is full; free some space and give the same command again" in str(results[0])
        with pytest.raises(StoreError, match="the disk is full"):
            await store.append(2, two.epoch, turn(0))
        with pytest.raises(StoreError, match="the disk is full"):
            store.plan_sessions(1, [planned(3)])
    with Store.open(url) as again:
        assert [len(session.turns) for session in again.sessions("run")] == [1, 0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_leaves_nobody_waiting(url: str) -> None:
    Store.open(url).close()
    writer = Writer(make_engine(parse_url(url)), "here", nullcontext())
    begun, go_on = threading.Event(), threading.Event()

    def stumble(_connection: Connection) -> float:
        begun.set()
        go_on.wait()
        return 1 / 0

    stumbling = asyncio.create_task(asyncio.to_thread(writer.do, stumble))
    await asyncio.to_thread(begun.wait)
    behind: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    writer.put(Take(waiter=behind, session_ids=[1], at=1.0))
    go_on.set()
    for waiting in (stumbling, behind):
        with pytest.raises(StoreError, match="the store here stopped writing because of an error in practicum itself"):
            await waiting
    with pytest.raises(StoreError, match="stopped writing"):
        writer.do(stumble)
    writer.close()


def test_a_failing_read_is_one_clear_line(url: str, tmp_path: Path) -> None:
    with Store.open(url) as store:
        begin(store)
        with sqlite3.connect(tmp_path / "practicum.db") as connection:
            connection.execute("DROP TABLE note")
        connection.close()
        with pytest.raises(StoreError, match="cannot be used: no such table: note"):
            store.run("run")


@pytest.mark.parametrize("seed", range(5))
def test_what_was_acknowledged_survives_kill_9_and_nothing_is_doubled(url: str, seed: int) -> None:
    with Store.open(url) as store:
        begin(store, 8)
    acknowledged: list[str] = []
    for round_ in range(2):  # the second goes on where the first was cut
        moment = random.Random(seed * 2 + round_).randrange(1, 200)
        with start_python(WRITE_FOREVER, url) as process:
            assert process.stdout is not None
            for line, _ in zip(process.stdout, range(moment), strict=False):
                acknowledged.append(line)
            process.send_signal(signal.SIGKILL)
            acknowledged += [line for line in process.stdout if line.endswith("\n")]
    assert len(set(acknowledged)) == len(acknowledged)
    with Store.open(url) as store:
        for session_id, session in enumerate(store.sessions("run"), 1):
            indices = [one.index for one in session.turns]
            assert indices == list(range(len(indices)))
            assert {f"{session_id} {index}\n" for index in indices} >= {line for line in acknowledged if line.startswith(f"{session_id} ")}
            assert [index for index, _ in store.records("run", str(session_id))] == indices
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]


async def test_nothing_is_kept_of_what_was_written(store: Store) -> None:
    begin(store)
    (claim,) = await store.claim([1], at=1.0)
    for index in range(20):
        await store.append(1, claim.epoch, turn(index))
    gc.collect()
    # The thread's own variables may still name the last group.
    assert sum(isinstance(thing, Append) for thing in gc.get_objects()) <= 1


# ── what is kept before its turn ─────────────────────────────────────────────────────────────────────────────────────


def note(number: int) -> Record:
    return Record(kind="candidate", data={"n": number})


async def test_what_is_kept_is_there_once_keep_returns_and_before_its_turn(store: Store) -> None:
    begin(store)
    (claim,) = await store.claim([1], at=1.0)
    await store.keep(1, claim.epoch, 0, [note(1), note(2)])
    await store.keep(1, claim.epoch, -1, [note(3)])
    assert store.records("run", "1") == [(-1, note(3)), (0, note(1)), (0, note(2))]
    assert stored_texts(store) == []


async def test_a_claim_gives_back_what_was_kept_for_turns_that_never_came(store: Store) -> None:
    begin(store, 2)
    one, two = await store.claim([1, 2], at=1.0)
    await store.append(1, one.epoch, turn(0))
    await asyncio.gather(
        store.keep(1, one.epoch, 1, [note(1)]),
        store.keep(1, one.epoch, 1, [note(2)]),
        store.keep(1, one.epoch, -1, [note(9)]),  # of the session as a whole: no turn's
        store.keep(2, two.epoch, 0, [note(3)]),
    )
    assert one.kept == two.kept == ()
    again, other = await store.claim([1, 2], at=2.0)
    assert again.kept == ((1, note(1)), (1, note(2)))
    assert other.kept == ((0, note(3)),)
    await store.append(1, again.epoch, turn(1), [note(4)])
    (last,) = await store.claim([1], at=3.0)
    assert last.kept == ()  # their turn has come
    assert store.records("run", "1") == [(-1, note(9)), (1, note(1)), (1, note(2)), (1, note(4))]


async def test_a_stale_keep_is_refused_and_harms_no_other_in_its_group(store: Store) -> None:
    begin(store, 2)
    old, other = await store.claim([1, 2], at=1.0)
    (new,) = await store.claim([1], at=2.0)
    results = await asyncio.gather(
        store.keep(1, old.epoch, 0, [note(1), note(2)]),
        store.keep(1, new.epoch, 0, [note(3)]),
        store.append(2, other.epoch, turn(0), [note(4)]),
        store.keep(2, other.epoch, 1, [note(5)]),
        return_exceptions=True,
    )
    assert isinstance(results[0], StaleSessionError)
    assert list(results[1:]) == [None, None, None]
    assert store.records("run", "1") == [(0, note(3))]
    assert store.records("run", "2") == [(0, note(4)), (1, note(5))]


async def test_what_cannot_be_stored_is_refused_before_it_spoils_anything(store: Store) -> None:
    begin(store)
    (claim,) = await store.claim([1], at=1.0)
    with pytest.raises(StoreError, match="cannot be stored"):
        await store.keep(1, claim.epoch, 0, [Record(kind="candidate", data={"text": "\ud83d"})])
    assert store.records("run", "1") == []


async def test_the_claims_of_a_run_let_one_keep_for_sessions_that_have_ended(store: Store) -> None:
    begin(store, 2)
    (claim,) = await store.claim([1], at=1.0)
    await store.finish(1, claim.epoch, ending=Ending.CLOSED, at=2.0)
    claims = store.claims("run")
    assert {key: (one.session_id, one.epoch, one.turns) for key, one in claims.items()} == {
        planned(1).key: (1, claim.epoch, ()),
        planned(2).key: (2, 0, ()),
    }
    await store.keep(1, claims[planned(1).key].epoch, -1, [note(1)])
    assert store.records("run", "1") == [(-1, note(1))]


async def test_the_sessions_that_were_exported_for_training_tell_whom_was_learnt_from(store: Store) -> None:
    begin(store, 3)
    begin(store, 3, "other")  # the same clients
    assert store.trained_on() == set()
    keys = [planned(number).key for number in (1, 3)]
    for _ in range(2):  # exported twice, marked once
        store.mark_exported("run", keys, at=1.0)
    assert store.trained_on() == {planned(number).profile.digest for number in (1, 3)}
    store.mark_exported("run", [], at=2.0)
    with pytest.raises(StoreError, match="no run 'nobody'"):
        store.mark_exported("nobody", keys, at=1.0)


# ── what is taken back ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_turns_taken_back_are_gone_with_what_belonged_to_them(store: Store) -> None:
    begin(store, 2)
    one, two = await store.claim([1, 2], at=1.0)
    for index, text in enumerate(("你好", "请说", "睡不好", "多久了？")):
        await store.append(1, one.epoch, turn(index, text), [note(index)])
    await store.keep(1, one.epoch, -1, [note(9)])
    await store.append(2, two.epoch, turn(0, "Hello"), [note(5)])
    await store.take_back(1, one.epoch, 2)
    assert stored_texts(store) == ["你好", "请说"]
    assert store.records("run", "1") == [(-1, note(9)), (0, note(0)), (1, note(1))]
    assert [one.text for one in store.session("run", "2").turns] == ["Hello"]
    assert store.records("run", "2") == [(0, note(5))]


async def test_what_is_said_in_place_of_a_turn_taken_back_is_kept(store: Store) -> None:
    begin(store)
    (claim,) = await store.claim([1], at=1.0)
    await store.append(1, claim.epoch, turn(0, "first"), [note(1)])
    await store.take_back(1, claim.epoch, 0)
    await store.append(1, claim.epoch, turn(0, "second"), [note(2)])
    assert stored_texts(store) == ["second"]
    assert store.records("run", "1") == [(0, note(2))]


async def test_a_stale_writer_takes_nothing_back_and_harms_no_other(store: Store) -> None:
    begin(store)
    (old,) = await store.claim([1], at=1.0)
    await store.append(1, old.epoch, turn(0), [note(1)])
    (new,) = await store.claim([1], at=2.0)
    with pytest.raises(StaleSessionError, match=r"session 1 has been claimed again since \(epoch 2, this writer holds 1\)"):
        await store.take_back(1, old.epoch, 0)
    assert store.records("run", "1") == [(0, note(1))]
    await store.append(1, new.epoch, turn(1, "mine"))
    assert stored_texts(store) == ["你好", "mine"]


async def test_a_turn_is_gone_from_the_disk_once_take_back_returns(url: str, tmp_path: Path) -> None:
    with Store.open(url) as store:
        begin(store)
        (claim,) = await store.claim([1], at=1.0)
        await store.append(1, claim.epoch, turn(0))
        await store.take_back(1, claim.epoch, 0)
        connection = sqlite3.connect(tmp_path / "practicum.db")  # another connection sees what is committed
        assert connection.execute("SELECT count(*) FROM turn").fetchone() == (0,)
        connection.close()
