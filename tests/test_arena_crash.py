"""An arena in a process of its own that is killed, and the same command again."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import practicum
from benchmarks.fakeserver import FakeServer
from practicum.arena import read_log
from tests.remote import profiles
from tests.test_crash import LATENCY, end, quiet_requests, until

ARENA = """
import sys
from pathlib import Path
from practicum.arena import read_arena_config
from practicum.build import hold_arena, plan_arena
from practicum.dataset import read_profiles

model = "openai:m@" + sys.argv[1]
flags = {
    "client.model": model,
    "members": {name: {"model": model, "temperature": heat} for name, heat in (("a", 0.1), ("b", 0.2), ("c", 0.3))},
    "supervisors": {"judge": {"model": model}},
    "run": "a", "max_exchanges": 3, "at_once": 6, "canaries": 0.2, "repeats": 0.2,
}
plan = plan_arena(read_arena_config(flags), read_profiles(Path(sys.argv[3])), db=sys.argv[2])
print("done" if hold_arena(plan, db=sys.argv[2]).complete else "owing")
"""
SESSIONS = 6
AT_ONCE = 2 * 5
"""Answers of one session that may not be kept yet: three orders, a repeat and a canary, each asked for twice."""
EXCHANGES = 3
MOMENTS = (15, 35, 40)
"""Requests after which each process is killed."""


class Stored(NamedTuple):
    """What stands in the store, by plain SQL."""

    turns: dict[tuple[str, int], str]
    records: list[tuple[str, int, str, str]]
    """Session, turn, kind and data, in order of arrival."""

    def paid(self) -> int:
        """Calls whose answers are kept; ballots may have taken two."""
        answers = 0
        for _, _, kind, text in self.records:
            data: dict[str, Any] = json.loads(text)
            answers += (
                len(data["answers"]) if kind in ("ballot", "canary") else kind == "refused" or (kind == "candidate" and not data["failure"])
            )
        client_turns = sum(index > 0 and index % 2 == 0 for _, index in self.turns)
        return answers + client_turns


def read(db: Path) -> Stored:
    with closing(sqlite3.connect(db)) as store:
        turns = store.execute("select key, idx, text from turn join session on session.id = session_id").fetchall()
        records = store.execute(
            "select key, idx, kind, data from record join session on session.id = session_id order by record.id"
        ).fetchall()
    found = {(key, index): text for key, index, text in turns}
    assert len(found) == len(turns)
    return Stored(found, records)


def start(server: FakeServer, folder: Path) -> subprocess.Popen[str]:
    stories = folder / "profiles.json"
    stories.write_text(json.dumps([profile.text for profile in profiles(SESSIONS)]), "utf-8")
    return subprocess.Popen(
        [sys.executable, "-c", ARENA, server.url, f"sqlite:///{folder / 'arena.db'}", str(stories)],
        env=os.environ | {"PYTHONPATH": str(Path(practicum.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def has_sent(server: FakeServer, requests: int) -> Callable[[], bool]:
    return lambda: server.stats()["requests"] >= requests


def test_after_kill_9_no_choice_is_lost_or_doubled_and_nothing_kept_is_paid_twice(fake_server: FakeServer, tmp_path: Path) -> None:
    fake_server.set(latency=LATENCY)
    before, sent, lost = Stored({}, []), 0, 0
    for moment in MOMENTS:
        child = start(fake_server, tmp_path)
        until(child, has_sent(fake_server, sent + moment))
        assert child.poll() is None
        child.kill()
        end(child)
        now = read(tmp_path / "arena.db")
        assert before.turns.items() <= now.turns.items()
        assert now.records[: len(before.records)] == before.records
        requests = quiet_requests(fake_server)
        gone = requests - sent - (now.paid() - before.paid())
        assert 0 <= gone <= SESSIONS * AT_ONCE
        before, sent, lost = now, requests, lost + gone
    status, out, err = end(start(fake_server, tmp_path))
    assert (status, out) == (0, "done"), err
    stored = read(tmp_path / "arena.db")
    assert stored.paid() + lost == fake_server.stats()["requests"]
    assert fake_server.stats()["repeated_bodies"] == lost  # nothing that was kept was asked for again
    counselors = sorted(place for place in stored.turns if place[1] % 2)
    assert len(counselors) == SESSIONS * EXCHANGES
    for kind in ("choice", "decision"):
        assert sorted((key, index) for key, index, of, _ in stored.records if of == kind) == counselors
    candidates = Counter((key, index, json.loads(data)["participant"]) for key, index, of, data in stored.records if of == "candidate")
    assert len(candidates) == candidates.total() == 3 * len(counselors)
    ballots = Counter(
        (key, index, of, *json.loads(data)["shown"], json.loads(data)["repeat"])
        for key, index, of, data in stored.records
        if of in ("ballot", "canary")
    )
    assert len(ballots) == ballots.total() >= 3 * len(counselors)
    log = read_log(["a"], db=f"sqlite:///{tmp_path / 'arena.db'}")
    assert len(log.rows) == len(counselors)
    for row in log.rows:
        assert stored.turns[row.session, row.turn] == row.texts[row.offered.index(row.went_on)]
