"""Figure 6: a hundred kills at random moments lose nothing, say nothing twice, and waste only the calls in flight.

Runs are killed (SIGKILL to the whole process group) after a seeded time since their start, which falls anywhere: in the
imports, in the creation of the store, in planning, in mid-run; and started again by the same command, until done. A
finished run makes way for a fresh one, until a hundred kills have hit. After every kill a copy of the store is read with
plain SQL, not with practicum's own code:

- lost: turns that an earlier look at the store has seen and a later one has not, with the same words;
- doubled: turns that stand twice;
- different: turns of a finished run that the undisturbed run does not have, byte for byte (the server is deterministic);
- paid twice: requests whose very bytes the server had seen before (every call has its own seed, so its own bytes);
- in flight: requests sent by the killed process whose turn is not in the store, never more than the calls at once.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.bench import Bench, Load, patience
from benchmarks.fakeserver import FakeServer
from benchmarks.meter import ROOT, MeterError, Watched, clean_environment
from benchmarks.table import Row, Verdict

Transcript = Mapping[tuple[str, int], str]
"""(session, index) to text."""


@dataclass(slots=True)
class Tally:
    """What the kills have done so far."""

    kills: int = 0
    mid_run: int = 0
    """Kills that found turns in the store."""
    runs: int = 0
    lost: int = 0
    doubled: int = 0
    different: int = 0
    """Turns of finished runs that are missing, too many, or not as in the undisturbed run."""
    in_flight: int = 0
    most_in_flight: int = 0
    """At one kill."""
    paid_twice: int = 0

    def holds(self, at_once: int) -> bool:
        """Whether it is as claimed."""
        whole = not (self.lost or self.doubled or self.different)
        return whole and self.mid_run > 0 and self.paid_twice <= self.in_flight and self.most_in_flight <= at_once


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    kills = 6 if bench.quick else 100
    load = Load(sessions=24 if bench.quick else 64, exchanges=10, at_once=16, latency_ms=40)
    tally, draw = Tally(), random.Random(6)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        bench.simulate(load, Path(folder, "undisturbed.db"))
        undisturbed = read_turns(Path(folder, "undisturbed.db"), tally)
        while tally.kills < kills:
            db = Path(folder, f"{tally.runs}.db")
            hold_with_kills(bench, load, db, kills, tally, draw)
            turns = read_turns(db, tally)
            tally.runs += 1
            tally.different += sum(turns.get(place) != undisturbed.get(place) for place in turns.keys() | undisturbed.keys())
            tally.paid_twice += int(bench.server.stats()["repeated_bodies"])
    return [
        Row(
            figure=6,
            measure=f"{tally.kills} × kill -9, then resume: turns lost · doubled · different · calls paid twice",
            reach="0 · 0 · 0 · ≤ in flight",
            ours=f"{tally.lost} · {tally.doubled} · {tally.different} · {tally.paid_twice} (in flight {tally.in_flight})",
            verdict=Verdict.of(tally.holds(load.at_once)),
            detail={**asdict(tally), "calls_a_run": load.calls, "calls_at_once": load.at_once},
        )
    ]


def hold_with_kills(bench: Bench, load: Load, db: Path, kills: int, tally: Tally, draw: random.Random) -> None:
    """Start one run again and again until it is done, killing it while kills are left to give.

    Raises:
        MeterError: It failed, or did not end although nobody killed it.
    """
    bench.server.set(latency=load.latency_ms, slots=load.at_once)
    bench.server.reset()
    turns: Transcript = {}
    requests = 0
    while True:
        left = tally.kills < kills
        if end_or_kill(bench.command(load, db), draw.uniform(0.05, 2.0) if left else patience(load)):
            return
        if not left:
            raise MeterError("a resumed run did not end")
        before, turns = turns, read_turns(db, tally)
        earlier, requests = requests, requests_when_quiet(bench.server)
        in_flight = requests - earlier - (model_turns(turns) - model_turns(before))
        tally.kills += 1
        tally.mid_run += bool(turns)
        tally.lost += sum(turns.get(place) != text for place, text in before.items())
        tally.in_flight += in_flight
        tally.most_in_flight = max(tally.most_in_flight, in_flight)


def end_or_kill(command: Sequence[str], seconds: float) -> bool:
    """Run a command for so many seconds at most; return whether it ended by itself.

    Raises:
        MeterError: It failed.
    """
    with tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=err
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            if process.returncode is None:
                Watched(process).kill()
                process.wait()
        if status:
            err.seek(0)
            raise MeterError(f"exit status {status}: {' '.join(command)}\n{err.read().decode(errors='replace')[-3000:]}")
        return True


def requests_when_quiet(server: FakeServer) -> int:
    """Return the requests seen once the server has noticed that the killed process is gone: all it sent has arrived."""
    while (stats := server.stats())["connections_now"] > 1:  # the one that asks
        time.sleep(0.005)
    return int(stats["requests"])


def model_turns(turns: Transcript) -> int:
    """Return how many turns took a call: the opening is fixed."""
    return sum(index > 0 for _, index in turns)


def read_turns(db: Path, tally: Tally) -> Transcript:
    """Read the turns from a copy of a store, so that looking mends nothing; count those that stand twice."""
    if not db.exists():
        return {}
    with tempfile.TemporaryDirectory(dir=db.parent) as folder:
        for file in db.parent.glob(f"{db.name}*"):
            if not file.name.endswith("-shm"):  # an index to the -wal, made anew by whoever opens it
                shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder, db.name))) as store:
            try:
                rows = store.execute("select key, idx, text from turn join session on session.id = session_id").fetchall()
            except sqlite3.OperationalError:  # killed before the tables were made
                return {}
    turns = {(key, index): text for key, index, text in rows}
    tally.doubled += len(rows) - len(turns)
    return turns
