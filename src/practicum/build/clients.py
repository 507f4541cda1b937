"""Simulated clients for whoever counsels them: the gateway's callers, a person at a keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from practicum.build.backends import Backends
from practicum.build.seats import Seat, take_seat
from practicum.core import Profile, Speaker
from practicum.dataset import read_profiles
from practicum.engine import ChairConfig, CheckConfig
from practicum.errors import ConfigError
from practicum.measures import CheckRules
from practicum.roles import Chair
from practicum.store import DEFAULT_URL, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Who can be counseled, and what plays them."""

    seat: Seat
    profiles: tuple[Profile, ...]
    max_exchanges: int = 50
    check: CheckConfig = field(default_factory=CheckConfig)

    def render(self, profile: Profile) -> str:
        """Return the client's prompt."""
        return self.seat.render(profile, self.max_exchanges)

    def chair(self, backends: Backends) -> Chair:
        """Return the client's chair."""
        check = self.check
        rules = CheckRules(limit_zh=check.limit_zh, limit_en=check.limit_en, early_exchanges=check.early_exchanges)
        return Chair.of(Speaker.CLIENT, self.seat.participant, backends.of(self.seat), rules, check.ask_again)


def find_clients(where: str, *, model: str | None = None, db: str = DEFAULT_URL) -> Clients:
    """Return the clients of a file of profiles or of a run.

    Args:
        where: A file or folder of profiles, or a run's name.
        model: What plays them; None: the model (prompt, sampling …) that the run had.
        db: The store in which the run is.

    Raises:
        ConfigError: There is no such file, it is no good, or no model is known.
        StoreError: There is no such run.
    """
    if Path(where).exists():
        return clients_of(read_profiles(Path(where)), model=model)
    if not Store.exists(db):
        raise ConfigError(f"clients: {where!r} is neither a file of profiles nor a run: there is no store at {db}")
    with Store.open(db, create=False) as store:
        info = store.run(where)
        profiles = {session.profile.id: session.profile for session in store.sessions(where, with_turns=False)}
    chair: dict[str, Any] = dict(info.settings.get("client") or {})
    if model:
        chair["model"] = model
    if not chair.get("model"):
        raise ConfigError(f"clients: run {where!r} had no client's model (its sessions were imported or replayed); give --client MODEL")
    seat = take_seat(Speaker.CLIENT, ChairConfig.model_validate(chair))
    check = CheckConfig.model_validate(info.settings.get("check") or {})
    most = int(info.settings.get("max_exchanges") or 50)
    return Clients(seat=seat, profiles=tuple(profiles.values()), max_exchanges=most, check=check)


def clients_of(profiles: Sequence[Profile], *, model: str | None) -> Clients:
    """Return clients of profiles, played by a model.

    Raises:
        ConfigError: No model is given, or it cannot be had.
    """
    if not model:
        raise ConfigError("client_model is missing: say what plays the clients, e.g. --client local:qwen2.5-coder-1.5b")
    return Clients(seat=take_seat(Speaker.CLIENT, ChairConfig(model=model)), profiles=tuple(profiles))
