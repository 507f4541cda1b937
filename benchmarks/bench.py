"""The work that is measured: the same sessions by practicum and by the reference loop, in turns."""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.fakeserver import FakeServer
from benchmarks.meter import Cost, Watched, measure, python
from benchmarks.table import Verdict

PROFILES = 1000
"""Profiles that a benchmark has; more sessions are several of each."""
_STORY = """\
我在一家小公司做会计，每到月底都要加班。
我今年二十九岁，和父母住在一起。
半年前我和相处三年的男朋友分开了。
我常常夜里两点还醒着。
妈妈总说我不够努力，爸爸很少说话。
我准备考研，已经是第二次了。
同事们聚餐从来不叫我。
我把工资的一半寄回家，自己不敢花钱。
上个月体检说我血压偏高。
我不太会拒绝别人，事情越堆越多。
孩子上初二，成绩一直往下掉。
我和婆婆为了带孩子的事常有分歧。
以前我喜欢跑步，现在下班只想躺着。
我在电话里听见妈妈叹气，心里就发紧。
领导当着大家批评过我一次，我一直忘不了。
我总觉得别人在看我的笑话。
我有一个很要好的朋友，去年去了国外。
我试过写日记，写了几天就停了。
我怕冷场，所以常常抢着说话。
我希望有人能听我把话说完。
""".splitlines()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """So many sessions of one length, so many calls at once, against a server of one latency."""

    sessions: int
    exchanges: int
    at_once: int
    latency_ms: float

    @property
    def calls(self) -> int:
        """Model calls that it takes without any fault: the opening is fixed."""
        return self.sessions * (2 * self.exchanges - 1)

    @property
    def seconds(self) -> float:
        """The least time that it takes."""
        return self.calls * self.latency_ms / 1000 / self.at_once


class Rivals(NamedTuple):
    """What the same load cost both, run by run."""

    ours: Sequence[Cost]
    reference: Sequence[Cost]


def best_cpu(costs: Sequence[Cost]) -> float:
    """Return the least CPU milliseconds a call: contention only ever adds."""
    return min(cost.cpu_ms_per_call for cost in costs)


def usual_efficiency(costs: Sequence[Cost], load: Load) -> float:
    """Return the median efficiency."""
    return median(cost.efficiency(load.at_once) for cost in costs)


@dataclass(slots=True)
class Bench:
    """One server, one folder, and what has been measured so far."""

    server: FakeServer
    folder: Path
    quick: bool
    """Small sizes: a smoke test."""
    _measured: dict[Load, Rivals] = field(default_factory=dict)

    def verdict(self, reached: bool) -> Verdict:
        """Return the verdict on a figure that only full sizes can give."""
        return Verdict.TOO_SMALL if self.quick else Verdict.of(reached)

    def both(self, load: Load, rounds: int) -> Rivals:
        """Measure a load `rounds` times, ours and the reference in turns; figures that ask for the same share the runs."""
        if load not in self._measured:
            ours: list[Cost] = []
            reference: list[Cost] = []
            for _ in range(rounds):
                ours.append(self.ours(load))
                reference.append(self.reference(load))
            self._measured[load] = Rivals(ours, reference)
        return self._measured[load]

    def ours(self, load: Load) -> Cost:
        """Measure practicum on a fresh store."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            return self.simulate(load, Path(folder, "practicum.db"))

    def reference(self, load: Load) -> Cost:
        """Measure the reference loop on a fresh store."""
        self._serve(load)
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            sizes = {"sessions": load.sessions, "exchanges": load.exchanges, "at-once": load.at_once, "port": self.server.port}
            arguments = [f"--{name}={value}" for name, value in sizes.items()]
            command = python("-m", "benchmarks.reference_loop", *arguments, f"--db={folder}/reference.db")
            return measure(command, self.server, timeout=patience(load))

    def simulate(
        self,
        load: Load,
        db: Path,
        *extra: str,
        during: Callable[[Watched], None] | None = None,
        allowed: Sequence[int] = (0,),
        timeout: float = 0.0,
    ) -> Cost:
        """Run `practicum simulate` on a store; the same store again resumes."""
        self._serve(load)
        command = self.command(load, db, *extra)
        return measure(command, self.server, timeout=timeout or patience(load), during=during, allowed=allowed)

    def command(self, load: Load, db: Path, *extra: str) -> list[str]:
        """Return the command that holds the sessions of a load."""
        model = f"openai:fake@{self.server.url}"
        options = {
            "profiles": self.profiles(), "client": model, "counselor": model, "limit": min(load.sessions, PROFILES),
            "per-profile": -(-load.sessions // PROFILES), "max-exchanges": load.exchanges, "at-once": load.at_once,
            "seed": 7, "db": f"sqlite:///{db}",
        }  # fmt: skip
        return python("-m", "practicum", "simulate", *(f"--{name}={value}" for name, value in options.items()), *extra, "--json")

    def profiles(self) -> Path:
        """Return a file of made-up profiles, about 350 characters each, the same ones every time."""
        path = self.folder / "profiles.json"
        if not path.exists():
            stories = ["".join(random.Random(number).sample(_STORY, 18)) for number in range(PROFILES)]
            path.write_text(json.dumps(stories, ensure_ascii=False))
        return path

    def _serve(self, load: Load) -> None:
        self.server.set(latency=load.latency_ms, slots=load.at_once)


def patience(load: Load) -> float:
    """Return the seconds after which a run counts as stuck: ten times what it may take on a slow machine."""
    return 60 + 3 * load.seconds + load.calls * 0.005


def endings(db: Path) -> dict[str, int]:
    """Return how many sessions of a store ended how; unfinished ones under `unfinished`."""
    with closing(sqlite3.connect(db)) as store:
        return dict(store.execute("select coalesce(ending, 'unfinished'), count(*) from session group by 1 order by 1").fetchall())
