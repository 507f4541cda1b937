"""A run of sessions between a client and a counselor: from its configuration to its result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from practicum.backends import LOCAL_SAMPLERS
from practicum.build.backends import Backends
from practicum.build.prompting import prompts_for
from practicum.build.seats import Seat, take_seat
from practicum.core import Form, Language, Profile, Speaker, digest_of, session_key
from practicum.core.version import VERSION
from practicum.engine import (
    Appointment,
    Desk,
    Notebook,
    Pace,
    Progress,
    RunConfig,
    RunResult,
    SessionRules,
    SessionsConfig,
    Watcher,
    run_desk,
)
from practicum.errors import ConfigError, PromptError
from practicum.measures import CheckRules, find_risks
from practicum.roles import Chair, ModelVoice, Prompt, labels, opening
from practicum.store import DEFAULT_URL, PlannedSession, PromptText, RunRecord, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run that can begin: nothing in it is left to look up."""

    config: RunConfig
    profiles: tuple[Profile, ...]
    seats: Mapping[Speaker, Seat]
    export_prompts: Mapping[Language, Prompt]
    """The counselor's prompt in chat form, for exports."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else the command said, for the record: the profiles' file …"""

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that determines the sessions: a resume that changes any of it is refused."""
        config = self.config
        return {
            "client": asdict(self.seats[Speaker.CLIENT].participant),
            "counselor": asdict(self.seats[Speaker.COUNSELOR].participant),
            "export_prompts": {language: asdict(prompt.ref) for language, prompt in self.export_prompts.items()},
            "language": config.language or "each profile's own",
            "max_exchanges": config.max_exchanges,
            "ending": config.ending.model_dump(mode="json"),
            "check": config.check.model_dump(mode="json"),
            "stop_on_risk": config.stop_on_risk,
            "seed": config.seed,
            "samplers": {str(speaker): LOCAL_SAMPLERS[seat.asked_in] for speaker, seat in self.seats.items() if seat.weights is not None},
        }

    @property
    def name(self) -> str:
        """The run's name: the user's, or one derived from the identity so that the same command finds the same run."""
        return self.config.run or f"run-{digest_of(self.identity)[:8]}"

    def sessions(self) -> Iterator[PlannedSession]:
        """Every session of the run, profile by profile within each round."""
        identity = digest_of(self.identity)
        client, counselor = (self.seats[speaker].participant.digest for speaker in Speaker)
        for number in range(1, self.config.per_profile + 1):
            for profile in self.profiles:
                yield PlannedSession(
                    key=session_key(identity=identity, profile=profile, number=number),
                    profile=profile,
                    case=digest_of([profile.id, profile.digest, client, counselor]),
                    number=number,
                    client=client,
                    counselor=counselor,
                    seed=self.config.seed,
                )

    def record(self, version: str) -> RunRecord:
        """Return what the store keeps of the run."""
        prompts = [*(prompt for seat in self.seats.values() for prompt in seat.prompts.values()), *self.export_prompts.values()]
        return RunRecord(
            name=self.name,
            identity=self.identity,
            settings={**self.settings, **self.config.model_dump(mode="json")},
            version=version,
            participants=tuple(seat.participant for seat in self.seats.values()),
            prompts=tuple({prompt.ref: PromptText(id=prompt.id, text=prompt.text) for prompt in prompts}.values()),
        )


def plan_run(config: RunConfig, profiles: Sequence[Profile], settings: Mapping[str, Any] | None = None) -> Plan:
    """Resolve every name of a configuration, before anything is started.

    Raises:
        ConfigError: A model, prompt, key or file cannot be had.
    """
    chosen = profiles[: config.limit]
    if not chosen:
        raise ConfigError("no profile to simulate; give --profiles FILE with at least one")
    language = config.language
    seats = {
        Speaker.CLIENT: take_seat(Speaker.CLIENT, config.client),
        Speaker.COUNSELOR: take_seat(Speaker.COUNSELOR, config.counselor),
    }
    counselor = seats[Speaker.COUNSELOR]
    own = counselor.config.prompt is not None
    plan = Plan(
        config=config,
        profiles=tuple(profile if language is None else replace(profile, language=language) for profile in chosen),
        seats=seats,
        export_prompts=prompts_for(Speaker.COUNSELOR, Form.CHAT, config.counselor.prompt),
        settings=settings or {},
    )
    if config.client.prompt is not None or own:
        _try_prompts(plan)
    return plan


def _try_prompts(plan: Plan) -> None:
    """Render a user's own prompts for every profile: one that names a fact that some profile lacks must not fail in mid-run."""
    for profile in plan.profiles:
        try:
            for seat in plan.seats.values():
                seat.render(profile, plan.config.max_exchanges)
        except PromptError as problem:
            raise PromptError(f"{problem}; tried with profile {profile.id!r}") from None


