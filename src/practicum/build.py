"""Names and configuration become live objects here: the one file that knows every implementation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from practicum.backends import (
    LOCAL_SAMPLERS,
    TEMPLATES,
    CallBudget,
    ChatBackend,
    Endpoint,
    LocalBackend,
    ModelName,
    Notify,
    OpenAIBackend,
    ScriptedBackend,
    file_identity,
    find_key,
    find_model,
    is_present,
    model_path,
    open_transport,
    read_gguf,
    read_model_name,
    read_rule,
    rule_identity,
    template_for,
)
from practicum.core import LANGUAGES, Form, Language, Participant, Profile, Sampling, Speaker, digest_of, session_key
from practicum.core.version import VERSION
from practicum.engine import Appointment, ChairConfig, Desk, Pace, Progress, RunConfig, RunResult, SessionRules, Watcher, run_desk
from practicum.errors import ConfigError, ModelFileError, PromptError
from practicum.measures import CheckRules, find_risks
from practicum.roles import Chair, ModelVoice, Prompt, labels, load_prompt, opening, read_prompt_file
from practicum.store import DEFAULT_URL, PlannedSession, PromptText, RunRecord, Store, raise_open_files

SPARE_FILES = 64
"""Open files that are not connections: the store, its log, the terminal, what libraries hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One side of the table, every name resolved."""

    speaker: Speaker
    config: ChairConfig
    model: ModelName
    participant: Participant
    prompts: Mapping[Language, Prompt]
    weights: Path | None = None
    """The file of a local model."""

    def render(self, profile: Profile, max_exchanges: int) -> str:
        """Return the system prompt for a session with this client; only the client's own side is given the profile."""
        story = {"profile": profile.text, "facts": profile.facts} if self.speaker is Speaker.CLIENT else {}
        return self.prompts[profile.language].render(language=profile.language, max_exchanges=max_exchanges, **story)


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
            "samplers": {
                str(speaker): LOCAL_SAMPLERS[seat.participant.form] for speaker, seat in self.seats.items() if seat.weights is not None
            },
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
        Speaker.CLIENT: _seat(Speaker.CLIENT, config.client),
        Speaker.COUNSELOR: _seat(Speaker.COUNSELOR, config.counselor),
    }
    counselor = seats[Speaker.COUNSELOR]
    own = counselor.config.prompt is not None
    plan = Plan(
        config=config,
        profiles=tuple(profile if language is None else replace(profile, language=language) for profile in chosen),
        seats=seats,
        export_prompts=counselor.prompts if own else _bundled(Speaker.COUNSELOR, Form.CHAT),
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


def _seat(speaker: Speaker, config: ChairConfig) -> Seat:
    model = read_model_name(config.model)
    form, template, identity, weights = Form.CHAT, "plain", model.identity, None
    if model.backend == "local":
        form, template, identity, weights = _resolve_local(model.name)
    elif model.backend == "script":
        identity = f"script:{rule_identity(model.name)}"
    for address in model.addresses:
        find_key(model, address, variable=config.key)
    form = config.form or form
    template = config.template or template
    if template not in TEMPLATES:
        raise ConfigError(f"{speaker}.template: {template!r} is not one of {', '.join(TEMPLATES)}")
    prompts = _bundled(speaker, form) if config.prompt is None else _own(speaker, form, config.prompt)
    participant = Participant(
        role=speaker,
        model=identity,
        form=form,
        prompts=tuple(sorted({prompt.ref for prompt in prompts.values()}, key=lambda ref: ref.id)),
        sampling=Sampling(temperature=config.temperature, top_p=config.top_p, max_tokens=config.max_tokens),
        template=template if form is Form.TRANSCRIPT else "",
    )
    return Seat(speaker=speaker, config=config, model=model, participant=participant, prompts=prompts, weights=weights)


def _resolve_local(name: str) -> tuple[Form, str, str, Path]:
    """Return form, template, identity and file of a local model, from the catalog or by path."""
    if name.endswith(".gguf"):
        path = Path(name)
        return Form.CHAT, template_for(read_gguf(path).chat_template), f"local:{file_identity(path)}", path
    model = find_model(name)
    if not is_present(model):
        raise ModelFileError(f"model local:{name} is not on this machine yet; `practicum models pull {name}` fetches it")
    return model.form, model.template, f"local:{name}", model_path(model)


def _bundled(speaker: Speaker, form: Form) -> Mapping[Language, Prompt]:
    return {language: load_prompt(speaker, language, form) for language in LANGUAGES}


def _own(speaker: Speaker, form: Form, path: Path) -> Mapping[Language, Prompt]:
    return {language: read_prompt_file(path, role=speaker, language=language, form=form) for language in LANGUAGES}


class _Backends:
    """Makes each backend once, however many chairs sit on it; endpoints at one address share its limits."""

    def __init__(self, plan: Plan, notify: Notify) -> None:
        self._config = plan.config
        self._notify = notify
        self._made: dict[tuple[Any, ...], ChatBackend] = {}
        self._endpoints: dict[tuple[str, str | None], Endpoint] = {}
        self.sessions_at_once: int | None = None
        seats = plan.seats.values()
        self.of = {seat.speaker: self._make(seat, sum(other.weights == seat.weights for other in seats)) for seat in seats}

    def all(self) -> Sequence[ChatBackend]:
        """Every backend, each once."""
        return tuple(self._made.values())

    def addresses(self) -> int:
        """How many addresses are asked."""
        return len(self._endpoints)

    def _make(self, seat: Seat, chairs: int) -> ChatBackend:
        where = seat.weights or seat.model.addresses
        key = (seat.model.identity, where, seat.config.key)
        if key not in self._made:
            self._made[key] = self._new(seat, chairs)
        return self._made[key]

    def _new(self, seat: Seat, chairs: int) -> ChatBackend:
        if seat.weights is not None:
            return self._local(seat, seat.weights, chairs)
        if not seat.model.remote:
            return ScriptedBackend(read_rule(seat.model.name), name=seat.model.identity)
        call = self._config.call
        return OpenAIBackend(
            seat.model.name,
            [self._endpoint(seat, address) for address in seat.model.addresses],
            budget=CallBudget(timeout=call.timeout, total=call.budget),
            clock=time.monotonic,
            notify=self._notify,
        )

    def _endpoint(self, seat: Seat, address: str) -> Endpoint:
        key = find_key(seat.model, address, variable=seat.config.key)
        if (address, key) not in self._endpoints:
            limits = self._config.endpoint
            self._endpoints[address, key] = Endpoint(
                address,
                open_transport(address, key),
                at_once=self._config.at_once,
                requests_per_minute=limits.requests_per_minute,
                tokens_per_minute=limits.tokens_per_minute,
                patience=limits.patience,
                clock=time.monotonic,
                notify=self._notify,
            )
        return self._endpoints[address, key]

    def _local(self, seat: Seat, weights: Path, chairs: int) -> ChatBackend:
        local, at_once = self._config.local, self._config.at_once
        slots = local.slots or (min(64, chairs * at_once) if at_once else 2 * chairs)
        sessions = max(1, slots // chairs)
        self.sessions_at_once = min(sessions, self.sessions_at_once or sessions)
        return LocalBackend(
            weights, name=seat.participant.model, slots=slots, context=local.context, threads=local.threads, notify=self._notify
        )


class _Cast:
    """Seats a model on each chair of a session."""

    def __init__(self, plan: Plan, backends: Mapping[Speaker, ChatBackend]) -> None:
        check = plan.config.check
        rules = CheckRules(limit_zh=check.limit_zh, limit_en=check.limit_en, early_exchanges=check.early_exchanges)
        self._plan = plan
        self._chairs = {
            speaker: Chair.of(speaker, seat.participant, backends[speaker], rules, check.ask_again) for speaker, seat in plan.seats.items()
        }
        self._counselor: dict[Language, str] = {}
        """The counselor's prompt: one text for all sessions of a language."""

    def seat(self, session: Appointment) -> Mapping[Speaker, ModelVoice]:
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

        backends = _Backends(plan, notify)
        planned = {session.key: session.profile for session in plan.sessions()}
        store.plan_sessions(run, plan.sessions())
        due = [Appointment(owed.id, owed.key, planned[owed.key]) for owed in store.owed_sessions(run) if owed.key in planned]
        progress.in_flight = lambda: sum(backend.under_way for backend in backends.all())
        progress.planned, progress.done_before = len(planned), len(planned) - len(due)
        if backends.addresses():
            capacity = sum(backend.capacity for backend in backends.all()) if plan.config.at_once else 256 * backends.addresses()
            raise_open_files(capacity + SPARE_FILES)
        desk = Desk(
            store=store,
            cast=_Cast(plan, backends.of),
            rules=_rules(plan.config),
            pace=Pace(backends=backends.all(), at_once=plan.config.at_once, sessions_at_once=backends.sessions_at_once),
            run_seed=plan.config.seed,
            clock=time.time,
            progress=progress,
            watcher=watcher,
        )
        stopped = run_desk(desk, due, backends.all(), notify if signals else None)
        totals = store.run(plan.name).totals
        sessions = {str(ending): count for ending, count in totals.endings.items()}
        sessions["unfinished"] = totals.open
        return RunResult(run=plan.name, store=store.url, sessions=sessions, progress=progress, stopped=stopped)


def _rules(config: RunConfig) -> SessionRules:
    return SessionRules(
        max_exchanges=config.max_exchanges,
        ending=config.ending.policy,
        min_exchanges=config.ending.min_exchanges,
        stop_on_risk=config.stop_on_risk,
    )
