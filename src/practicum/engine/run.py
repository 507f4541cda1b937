"""Many sessions, held to their end: claimed, admitted by calls in flight, resumed, and never in each other's way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from practicum.backends import ChatBackend
from practicum.core import Ending, Profile, Record, Speaker, Turn
from practicum.engine.moderator import Moderator, SessionRules
from practicum.engine.progress import Progress, Watcher
from practicum.engine.session import Notebook, OpenSession, Voice, hold_session
from practicum.errors import BackendError, EndpointError, PracticumError
from practicum.store import Claim, Store

TICK_SECONDS = 0.02
"""How often free places are looked for: sessions are claimed in batches, one commit each."""
CLAIM_AT_ONCE = 1000
"""Most sessions claimed, and so started, in one go."""


@dataclass(frozen=True, slots=True)
class Appointment:
    """A session that is due: planned, and neither held nor given up yet."""

    id: int
    """Its row in the store."""
    key: str
    profile: Profile


class Cast(Protocol):
    """Seats the voices of a session, whoever they are."""

    def seat(self, session: Appointment, notebook: Notebook) -> Mapping[Speaker, Voice]:
        """Return a voice for each side; `notebook` is for what they keep before they speak."""
        ...

    def rules(self, session: Appointment) -> SessionRules:
        """Return how long the session may be and what ends it."""
        ...

    def risks(self, session: Appointment) -> Sequence[str]:
        """Return the kinds of risk in the client's profile."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much goes on at once."""

    backends: Sequence[ChatBackend]
    """Every backend that the cast asks, each once."""
    at_once: int | None = None
    """Most calls in flight, over all backends; None: what the backends take."""
    sessions_at_once: int | None = None
    """Most open sessions, where the slots of a local model bound them."""
    calls_per_session: int = 1
    """Most calls that one session has under way at once: a panel asks several models together."""

    def room(self, opening: int, open_sessions: int, committing: int = 0) -> int:
        """Return how many more sessions may be opened now.

        A session counts by its calls under way, not by being open. An answer keeps its place until its turn is on the
        disk, so that a crash costs no more calls than `at_once` (a few more with panels, which ask several at once). A
        session that has not had its first answer counts as well, else a burst of new ones would go unseen until their
        first calls.
        """
        capacity = sum(backend.capacity for backend in self.backends)
        under_way = sum(backend.under_way for backend in self.backends)
        places = min(self.at_once or capacity, capacity) - max(under_way + committing, opening * self.calls_per_session)
        # Where a panel is larger than all places together, one session at a time still goes on.
        room = places // self.calls_per_session or int(places > 0 and open_sessions == 0)
        return room if self.sessions_at_once is None else min(room, self.sessions_at_once - open_sessions)


class _Journal:
    """Makes one session's turns durable, and what its voices keep before them, and counts them."""

    __slots__ = ("_claim", "_desk", "_first", "_key", "kept")

    def __init__(self, desk: Desk, key: str, claim: Claim) -> None:
        self._desk = desk
        self._key = key
        self.kept: Sequence[tuple[int, Record]] = claim.kept
        self._claim = replace(claim, turns=(), kept=())  # the session and its voices have what they need of them
        self._first = True

    async def keep(self, index: int, records: Sequence[Record]) -> None:
        desk = self._desk
        desk.committing += 1
        try:
            await desk.store.keep(self._claim.session_id, self._claim.epoch, index, records)
        finally:
            desk.committing -= 1
        desk.progress.refused += sum(record.kind == "refused" for record in records)

    async def append(self, turn: Turn, records: Sequence[Record]) -> None:
        desk = self._desk
        desk.committing += 1
        try:
            await desk.store.append(self._claim.session_id, self._claim.epoch, turn, records)
        finally:
            desk.committing -= 1
        if self._first and turn.call is not None:
            self.answered()
        desk.progress.count(turn, sum(record.kind == "refused" for record in records))
        if desk.watcher is not None:
            desk.watcher.turn(self._key, turn)

    def answered(self) -> None:
        """The session has had its first answer, or will have none: it no longer counts as opening."""
        if self._first:
            self._first = False
            self._desk.opening -= 1