class _Cast:
    """Seats a model on each chair of a session."""

    def __init__(self, plan: Plan, backends: Backends) -> None:
        self._plan = plan
        self._rules = session_rules(plan.config)
        self._chairs = {speaker: chair_of(speaker, seat, backends, plan.config) for speaker, seat in plan.seats.items()}
        self._counselor: dict[Language, str] = {}
        """The counselor's prompt: one text for all sessions of a language."""

    def seat(self, session: Appointment, notebook: Notebook) -> Mapping[Speaker, ModelVoice]:
        """Return both voices; only the client's has seen the profile."""
        profile, seats, most = session.profile, self._plan.seats, self._plan.config.max_exchanges
        if profile.language not in self._counselor:
            self._counselor[profile.language] = seats[Speaker.COUNSELOR].render(profile, most)
        system = {Speaker.CLIENT: seats[Speaker.CLIENT].render(profile, most), Speaker.COUNSELOR: self._counselor[profile.language]}
        first = {Speaker.CLIENT: opening(profile.language), Speaker.COUNSELOR: None}
        return {
            speaker: ModelVoice(chair, key=session.key, system=system[speaker], labels=labels(profile.language), opening=first[speaker])
            for speaker, chair in self._chairs.items()
        }

    def rules(self, session: Appointment) -> SessionRules:
        """Return the rules, which are the same for all."""
        return self._rules

    def risks(self, session: Appointment) -> Sequence[str]:
        """Return the kinds of risk that the profile speaks of."""
        return [str(risk) for risk in find_risks(session.profile.text)]


def hold_run(
    plan: Plan,
    *,
    db: str = DEFAULT_URL,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
    signals: bool = False,
) -> RunResult:
    """Hold every session that the run still owes; see `practicum.simulate`."""
    progress = progress if progress is not None else Progress()
    with Store.open(db) as store, store.own_run(plan.name):
        now = time.time()
        run = store.begin_run(plan.record(VERSION), at=now)

        def notify(text: str) -> None:
            progress.notes.append(text)
            store.note(run, text, time.time())

        backends = Backends(plan.config, [seat.source for seat in plan.seats.values()], notify)
        planned = {session.key: session.profile for session in plan.sessions()}
        store.plan_sessions(run, plan.sessions())
        due = [Appointment(owed.id, owed.key, planned[owed.key]) for owed in store.owed_sessions(run) if owed.key in planned]
        progress.in_flight = backends.under_way
        progress.planned, progress.done_before = len(planned), len(planned) - len(due)
        backends.make_room()
        desk = Desk(
            store=store,
            cast=_Cast(plan, backends),
            pace=Pace(backends=backends.all(), at_once=plan.config.at_once, sessions_at_once=backends.sessions_at_once),
            run_seed=plan.config.seed,
            clock=time.time,
            progress=progress,
            watcher=watcher,
        )
        stopped = run_desk(desk, due, backends.all(), notify if signals else None)
        return result_of(store, plan.name, progress, stopped=stopped)


def result_of(store: Store, run: str, progress: Progress, *, stopped: bool) -> RunResult:
    """Return what came of a run so far, over all processes."""
    totals = store.run(run).totals
    sessions = {str(ending): count for ending, count in totals.endings.items()}
    sessions["unfinished"] = totals.open
    return RunResult(run=run, store=store.url, sessions=sessions, progress=progress, stopped=stopped)


def chair_of(speaker: Speaker, seat: Seat, backends: Backends, config: SessionsConfig) -> Chair:
    """Return what all sessions of a run share of one side of the table."""
    check = config.check
    rules = CheckRules(limit_zh=check.limit_zh, limit_en=check.limit_en, early_exchanges=check.early_exchanges)
    return Chair.of(speaker, seat.participant, backends.of(seat), rules, check.ask_again)


def session_rules(config: SessionsConfig) -> SessionRules:
    """Return how long a session may be and what ends it."""
    return SessionRules(
        max_exchanges=config.max_exchanges,
        ending=config.ending.policy,
        min_exchanges=config.ending.min_exchanges,
        stop_on_risk=config.stop_on_risk,
    )
