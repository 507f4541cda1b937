"""Figure 17: fifty kills in mid-run of an arena lose no choice, ask for none twice, and pay again only for what was in flight.

As figure 6: `practicum arena` is killed (SIGKILL to the whole process group) after a seeded time since its start and started
again by the same command, until done; a finished run makes way for a fresh one, until fifty kills have hit. After every kill a
copy of the store is read with plain SQL:

- lost: turns, choices, candidates and ballots that an earlier look at the store has seen and a later one has not, or with
  other words; and those of the undisturbed run that a finished run does not have, word for word (the server is deterministic);
- doubled: any of these that stand twice, or that the undisturbed run does not have;
- without a choice: counselor's turns that have none;
- paid twice: requests whose very bytes the server had seen before (every call has its own seed, so its own bytes);
- in flight: requests sent by the killed process whose turn, candidate or ballot is not in the store;
- paid anew: calls that had been committed and were sent again. The last process of a run, which nobody kills, sends exactly the
  calls that the store it found did not have: what it sends beyond those of the undisturbed run less those committed.

Canaries (a tenth of the choices) and repeats (a tenth) are asked for besides, so that they are hit, too.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.arenas import ArenaLoad, arena_command, hold
from benchmarks.bench import Bench
from benchmarks.crashes import end_or_kill, requests_when_quiet
from benchmarks.meter import MeterError
from benchmarks.table import Row, Verdict

Place = tuple[Any, ...]
"""(session, index of the turn, kind, and whose it is)."""

PATIENCE = 300.0


@dataclass(slots=True)
class Tally:
    """What the kills have done so far."""

    kills: int = 0
    mid_run: int = 0
    """Kills that found something in the store."""
    runs: int = 0
    lost: int = 0
    doubled: int = 0
    without_choice: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    """At one kill."""
    paid_twice: int = 0
    paid_anew: int = 0

    def holds(self) -> bool:
        """Whether it is as claimed."""
        whole = not (self.lost or self.doubled or self.without_choice or self.paid_anew)
        return whole and self.mid_run > 0 and self.paid_twice <= self.in_flight


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store holds."""

    said: Mapping[Place, str]
    """Turns, candidates, ballots and choices by their place: what they say, without seconds and times."""
    doubled: int = 0
    calls: int = 0
    """Model calls whose answers are in it."""

    def lacks(self, earlier: Kept) -> int:
        """How many things that an earlier look has seen are not here any more, or are others."""
        return sum(self.said.get(place) != text for place, text in earlier.said.items())

    def without_choice(self) -> int:
        """How many counselor's turns have no choice."""
        chosen = {place[:2] for place in self.said if place[2] == "choice"}
        return sum(place[2] == "turn" and place[1] % 2 == 1 and place[:2] not in chosen for place in self.said)


NOTHING = Kept({})


def measure_figure(bench: Bench) -> list[Row]:
    """Return one row."""
    kills = 5 if bench.quick else 50
    load = ArenaLoad(sessions=12 if bench.quick else 48, exchanges=6, at_once=16, canaries="10%", repeats=0.1)
    tally, draw = Tally(), random.Random(17)
    bench.server.set(latency=40, dist="fixed", slots=load.at_once)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        cost = hold(bench, load, Path(folder, "undisturbed.db"), timeout=PATIENCE)
        undisturbed = read_store(Path(folder, "undisturbed.db"))
        if undisturbed.calls != cost.calls:
            raise MeterError(f"the undisturbed run made {cost.calls} calls, its store holds {undisturbed.calls}")
        while tally.kills < kills:
            db = Path(folder, f"{tally.runs}.db")
            hold_with_kills(bench, arena_command(bench, load, db), db, cost.calls, kills, tally, draw)
            kept = read_store(db)
            tally.runs += 1
            tally.lost += kept.lacks(undisturbed)
            tally.doubled += kept.doubled + len(kept.said.keys() - undisturbed.said.keys())
            tally.without_choice += kept.without_choice()
            tally.paid_twice += int(bench.server.stats()["repeated_bodies"])
    return [
        Row(
            figure=17,
            measure=f"arena, {tally.kills} × kill -9, then resume: lost · doubled · turns without a choice · committed calls paid anew "
            "· calls paid twice",
            reach="0 · 0 · 0 · 0 · ≤ in flight",
            ours=f"{tally.lost} · {tally.doubled} · {tally.without_choice} · {tally.paid_anew} · {tally.paid_twice} "
            f"(in flight {tally.in_flight})",
            verdict=Verdict.of(tally.holds()),
            detail={**asdict(tally), "calls_a_run": cost.calls, "calls_at_once": load.at_once},
        )
    ]


def hold_with_kills(bench: Bench, command: Sequence[str], db: Path, calls: int, kills: int, tally: Tally, draw: random.Random) -> None:
    """Start one run again and again until it is done, killing it while kills are left to give.

    Raises:
        MeterError: It failed, or did not end although nobody killed it.
    """
    bench.server.reset()
    kept, requests = NOTHING, 0
    while True:
        left = tally.kills < kills
        if end_or_kill(command, draw.uniform(0.05, 2.5) if left else PATIENCE):
            tally.paid_anew += requests_when_quiet(bench.server) - requests - (calls - kept.calls)
            return
        if not left:
            raise MeterError("a resumed arena did not end")
        before, kept = kept, read_store(db)
        earlier, requests = requests, requests_when_quiet(bench.server)
        in_flight = requests - earlier - (kept.calls - before.calls)
        tally.kills += 1
        tally.mid_run += bool(kept.said)
        tally.lost += kept.lacks(before)
        tally.doubled += kept.doubled
        tally.without_choice += kept.without_choice()
        tally.in_flight += in_flight
        tally.most_in_flight = max(tally.most_in_flight, in_flight)


def read_store(db: Path) -> Kept:
    """Read what is kept from a copy of a store, so that looking mends nothing."""
    if not db.exists():
        return NOTHING
    with tempfile.TemporaryDirectory(dir=db.parent) as folder:
        for file in db.parent.glob(f"{db.name}*"):
            if not file.name.endswith("-shm"):  # an index to the -wal, made anew by whoever opens it
                shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder, db.name))) as store:
            try:
                turns = store.execute("select key, idx, text from turn join session on session.id = session_id").fetchall()
                records = store.execute("select key, idx, kind, data from record join session on session.id = session_id").fetchall()
            except sqlite3.OperationalError:  # killed before the tables were made
                return NOTHING
    found: list[tuple[Place, str, int]] = [((key, index, "turn"), text, int(index % 2 == 0 < index)) for key, index, text in turns]
    found += [_read_record(key, index, kind, json.loads(data)) for key, index, kind, data in records]
    many = Counter(place for place, _, _ in found)
    return Kept({place: text for place, text, _ in found}, sum(many.values()) - len(many), sum(calls for *_, calls in found))


def _read_record(key: str, index: int, kind: str, data: dict[str, Any]) -> tuple[Place, str, int]:
    """Return place, words and calls of a record; of its calls only the seconds may differ from run to run."""
    data.pop("call", None)
    match kind:
        case "candidate":
            whose: Place = (data["participant"],)
        case "ballot" | "canary":
            whose = (data["rater"], *data["shown"], data["repeat"])
        case "choice":
            whose = (data["rater"],)
        case _:
            whose = ()
    calls = 1 if kind in ("candidate", "refused") else len(data["answers"]) if kind in ("ballot", "canary") else 0
    return (key, index, kind, *whose), json.dumps(data, sort_keys=True), calls
