"""Where a chat's turns are kept: in memory until the person wants them written down, from then on in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count

from practicum.build.chat_plan import ChatPlan
from practicum.core import Ending, Profile, Record, Turn
from practicum.store import Claim, OwedSession, Store

Offer = Callable[[Sequence[Turn]], bool]
"""Tells whether an unfinished session, with these turns, is to be gone on with."""


class Keeper:
    """Keeps a chat's turns (a `Journal`): in memory until told to `keep` them, from then on in the store before the chat goes on."""

    def __init__(self, plan: ChatPlan, db: str, clock: Callable[[], float], said: Callable[[Turn], None]) -> None:
        self._plan = plan
        self._db = db
        self._clock = clock
        self._said = said
        self._held = ExitStack()
        self._kept: tuple[Store, Claim] | None = None
        self._run_id = 0
        self._notes: list[str] = []
        self._records: list[Sequence[Record]] = []
        self.turns: list[Turn] = []
        """Of the session so far."""
        self.run = ""
        """Where the session is kept; "" while it is not."""
        self.key = ""
        """The session's, in the store."""

    async def append(self, turn: Turn, records: Sequence[Record]) -> None:
        """Add a turn; it is durable once this returns, where the chat is kept."""
        if self._kept is not None:
            store, claim = self._kept
            await store.append(claim.session_id, claim.epoch, turn, records)
        self.turns.append(turn)
        self._records.append(records)
        self._said(turn)

    def note(self, text: str) -> None:
        """Record with the run something that its reader should know: a parameter dropped."""
        if self._kept is None:
            self._notes.append(text)
        else:
            store, _ = self._kept
            store.note(self._run_id, text, self._clock())

    async def take_back(self, index: int) -> None:
        """Drop the turns from `index` on, in the store too."""
        if self._kept is not None:
            store, claim = self._kept
            await store.take_back(claim.session_id, claim.epoch, index)
        del self.turns[index:], self._records[index:]

    async def keep(self, profile: Profile, *, run: str = "", offer: Offer | None = None) -> None:
        """Keep the session from here on, with what was said before.

        Args:
            profile: The client's.
            run: The run's name, if not the plan's.
            offer: Asked whether an unfinished session of this client is to be gone on with. None: a new one is begun.

        Raises:
            RunConflictError: The run exists, with other participants.
            StoreError: The store cannot be used, or another process writes the run.
        """
        name = run or self._plan.name
        with ExitStack() as on_failure:
            store = on_failure.enter_context(Store.open(self._db))
            on_failure.enter_context(store.own_run(name))
            run_id = self._run_id = store.begin_run(self._plan.record(name), at=self._clock())
            owed = None if offer is None else self._unfinished(store, run_id, profile)
            if owed is not None and offer is not None and offer(store.session(name, owed.key).turns):
                session_id, self.key = owed.id, owed.key
            else:
                session_id, self.key = self._new(store, name, run_id, profile)
            (claim,) = await store.claim([session_id], self._clock())
            for note in self._notes:
                store.note(run_id, note, self._clock())
            for turn, records in zip(self.turns, self._records, strict=True):
                await store.append(session_id, claim.epoch, turn, records)
            self._held = on_failure.pop_all()
        self.turns += claim.turns
        self._records += [()] * len(claim.turns)
        self._kept, self.run = (store, replace(claim, turns=(), kept=())), name

    def _unfinished(self, store: Store, run_id: int, profile: Profile) -> OwedSession | None:
        """Return the latest session of this client that has no ending."""
        mine = [owed for owed in store.owed_sessions(run_id) if owed.key == self._plan.session(profile, owed.number).key]
        return mine[-1] if mine else None

    def _new(self, store: Store, name: str, run_id: int, profile: Profile) -> tuple[int, str]:
        known = store.claims(name)
        sessions = (self._plan.session(profile, number) for number in count(1))
        planned = next(session for session in sessions if session.key not in known)
        store.plan_sessions(run_id, [planned])
        return store.claims(name)[planned.key].session_id, planned.key

    async def finish(self, ending: Ending, risk: Sequence[str], failure: str = "") -> None:
        """Write the ending, where the chat is kept."""
        if self._kept is not None:
            store, claim = self._kept
            await store.finish(claim.session_id, claim.epoch, ending=ending, failure=failure, risk=risk, at=self._clock())

    def close(self) -> None:
        """Let the store and the run go."""
        self._held.close()
