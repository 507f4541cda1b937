"""The arenas that are measured: a client, a panel of three, one supervisor in three cyclic orders, `practicum arena` all through."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import PROFILES, Bench
from benchmarks.meter import Cost, measure, python

MEMBERS = 3
ORDERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ArenaLoad:
    """So many sessions of a panel, so many calls at once."""

    sessions: int
    """Up to 1,000, or a multiple of it."""
    exchanges: int
    at_once: int
    canaries: str = "2%"
    repeats: float = 0.05

    @property
    def calls(self) -> int:
        """Calls that it takes, canaries and repeats left aside: the opening is fixed."""
        return self.sessions * ((1 + MEMBERS + ORDERS) * self.exchanges - 1)


def arena_command(bench: Bench, load: ArenaLoad, db: Path) -> list[str]:
    """Return the command that holds an arena; the same one resumes it."""
    model = f"openai:fake@{bench.server.url}"
    options = {
        "profiles": bench.profiles(), "client": model, "supervisor": model, "size": MEMBERS, "orders": "cyclic",
        "continue": "winner", "canaries": load.canaries, "limit": min(load.sessions, PROFILES), "run": "arena",
        "per-profile": -(-load.sessions // PROFILES), "max-exchanges": load.exchanges, "at-once": load.at_once,
        "seed": 7, "db": f"sqlite:///{db}", "set": f"repeats={load.repeats}",
    }  # fmt: skip
    members = [f"--member=m{number}={model};temperature={0.5 + number / 10:.1f}" for number in range(MEMBERS)]
    return python("-m", "practicum", "arena", *(f"--{name}={value}" for name, value in options.items()), *members, "--json")


def hold(bench: Bench, load: ArenaLoad, db: Path, *, timeout: float) -> Cost:
    """Hold an arena to its end; the server's options are the caller's."""
    return measure(arena_command(bench, load, db), bench.server, timeout=timeout)
