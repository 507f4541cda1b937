"""Backends, each made once, and the limits that those at one address share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from practicum.backends import (
    CallBudget,
    ChatBackend,
    Endpoint,
    HfBackend,
    LocalBackend,
    Notify,
    OpenAIBackend,
    ScriptedBackend,
    find_key,
    open_transport,
    read_rule,
)
from practicum.build.models import ModelSource, adapters_of
from practicum.build.seats import Seat
from practicum.engine import CallsConfig
from practicum.serve import NO_BANNER, BotBackend
from practicum.store import raise_open_files

SPARE_FILES = 64
"""Open files that are not connections: the store, its log, the terminal, what libraries hold."""
SERVED_AT_ONCE = 256
"""Calls in flight to one address where callers wait: there is no time to find out what it takes."""
SERVED_SLOTS = 4
"""Conversations that a local model keeps for callers."""


class Backends:
    """Makes each backend once, however many chairs sit on it; endpoints at one address share its limits."""

    def __init__(
        self,
        config: CallsConfig,
        sources: Iterable[ModelSource],
        notify: Notify,
        *,
        serving: bool = False,
    ) -> None:
        """Make the backend of every source.

        Args:
            config: How models are asked.
            sources: One for each chair: two chairs on one local model are two conversations a session.
            notify: Told what the user should know.
            serving: For callers who wait, not for a run's sessions: no call waits for an endpoint that is away, and no conversation
                keeps a place of its own.
        """
        self._config = config
        self._notify = notify
        self._serving = serving
        self._made: dict[tuple[Any, ...], ChatBackend] = {}
        self._endpoints: dict[tuple[str, str | None], Endpoint] = {}
        self.sessions_at_once: int | None = None
        self._sources = tuple(sources)
        for source in self._sources:
            self.behind(source)

    def of(self, seat: Seat) -> ChatBackend:
        """Return the backend that a seat is asked through: its model's, or a bot's before it."""
        inner = self.behind(seat.source)
        return inner if seat.bot is None else BotBackend(seat.bot, inner)

    def all(self) -> Sequence[ChatBackend]:
        """Every backend, each once."""
        return tuple(self._made.values())

    def under_way(self) -> int:
        """Calls between asking and answer now, over all."""
        return sum(backend.under_way for backend in self._made.values())

    def make_room(self) -> None:
        """Let this process have as many files and connections open as they will need.

        Raises:
            ConfigError: The system allows fewer.
        """
        if addresses := len(self._endpoints):
            capacity = sum(backend.capacity for backend in self._made.values()) if self._config.at_once else 256 * addresses
            raise_open_files(capacity + SPARE_FILES)

    def behind(self, source: ModelSource) -> ChatBackend:
        """Return the backend of a model; one for all adapters of the same weights."""
        key = (source.name.backend, source.weights) if source.weights else (source.identity, source.name.addresses, source.key)
        if key not in self._made:
            self._made[key] = self._new(source)
        return self._made[key]

    def _new(self, source: ModelSource) -> ChatBackend:
        name = source.name
        if source.weights is not None:
            return self._local(source, source.weights)
        if name.backend == "script":
            return ScriptedBackend(read_rule(name.name), name=name.identity)
        if name.backend == "hf":
            return self._hf(source)
        call = self._config.call
        return OpenAIBackend(
            name.name,
            [self._endpoint(source, address) for address in name.addresses],
            budget=CallBudget(timeout=call.timeout, total=call.budget),
            clock=time.monotonic,
            notify=self._notify,
        )

    def _hf(self, source: ModelSource) -> ChatBackend:
        hf = self._config.hf
        return HfBackend(
            source.name.name,
            name=source.identity,
            dtype=source.dtype if hf.dtype == "auto" else hf.dtype,
            device=hf.device,
            trust_remote_code=hf.trust_remote_code and source.remote_code,
            batch=hf.batch,
            caches=hf.caches,
            notify=self._notify,
        )

    def _endpoint(self, source: ModelSource, address: str) -> Endpoint:
        key = find_key(source.name, address, variable=source.key)
        if (address, key) not in self._endpoints:
            limits = self._config.endpoint
            self._endpoints[address, key] = Endpoint(
                address,
                open_transport(address, key, NO_BANNER),
                at_once=self._config.at_once or (SERVED_AT_ONCE if self._serving else None),
                requests_per_minute=limits.requests_per_minute,
                tokens_per_minute=limits.tokens_per_minute,
                patience=limits.patience,
                wait_for_away=not self._serving,
                clock=time.monotonic,
                notify=self._notify,
            )
        return self._endpoints[address, key]

    def _local(self, source: ModelSource, weights: Path) -> ChatBackend:
        local = self._config.local
        return LocalBackend(
            weights,
            name=source.base,
            slots=self._slots(weights),
            context=local.context,
            threads=local.threads,
            adapters=adapters_of(self._sources, weights),
            notify=self._notify,
        )

    def _slots(self, weights: Path) -> int:
        given, at_once = self._config.local.slots, self._config.at_once
        if self._serving:
            return given or min(64, at_once or SERVED_SLOTS)
        chairs = sum(source.weights == weights for source in self._sources)
        slots = given or (min(64, chairs * at_once) if at_once else 2 * chairs)
        slots = max(slots, chairs)  # with fewer, the sides of one session would wait for each other for ever
        sessions = slots // chairs
        self.sessions_at_once = min(sessions, self.sessions_at_once or sessions)
        return slots
