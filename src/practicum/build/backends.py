"""Backends, each made once, and the limits that those at one address share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from practicum.backends import (
    CallBudget,
    ChatBackend,
    Endpoint,
    LocalBackend,
    Notify,
    OpenAIBackend,
    ScriptedBackend,
    find_key,
    open_transport,
    read_rule,
)
from practicum.build.seats import Seat
from practicum.engine import SessionsConfig
from practicum.store import raise_open_files

SPARE_FILES = 64
"""Open files that are not connections: the store, its log, the terminal, what libraries hold."""


class Backends:
    """Makes each backend once, however many chairs sit on it; endpoints at one address share its limits."""

    def __init__(self, config: SessionsConfig, seats: Sequence[Seat], notify: Notify) -> None:
        self._config = config
        self._notify = notify
        self._made: dict[tuple[Any, ...], ChatBackend] = {}
        self._endpoints: dict[tuple[str, str | None], Endpoint] = {}
        self.sessions_at_once: int | None = None
        self._seats = seats
        for seat in seats:
            self.of(seat)

    def of(self, seat: Seat) -> ChatBackend:
        """Return the backend behind a seat."""
        return self._make(seat, sum(other.weights == seat.weights for other in self._seats))

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
        slots = max(slots, chairs)  # with fewer, the sides of one session would wait for each other for ever
        sessions = slots // chairs
        self.sessions_at_once = min(sessions, self.sessions_at_once or sessions)
        return LocalBackend(
            weights, name=seat.participant.model, slots=slots, context=local.context, threads=local.threads, notify=self._notify
        )
