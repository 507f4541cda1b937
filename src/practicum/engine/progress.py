"""What a run tells while it goes on: counters to look at, and events for whoever watches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from practicum.core import Ending, Turn


class Watcher(Protocol):
    """Someone who watches a run live. Called on the loop: be quick."""

    def turn(self, session: str, turn: Turn) -> None:
        """A turn of the session with this key is durable."""
        ...

    def ended(self, session: str, ending: Ending | None) -> None:
        """A session has ended, or was put aside (None)."""
        ...


MOST_CAUSES = 100
"""Causes that differ in a number each would fill the memory of a long run."""


@dataclass(slots=True)
class Progress:
    """Where a run stands; read it at any time."""

    planned: int = 0
    """Sessions of the run in all, earlier ones included."""
    done_before: int = 0
    """Sessions that had ended before this process began."""
    open: int = 0
    endings: Counter[Ending] = field(default_factory=Counter)
    """Sessions that ended in this process, by ending."""
    causes: Counter[str] = field(default_factory=Counter)
    """Why sessions failed in this process, and how many for each cause; `MOST_CAUSES` at most."""
    put_aside: int = 0
    """Sessions stopped between two turns; the same command goes on with them."""
    turns: int = 0
    """Turns made durable in this process."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    refused: int = 0
    """Replies that failed their check and were asked for anew."""
    marked: int = 0
    """Replies that were mended, or taken although they failed."""
    attempts: int = 0
    """Requests sent for the replies that were taken."""
    calls: int = 0
    """Replies taken."""
    in_flight: Callable[[], int] = lambda: 0
    """Calls between asking and answer now, those that wait for a place included."""
    notes: list[str] = field(default_factory=list)
    """What the user should know, once each: a parameter dropped, an endpoint waited for."""

    @property
    def ended(self) -> int:
        """Sessions that ended in this process, failed ones included."""
        return sum(self.endings.values())

    @property
    def failed(self) -> int:
        """Sessions that failed in this process."""
        return self.endings[Ending.FAILED]

    def fail(self, cause: str) -> None:
        """Count a failed session under its cause."""
        if cause in self.causes or len(self.causes) < MOST_CAUSES:
            self.causes[cause] += 1

    def count(self, turn: Turn, refused: int) -> None:
        """Count a durable turn."""
        self.turns += 1
        self.refused += refused
        self.prompt_tokens += turn.prompt_tokens
        self.completion_tokens += turn.completion_tokens
        if turn.state and "check" in turn.state:
            self.marked += 1
        if turn.call is not None:
            self.calls += 1
            self.attempts += turn.call.attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run."""

    run: str
    """Its name."""
    store: str
    """The store's URL, without a password."""
    sessions: Mapping[str, int]
    """Sessions of the whole run by state: each ending, `unfinished`."""
    progress: Progress
    """What this process did."""
    stopped: bool
    """Whether it was stopped before everything was done."""

    @property
    def complete(self) -> bool:
        """Whether every session of the run has ended, none of them failed."""
        return not self.sessions.get("unfinished") and not self.sessions.get(Ending.FAILED)
