"""An arena planned: from its configuration to who meets whom before which client, every name resolved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import factorial
from typing import Any

from practicum.arena import (
    ArenaConfig,
    GoOn,
    Mode,
    Orders,
    find_combinations,
)
from practicum.arena.orders import MOST_FOR_ALL
from practicum.backends import local_samplers
from practicum.build.prompting import bundled
from practicum.build.seats import Seat, take_seat
from practicum.core import (
    LANGUAGES,
    Ending,
    Form,
    Language,
    Profile,
    Session,
    Speaker,
    digest_of,
    session_key,
)
from practicum.core.version import VERSION
from practicum.errors import ConfigError, PromptError
from practicum.roles import QUESTION, SUPERVISOR, Prompt, load_prompt
from practicum.store import DEFAULT_URL, PlannedSession, PromptText, RunRecord, Store

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
                seat.participant.digest: local_samplers(seat.asked_in, steady=seat.role == SUPERVISOR)
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