class Desk:
    """Holds the sessions of one run in this process."""

    def __init__(
        self,
        *,
        store: Store,
        cast: Cast,
        pace: Pace,
        run_seed: int,
        clock: Callable[[], float],
        progress: Progress,
        watcher: Watcher | None = None,
    ) -> None:
        self.store = store
        self.progress = progress
        self.watcher = watcher
        self.opening = 0
        """Open sessions that have not had their first answer yet."""
        self.committing = 0
        """Turns on their way to the disk."""
        self._cast = cast
        self._pace = pace
        self._run_seed = run_seed
        self._clock = clock
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return self._stopping

    def stop(self) -> None:
        """Let calls in flight finish, make their turns durable, put every session aside."""
        self._stopping = True
        for backend in self._pace.backends:
            backend.drain()

    async def hold(self, due: Iterable[Appointment]) -> None:
        """Hold every session to its end.

        Raises:
            EndpointError: An endpoint is gone; sessions under way are left as they stand, resumable.
            StoreError: Turns can no longer be made durable.
        """
        waiting = deque(due)
        try:
            async with asyncio.TaskGroup() as group:
                while waiting and not self._stopping:
                    room = min(self._pace.room(self.opening, self.progress.open, self.committing), CLAIM_AT_ONCE, len(waiting))
                    if room > 0:
                        await self._open([waiting.popleft() for _ in range(room)], group)
                    await asyncio.sleep(TICK_SECONDS)
        except* Exception as group_of:  # noqa: BLE001 - every task's error is the run's: the first says why, the rest follow from it
            raise _first_of(group_of) from None

    async def _open(self, batch: Sequence[Appointment], group: asyncio.TaskGroup) -> None:
        claims = await self.store.claim([session.id for session in batch], self._clock())
        by_id = {claim.session_id: claim for claim in claims}
        for session in batch:
            self.opening += 1
            self.progress.open += 1
            group.create_task(self._hold_one(session, by_id[session.id]))

    async def _hold_one(self, due: Appointment, claim: Claim) -> None:
        session = OpenSession(key=due.key, language=due.profile.language, run_seed=self._run_seed, turns=claim.turns)
        journal = _Journal(self, due.key, claim)
        claim = replace(claim, turns=(), kept=())
        voices = self._cast.seat(due, journal)
        moderator = Moderator(self._cast.rules(due), risks=self._cast.risks(due))
        failure = ""
        try:
            ending = await hold_session(session, voices, moderator, journal, clock=self._clock, stopping=lambda: self._stopping)
        except BackendError as problem:
            ending, failure = Ending.FAILED, str(problem)
        except EndpointError:
            if not self._stopping:
                raise
            ending = None
        finally:
            for voice in voices.values():
                voice.release()
            journal.answered()
            self.progress.open -= 1
        await self._close(due, claim, ending, failure, moderator)

    async def _close(self, due: Appointment, claim: Claim, ending: Ending | None, failure: str, moderator: Moderator) -> None:
        if ending is None:
            self.progress.put_aside += 1
        else:
            risk = sorted(moderator.risks)
            await self.store.finish(claim.session_id, claim.epoch, ending=ending, failure=failure, risk=risk, at=self._clock())
            self.progress.endings[ending] += 1
            if ending is Ending.FAILED:
                self.progress.fail(failure)
        if self.watcher is not None:
            self.watcher.ended(due.key, ending)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that says most: a bug before a store's, a store's before an endpoint's."""
    flat: list[BaseException] = []
    stack: list[BaseException] = [group]
    while stack:
        one = stack.pop()
        if isinstance(one, BaseExceptionGroup):
            stack.extend(one.exceptions)
        else:
            flat.append(one)
    return min(flat, key=lambda problem: (isinstance(problem, PracticumError), isinstance(problem, EndpointError)))
