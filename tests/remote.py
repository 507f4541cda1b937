"""What the tests of whole runs share: profiles, and a run against the fake model server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.fakeserver import FakeServer
from practicum import Profile, Session, simulate
from practicum.engine import RunResult

STORIES = ["我最近总是睡不好，工作也提不起劲。", "I keep waking up at four and cannot say why.", "我和妈妈又吵了一架。"]
"""Their language decides in which one the fake server answers."""


def profiles(count: int) -> list[Profile]:
    return [Profile.of(f"{STORIES[n % len(STORIES)]} {n}", "zh" if n % len(STORIES) != 1 else "en") for n in range(count)]


def run_on(server: FakeServer, db: str, count: int, **options: Any) -> RunResult:
    """Hold sessions of six exchanges against the fake server."""
    model = f"openai:m@{server.url}"
    named: dict[str, Any] = {"run": "r", "max_exchanges": 6} | options
    return simulate(profiles(count), client=model, counselor=model, db=db, **named)


def texts(sessions: Iterable[Session]) -> dict[str, list[str]]:
    return {session.key: [turn.text for turn in session.turns] for session in sessions}


def calls(sessions: int, exchanges: int = 6) -> int:
    return sessions * (2 * exchanges - 1)
