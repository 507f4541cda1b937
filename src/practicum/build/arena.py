"""An arena held: panels are seated, sessions and comparisons held to their end, and what came of them returned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from practicum.arena import (
    Bench,
    Comparison,
    Member,
    Mode,
    Panel,
    Replay,
    Supervisor,
    compare,
    read_comparisons,
)
from practicum.build.arena_plan import ArenaPlan, Meeting
from practicum.build.backends import Backends
from practicum.build.runs import chair_of, result_of, session_rules
from practicum.core import (
    EndingPolicy,
    Language,
    Record,
    Speaker,
)
from practicum.engine import Appointment, Desk, Notebook, Pace, Progress, RunResult, SessionRules, Voice, Watcher, run_desk
from practicum.errors import EndpointError, PracticumError
from practicum.measures import find_risks
from practicum.roles import Chair, ModelVoice, labels, opening
from practicum.store import DEFAULT_URL, Claim, Store


class _Cast:
    """Seats a client and a panel of counselors, or one counselor alone."""

    def __init__(self, plan: ArenaPlan, backends: Backends, bench: Bench) -> None:
        self._plan = plan
        self._bench = bench
        self._rules = session_rules(plan.config)
        # Without a client every session is replayed.
        self._client = None if plan.client is None else (chair_of(Speaker.CLIENT, plan.client, backends, plan.config), plan.client)
        self._members = {name: chair_of(Speaker.COUNSELOR, seat, backends, plan.config) for name, seat in plan.members.items()}
        self._systems: dict[tuple[str, Language], str] = {}
        """Members' prompts: one text for all sessions of a language."""

    def seat(self, session: Appointment, notebook: Notebook) -> Mapping[Speaker, Voice]:
        """Return the client and whoever counsels."""
        meeting = self._plan.meetings[session.key]
        return {Speaker.CLIENT: self._seat_client(session, meeting), Speaker.COUNSELOR: self._seat_counselor(session, meeting, notebook)}

    def _seat_client(self, session: Appointment, meeting: Meeting) -> Voice:
        if meeting.source is not None or self._client is None:
            turns = meeting.source.turns if meeting.source else ()
            return Replay([turn.text for turn in turns if turn.speaker is Speaker.CLIENT])
        chair, seat = self._client
        system = seat.render(session.profile, self._plan.config.max_exchanges)
        language = session.profile.language
        return ModelVoice(chair, key=session.key, system=system, labels=labels(language), opening=opening(language))

    def _seat_counselor(self, session: Appointment, meeting: Meeting, notebook: Notebook) -> Voice:
        members = [
            Member(digest=self._members[name].participant.digest, voice=self._seat_member(name, session)) for name in meeting.members
        ]
        if self._plan.config.mode is Mode.SESSIONS:
            return members[0].voice
        source = meeting.source
        return Panel(
            members,
            self._bench,
            notebook,
            key=session.key,
            labels=labels(session.profile.language),
            go_on=self._plan.config.go_on,
            ordinal=meeting.ordinal,
            history=[turn.text for turn in source.turns if turn.speaker is Speaker.COUNSELOR] if source else (),
        )

    def _seat_member(self, name: str, session: Appointment) -> ModelVoice:
        chair: Chair = self._members[name]
        language = session.profile.language
        if (name, language) not in self._systems:
            self._systems[name, language] = self._plan.members[name].render(session.profile, self._plan.config.max_exchanges)
        return ModelVoice(
            chair, key=session.key, system=self._systems[name, language], labels=labels(language), seat=chair.participant.digest
        )

    def rules(self, session: Appointment) -> SessionRules:
        """Return the rules; a replayed session is as long as it was, whatever is said in it."""
        source = self._plan.meetings[session.key].source
        if source is None:
            return self._rules
        longest = min(self._rules.max_exchanges, source.exchanges)
        return SessionRules(max_exchanges=longest, ending=EndingPolicy.MUTUAL, min_exchanges=longest + 1)

    def risks(self, session: Appointment) -> Sequence[str]:
        """Return the kinds of risk that the profile speaks of."""
        return [str(risk) for risk in find_risks(session.profile.text)]


def _bench(plan: ArenaPlan, backends: Backends) -> Bench:
    config = plan.config
    supervisors = [
        Supervisor(
            participant=seat.participant,
            backend=backends.of(seat),
            systems={language: prompt.render(language=language) for language, prompt in seat.prompts.items()},
            questions=plan.questions[name],
            combine=config.combine,
            constrain=config.constrain,
        )
        for name, seat in plan.supervisors.items()
    ]
    canaries = config.canaries if config.mode is Mode.TURNS else 0.0
    return Bench(supervisors=supervisors, orders=config.orders, canaries=canaries, repeats=config.repeats)


