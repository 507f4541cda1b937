"""An arena: from its configuration to panels, planned sessions and comparisons, and what came of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import factorial
from typing import Any

from practicum.arena import (
    ArenaConfig,
    Bench,
    Comparison,
    GoOn,
    Member,
    Mode,
    Orders,
    Panel,
    Replay,
    Supervisor,
    compare,
    find_combinations,
    read_comparisons,
)
from practicum.arena.orders import MOST_FOR_ALL
from practicum.backends import local_samplers
from practicum.build.backends import Backends
from practicum.build.runs import chair_of, result_of, session_rules
from practicum.build.seats import Seat, bundled, take_seat
from practicum.core import (
    LANGUAGES,
    Ending,
    EndingPolicy,
    Form,
    Language,
    Profile,
    Record,
    Session,
    Speaker,
    digest_of,
    session_key,
)
from practicum.core.version import VERSION
from practicum.engine import Appointment, Desk, Notebook, Pace, Progress, RunResult, SessionRules, Voice, Watcher, run_desk
from practicum.errors import ConfigError, EndpointError, PracticumError, PromptError
from practicum.measures import find_risks
from practicum.roles import QUESTION, SUPERVISOR, Chair, ModelVoice, Prompt, labels, load_prompt, opening
from practicum.store import DEFAULT_URL, Claim, PlannedSession, PromptText, RunRecord, Store

Names = tuple[str, ...]

PLAIN_KEYS = {
    "mode", "orders", "go_on", "history", "combine", "constrain", "canaries", "repeats", "max_exchanges", "stop_on_risk", "seed",
}  # fmt: skip
"""Keys of the configuration that are part of an arena's identity as they stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """One planned session of an arena."""

    members: Names
    """Names of the counselors; one alone where whole sessions are compared."""
    ordinal: int
    """Which session of these members it is, from 0."""
    source: Session | None = None
    """The stored session that is replayed."""


