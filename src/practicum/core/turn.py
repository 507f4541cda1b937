"""What is said: utterances on their way in, turns once accepted, and the model call behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from practicum.core.participant import Speaker

NOTHING: Mapping[str, Any] = {}
"""The state of a turn that has none: one object for all of them, never written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answered model call."""

    model: str
    """The model that the server says has answered."""
    finish: str
    """The server's finish reason: stop, length, …; "" if it gave none."""
    prompt_tokens: int
    completion_tokens: int
    """Tokens generated, reasoning included. Both counts include answers that said nothing and were asked for again; both are 0
    where the server gives no usage."""
    cached_tokens: int = 0
    """Prompt tokens that the server took from its prefix cache, where it says so."""
    seconds: float
    """From the first sending to the last byte, retries and waits included."""
    attempts: int = 1
    """Requests that were sent for this answer, ≥ 1."""
    request_id: str = ""
    seed: int
    reasoning: str = ""
    """What the model thought and did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something that is committed in one transaction with a turn, and read back with it."""

    kind: str
    """refused (a reply that failed its check), candidate, ballot, choice …"""
    data: Mapping[str, Any]
    """JSON-like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What a voice says, before the moderator has accepted it."""

    text: str
    call: Call | None = None
    """None where no model was asked: an opening, a person at a keyboard."""
    state: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What the speaker inferred or the reply check marked; JSON-like."""
    records: tuple[Record, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens spent for this utterance by all calls, refused replies included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One uninterrupted utterance, accepted."""

    index: int
    """Position in the session, from 0; client and counselor turns both count."""
    speaker: Speaker
    text: str
    """Never empty: the moderator refuses empty speech before a turn exists."""
    call: Call | None = None
    state: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What the speaker or the moderator inferred (risk, check …), JSON-like; enough to resume and to read back."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens spent for this turn by all calls, refused replies included."""
    at: float = 0.0
    """When it was accepted, seconds since 1970 (UTC)."""