def hold_arena(
    plan: ArenaPlan,
    *,
    db: str = DEFAULT_URL,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
    signals: bool = False,
) -> RunResult:
    """Hold every session and ask for every comparison that the arena still owes.

    Raises:
        ConfigError: A supervisor's server cannot do what the configuration wants of it.
        EndpointError: A server never answered, or stayed away; what was said and chosen is kept.
        StoreError: The store cannot be written.
    """
    progress = progress if progress is not None else Progress()
    with Store.open(db) as store, store.own_run(plan.name):
        run: int | None = None
        due: list[Appointment] = []

        def notify(text: str) -> None:
            progress.notes.append(text)
            if run is not None:
                store.note(run, text, time.time())

        backends = Backends(plan.config, [seat.source for seat in plan.seats], notify)
        bench = _bench(plan, backends)
        progress.in_flight = backends.under_way
        backends.make_room()
        desk = _make_desk(plan, store, backends, bench, progress, watcher)

        async def begin() -> None:
            # Probed first: an arena that a supervisor's server cannot hold uses up no run's name.
            nonlocal run
            for supervisor in bench.supervisors:
                await supervisor.probe()
            run = store.begin_run(plan.record(), at=time.time())
            for note in progress.notes:
                store.note(run, note, time.time())
            due.extend(_plan_sessions(plan, store, run, progress))

        async def compare_sessions() -> None:
            await _compare_all(plan, store, bench, desk, backends.sessions_at_once)

        stopped = run_desk(desk, due, backends.all(), notify if signals else None, before=begin, after=compare_sessions)
        return result_of(store, plan.name, progress, stopped=stopped)


def _make_desk(plan: ArenaPlan, store: Store, backends: Backends, bench: Bench, progress: Progress, watcher: Watcher | None) -> Desk:
    largest = max(len(names) for names in plan.panels())
    return Desk(
        store=store,
        cast=_Cast(plan, backends, bench),
        pace=Pace(
            backends=backends.all(),
            at_once=plan.config.at_once,
            sessions_at_once=backends.sessions_at_once,
            calls_per_session=max(largest, bench.calls_for(largest)) if plan.config.mode is Mode.TURNS else 1,
        ),
        run_seed=plan.config.seed,
        clock=time.time,
        progress=progress,
        watcher=watcher,
    )


def _plan_sessions(plan: ArenaPlan, store: Store, run: int, progress: Progress) -> list[Appointment]:
    """Write down every session that the arena plans, and return those that it owes."""
    planned = {session.key: session.profile for session in plan.sessions()}
    store.plan_sessions(run, plan.sessions())
    due = [Appointment(owed.id, owed.key, planned[owed.key]) for owed in store.owed_sessions(run) if owed.key in planned]
    progress.planned, progress.done_before = len(planned), len(planned) - len(due)
    return due


@dataclass(slots=True)
class _Notebook:
    """Keeps what belongs to a session that has ended."""

    store: Store
    claim: Claim
    kept: Sequence[tuple[int, Record]]

    async def keep(self, index: int, records: Sequence[Record]) -> None:
        await self.store.keep(self.claim.session_id, self.claim.epoch, index, records)


async def _compare_all(plan: ArenaPlan, store: Store, bench: Bench, desk: Desk, most: int | None) -> None:
    """Ask for every comparison that is still owed, as many at once as calls are allowed."""
    if plan.config.mode is not Mode.SESSIONS:
        return
    claims = store.claims(plan.name)
    at_once = max(1, (plan.config.at_once or 16) // bench.calls_for(max(len(names) for names in plan.combinations)))
    # More than `most`, and supervisors of one local model would wait for each other's slots for ever.
    places = asyncio.Semaphore(at_once if most is None else min(at_once, most))

    async def one(comparison: Comparison, first: str, kept: Sequence[tuple[int, Record]]) -> None:
        async with places:
            if not desk.stopping:
                await compare(bench, comparison, _Notebook(store, claims[first], kept))

    try:
        async with asyncio.TaskGroup() as group:
            for comparison, first, kept in read_comparisons(store, plan.name, plan.combinations_by_digest(), run_seed=plan.config.seed):
                group.create_task(one(comparison, first, kept))
    except* PracticumError as problems:
        problem = min(problems.exceptions, key=lambda one: isinstance(one, EndpointError))
        if not (desk.stopping and isinstance(problem, EndpointError)):
            raise problem from None