@dataclass(frozen=True, kw_only=True)
class ArenaPlan:
    """An arena that can begin: nothing in it is left to look up."""

    config: ArenaConfig
    profiles: tuple[Profile, ...]
    client: Seat | None
    members: Mapping[str, Seat]
    supervisors: Mapping[str, Seat]
    combinations: tuple[Names, ...]
    questions: Mapping[str, Mapping[Language, Prompt]]
    """Supervisors' names to what they are asked."""
    export_prompts: Mapping[Language, Prompt]
    """The bundled counselor's, in chat form, for exports: what was said came from several."""
    sources: tuple[Session, ...] = ()
    """Stored sessions to be replayed."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What the user should know before it begins."""

    @property
    def seats(self) -> list[Seat]:
        """Everybody who is asked."""
        return [*([self.client] if self.client else []), *self.members.values(), *self.supervisors.values()]

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that determines sessions and choices, names and addresses left aside."""
        config = self.config
        return {
            "client": None if self.client is None else asdict(self.client.participant),
            "members": sorted(seat.participant.digest for seat in self.members.values()),
            "supervisors": sorted(seat.participant.digest for seat in self.supervisors.values()),
            "combinations": sorted(map(sorted, self.combinations_by_digest())),
            "export_prompts": {language: asdict(prompt.ref) for language, prompt in self.export_prompts.items()},
            "language": config.language or "each profile's own",
            "ending": config.ending.model_dump(mode="json"),
            "check": config.check.model_dump(mode="json"),
            "samplers": {
                seat.participant.digest: local_samplers(seat.participant.form, steady=seat.role == SUPERVISOR)
                for seat in self.seats
                if seat.weights is not None
            },
            **config.model_dump(mode="json", include=PLAIN_KEYS),
        }

    @property
    def name(self) -> str:
        """The run's name: the user's, or one derived from the identity."""
        return self.config.run or f"arena-{digest_of(self.identity)[:8]}"

    @cached_property
    def meetings(self) -> Mapping[str, Meeting]:
        """Every session by its key, in plan order: client by client, so that a part of an arena has whole clusters."""
        return {planned.key: meeting for planned, meeting in self._plan()}

    def sessions(self) -> Iterator[PlannedSession]:
        """Every session of the run."""
        return (planned for planned, _ in self._plan())

    def combinations_by_digest(self) -> list[list[str]]:
        """Return who meets, as digests."""
        return [[self.members[name].participant.digest for name in names] for names in self.combinations]

    def panels(self) -> tuple[Names, ...]:
        """Who sits together: the combinations, or each member alone where whole sessions are compared."""
        if self.config.mode is Mode.SESSIONS:
            return tuple((name,) for name in self.members)
        return self.combinations

    def _plan(self) -> Iterator[tuple[PlannedSession, Meeting]]:
        identity = digest_of(self.identity)
        client = self.client.participant.digest if self.client else digest_of(["replay", self.config.history])
        seen: Counter[Names] = Counter()
        for number in range(1, self.config.per_profile + 1):
            for profile, source in self._clients():
                for names in self.panels():
                    digests = sorted(self.members[name].participant.digest for name in names)
                    panel = digests[0] if len(digests) == 1 else digest_of(digests)
                    replayed = [source.key] if source else []
                    planned = PlannedSession(
                        key=session_key(identity=digest_of([identity, *digests, *replayed]), profile=profile, number=number),
                        profile=profile,
                        case=digest_of([profile.id, profile.digest, client, panel]),
                        number=number,
                        client=client,
                        counselor=panel,
                        seed=self.config.seed,
                    )
                    yield planned, Meeting(members=names, ordinal=seen[names], source=source)
                    seen[names] += 1

    def _clients(self) -> Iterator[tuple[Profile, Session | None]]:
        if self.config.go_on is GoOn.FIXED:
            yield from ((source.profile, source) for source in self.sources)
        else:
            yield from ((profile, None) for profile in self.profiles)

    def record(self) -> RunRecord:
        """Return what the store keeps of the run."""
        prompts = [prompt for seat in self.seats for prompt in seat.prompts.values()]
        prompts += self.export_prompts.values()
        prompts += [prompt for questions in self.questions.values() for prompt in questions.values()]
        names = {seat.participant.digest: name for name, seat in [*self.members.items(), *self.supervisors.items()]}
        return RunRecord(
            name=self.name,
            identity=self.identity,
            settings={**self.settings, **self.config.model_dump(mode="json"), "names": names},
            version=VERSION,
            participants=tuple({seat.participant.digest: seat.participant for seat in self.seats}.values()),
            prompts=tuple({prompt.ref: PromptText(id=prompt.id, text=prompt.text) for prompt in prompts}.values()),
        )


def plan_arena(
    config: ArenaConfig, profiles: Sequence[Profile], *, db: str = DEFAULT_URL, settings: Mapping[str, Any] | None = None
) -> ArenaPlan:
    """Resolve every name of a configuration, before anything is started.

    Args:
        config: The arena.
        profiles: The clients; none where stored sessions are replayed.
        db: The store: of the sessions that are replayed, and of what was exported for training.
        settings: What else the command said, for the record.

    Raises:
        ConfigError: A model, prompt, key, name or file cannot be had, or a profile must not be used for testing.
        StoreError: The sessions that are to be replayed cannot be read.
    """
    sources, trained = _look_up(config, db)
    chosen = [source.profile for source in sources] if config.go_on is GoOn.FIXED else list(profiles[: config.limit])
    if not chosen:
        raise ConfigError("no profile to hold a session with; give --profiles FILE with at least one")
    notes = check_splits(chosen, trained, allow_train=config.allow_train)
    members = {name: take_seat(Speaker.COUNSELOR, chair) for name, chair in config.members.items()}
    _refuse_twins("members", members)
    forms = {name: take_seat(SUPERVISOR, chair).participant.form for name, chair in config.supervisors.items()}
    questions = {name: _questions(config.mode, form) for name, form in forms.items()}
    supervisors = {
        name: take_seat(SUPERVISOR, chair, more=[prompt.ref for prompt in questions[name].values()])
        for name, chair in config.supervisors.items()
    }
    _refuse_twins("supervisors", supervisors)
    language = config.language
    size = config.size or (2 if config.mode is Mode.SESSIONS else min(3, len(members)))
    combinations = tuple(find_combinations(config.combinations, list(members), size))
    _refuse_large(config, combinations)
    plan = ArenaPlan(
        config=config,
        profiles=tuple(profile if language is None else replace(profile, language=language) for profile in chosen),
        client=None if config.go_on is GoOn.FIXED or config.client is None else take_seat(Speaker.CLIENT, config.client),
        members=members,
        supervisors=supervisors,
        combinations=combinations,
        questions=questions,
        export_prompts=bundled(Speaker.COUNSELOR, Form.CHAT),
        sources=sources,
        settings=settings or {},
        notes=notes,
    )
    _try_prompts(plan)
    return plan


def _refuse_large(config: ArenaConfig, combinations: Sequence[Names]) -> None:
    largest = max(len(names) for names in combinations)
    if config.orders is Orders.ALL and largest > MOST_FOR_ALL:
        raise ConfigError(
            f"orders: all orders of {largest} counselors are {factorial(largest):,} askings a choice; "
            f"expected {MOST_FOR_ALL} counselors at most, or orders cyclic"
        )


def _look_up(config: ArenaConfig, db: str) -> tuple[tuple[Session, ...], set[str]]:
    """Return the sessions that are to be replayed, and the clients that were learnt from."""
    if config.history is None:
        if not Store.exists(db):
            return (), set()
        with Store.open(db) as store:
            return (), store.trained_on()
    with Store.open(db, create=False) as store:
        found = [one for one in store.sessions(config.history) if one.exchanges and one.ending not in (None, Ending.FAILED)]
        if not found:
            raise ConfigError(f"history: run {config.history!r} has no finished session to replay")
        return tuple(found[: config.limit]), store.trained_on()


def check_splits(profiles: Sequence[Profile], trained: set[str], *, allow_train: bool) -> tuple[str, ...]:
    """Refuse clients that a counselor may have learnt from; return what the user should know.

    Raises:
        ConfigError: A profile is marked for training, or stands unmarked in a session that was exported for training.
    """
    marked = [profile.id for profile in profiles if profile.split == "train"]
    learnt = [profile.id for profile in profiles if profile.split is None and profile.digest in trained]
    if marked and not allow_train:
        raise ConfigError(f"profiles: {_some(marked)} marked for training; give test profiles, or --allow-train if nobody learnt from them")
    if learnt and not allow_train:
        raise ConfigError(
            f"profiles: {_some(learnt)} without a split, in sessions that this store has exported for training; "
            "give others, or --allow-train"
        )
    if unmarked := sum(profile.split is None for profile in profiles):
        return (f"{unmarked:,} profiles do not say their split; --split test marks them, so that no export for training takes them",)
    return ()


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(one) for one in ids[:3]) + (" …" if len(ids) > 3 else "")
    return f"{len(ids):,} profile{'s' if len(ids) > 1 else ''} ({shown})"


def _refuse_twins(what: str, seats: Mapping[str, Seat]) -> None:
    by_digest: defaultdict[str, list[str]] = defaultdict(list)
    for name, seat in seats.items():
        by_digest[seat.participant.digest].append(name)
    for names in by_digest.values():
        if len(names) > 1:
            raise ConfigError(f"{what}: {' and '.join(names)} are the same: one model, prompt, form and sampling; change or drop one")


def _questions(mode: Mode, form: Form) -> Mapping[Language, Prompt]:
    name = "turn" if mode is Mode.TURNS else "sessions"
    return {language: load_prompt(QUESTION, language, form, name) for language in LANGUAGES}


def _try_prompts(plan: ArenaPlan) -> None:
    """Render the chairs' prompts for every profile: one that names a fact that some profile lacks must not fail in mid-run."""
    speakers = [seat for seat in plan.seats if seat.role != SUPERVISOR and seat.config.prompt is not None]
    for profile in plan.profiles:
        try:
            for seat in speakers:
                seat.render(profile, plan.config.max_exchanges)
        except PromptError as problem:
            raise PromptError(f"{problem}; tried with profile {profile.id!r}") from None


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
        run = store.begin_run(plan.record(), at=time.time())

        def notify(text: str) -> None:
            progress.notes.append(text)
            store.note(run, text, time.time())

        backends = Backends(plan.config, plan.seats, notify)
        bench = _bench(plan, backends)
        planned = {session.key: session.profile for session in plan.sessions()}
        store.plan_sessions(run, plan.sessions())
        due = [Appointment(owed.id, owed.key, planned[owed.key]) for owed in store.owed_sessions(run) if owed.key in planned]
        progress.in_flight = backends.under_way
        progress.planned, progress.done_before = len(planned), len(planned) - len(due)
        backends.make_room()
        largest = max(len(names) for names in plan.panels())
        desk = Desk(
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

        async def probe() -> None:
            for supervisor in bench.supervisors:
                await supervisor.probe()

        async def compare_sessions() -> None:
            await _compare_all(plan, store, bench, desk, backends.sessions_at_once)

        stopped = run_desk(desk, due, backends.all(), notify if signals else None, before=probe, after=compare_sessions)
        return result_of(store, plan.name, progress, stopped=stopped)


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
