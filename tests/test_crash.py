"""A run in a process of its own that is killed or interrupted, and the same command again."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

import practicum
from benchmarks.fakeserver import FakeServer
from practicum import read_sessions
from tests.remote import calls, profiles, run_on, texts

PATIENCE = 60
"""Seconds after which a child process that does not end has failed its test."""

STOPPABLE = """
import sys
from practicum.build import hold_run, plan_run
from practicum.dataset import read_profiles
from practicum.engine import read_config
from pathlib import Path

model = "openai:m@" + sys.argv[1]
flags = {"client.model": model, "counselor.model": model, "run": "r", "max_exchanges": 6, "at_once": 8}
result = hold_run(plan_run(read_config(flags), read_profiles(Path(sys.argv[3]))), db=sys.argv[2], signals=True)
print("stopped" if result.stopped else "done")
"""
SIMULATE = """
import practicum, sys

model = "openai:m@" + sys.argv[1]
practicum.simulate(sys.argv[3], client=model, counselor=model, db=sys.argv[2], run="r", max_exchanges=6, at_once=8)
print("done")
"""
SESSIONS = 20
LATENCY = 15
"""Milliseconds of a call: several times what it takes to make its turn durable."""


class Killable:
    """The same run in a child process, again and again, on one store."""

    def __init__(self, server: FakeServer, folder: Path, code: str) -> None:
        self.server = server
        self.db = f"sqlite:///{folder / 'killed.db'}"
        self._file = folder / "killed.db"
        self._profiles = folder / "profiles.json"
        self._profiles.write_text(json.dumps([profile.text for profile in profiles(SESSIONS)]), "utf-8")
        self._code = code

    def start(self) -> subprocess.Popen[str]:
        source = Path(practicum.__file__).parents[1]
        return subprocess.Popen(
            [sys.executable, "-c", self._code, self.server.url, self.db, str(self._profiles)],
            env=os.environ | {"PYTHONPATH": str(source)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def turns(self) -> Mapping[tuple[str, int], str]:
        """Read the store by plain SQL; a turn that stands twice is an error."""
        with closing(sqlite3.connect(self._file)) as store:
            rows = store.execute("select key, idx, text from turn join session on session.id = session_id").fetchall()
        turns = {(key, index): text for key, index, text in rows}
        assert len(turns) == len(rows)
        return turns

    def model_turns(self) -> int:
        return sum(index > 0 for _, index in self.turns())

    def has_sent(self, requests: int) -> Callable[[], bool]:
        return lambda: self.server.stats()["requests"] >= requests

    def notes(self) -> list[str]:
        with closing(sqlite3.connect(self._file)) as store:
            return [text for (text,) in store.execute("select text from note")]


def end(child: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a child's end; return its status and what it printed."""
    try:
        out, err = child.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        pytest.fail(f"a child process did not end within {PATIENCE} s")
    return child.returncode, out.strip(), err


def until(child: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    """Return once something is the case, or the child has ended."""
    while child.poll() is None and not reached():
        pass  # each look is a request to the server or a query of the store: no hot loop


def quiet_requests(server: FakeServer) -> int:
    """Return the requests seen, once the connections of a child that is gone are closed."""
    while (stats := server.stats())["connections_now"] > 1:  # the one that asks
        pass
    return int(stats["requests"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, list[str]]]:
    """The transcripts of the same run when nobody disturbs it."""
    with FakeServer.start() as server:
        db = f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'practicum.db'}"
        run_on(server, db, SESSIONS)
        yield texts(read_sessions("r", db=db))


@pytest.fixture
def killable(fake_server: FakeServer, tmp_path: Path) -> Callable[[str], Killable]:
    fake_server.set(latency=LATENCY)
    return lambda code: Killable(fake_server, tmp_path, code)


def finish(run: Killable, undisturbed: Mapping[str, list[str]]) -> None:
    """The same run goes on to its end, and all is as if nobody had disturbed it."""
    assert run_on(run.server, run.db, SESSIONS).complete
    assert texts(read_sessions("r", db=run.db)) == undisturbed
    assert len(run.turns()) == SESSIONS * 12


def test_after_kill_9_nothing_is_lost_and_nothing_is_said_twice(
    killable: Callable[[str], Killable], undisturbed: Mapping[str, list[str]]
) -> None:
    run = killable(SIMULATE)
    moments = sorted(random.Random(5).sample(range(1, calls(SESSIONS) - 20), 4))
    before: Mapping[tuple[str, int], str] = {}
    sent = in_flight = 0
    for moment in moments:
        child = run.start()
        until(child, run.has_sent(moment))
        assert child.poll() is None
        child.kill()
        end(child)
        turns = run.turns()
        assert before.items() <= turns.items()
        lost = (requests := quiet_requests(run.server)) - sent - (run.model_turns() - sum(index > 0 for _, index in before))
        # No session has more than one call whose turn is not on the disk: on its way, or answered and about to be written.
        assert 0 <= lost <= SESSIONS
        before, sent, in_flight = turns, requests, in_flight + lost
    finish(run, undisturbed)
    assert run.server.stats()["repeated_bodies"] == in_flight == run.server.stats()["requests"] - calls(SESSIONS)


def test_ctrl_c_finishes_the_calls_in_flight_and_stops(killable: Callable[[str], Killable], undisturbed: Mapping[str, list[str]]) -> None:
    run = killable(STOPPABLE)
    child = run.start()
    until(child, run.has_sent(60))
    child.send_signal(signal.SIGINT)
    assert end(child)[:2] == (0, "stopped")
    assert 60 <= run.model_turns() == run.server.stats()["requests"] < calls(SESSIONS)
    finish(run, undisturbed)
    assert run.server.stats()["repeated_bodies"] == 0


def test_a_second_signal_stops_at_once(killable: Callable[[str], Killable], undisturbed: Mapping[str, list[str]]) -> None:
    run = killable(STOPPABLE)
    child = run.start()
    until(child, run.has_sent(60))
    run.server.set(latency=1000 * 2 * PATIENCE)  # the calls in flight from here on would outlast this test
    child.send_signal(signal.SIGTERM)
    until(child, lambda: any(note.startswith("stopping: ") for note in run.notes()))
    child.send_signal(signal.SIGINT)
    assert end(child)[:2] == (0, "stopped")
    run.server.set(latency=LATENCY)
    finish(run, undisturbed)
    assert run.server.stats()["repeated_bodies"] <= 8
