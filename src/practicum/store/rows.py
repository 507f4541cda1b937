"""What goes into the store and comes out of it, beside the types of core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from practicum.core import Ending, Participant, Profile, Record, Turn, digest_of, text_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptText:
    """A prompt template as it was used."""

    id: str
    text: str

    @property
    def digest(self) -> str:
        """The one that `PromptRef` carries."""
        return text_digest(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as its command describes it."""

    name: str
    """Letters, digits, `.`, `_`, `-`; at most 64 characters, the first a letter or a digit."""
    identity: Mapping[str, Any]
    """All that determines its sessions; JSON-like. It never changes under this name."""
    settings: Mapping[str, Any]
    """What is free to change (addresses, limits, concurrency …); JSON-like. The last command's are kept."""
    version: str
    """The version of practicum that began it."""
    participants: tuple[Participant, ...] = ()
    prompts: tuple[PromptText, ...] = ()

    @property
    def digest(self) -> str:
        """16 hex digits over the identity."""
        return digest_of(self.identity)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSession:
    """A session to be held; the fields are those of `practicum.core.Session`."""

    key: str
    profile: Profile
    case: str
    number: int
    client: str
    counselor: str
    seed: int


@dataclass(frozen=True, slots=True)
class OwedSession:
    """A session that has no ending yet, or failed. Small: a run may owe tens of thousands."""

    id: int
    """What `claim`, `append` and `finish` take."""
    key: str
    profile_id: str
    """`Profile.id`, the user's own."""
    number: int
    failed: bool
    """It has been tried before, and failed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write a session, until somebody claims it again."""

    session_id: int
    epoch: int
    """Goes with every `append` and `finish`."""
    turns: tuple[Turn, ...]
    """What is already stored, in order, without gaps."""
    kept: tuple[tuple[int, Record], ...] = ()
    """What was kept for a turn that was never said, with that turn's index, in order of arrival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums of one run, computed when they are asked for."""

    planned: int = 0
    endings: Mapping[Ending, int] = field(default_factory=dict)
    """Sessions by ending, `failed` included; endings that never happened are absent."""
    turns: int = 0
    exchanges: int = 0
    """Counselor turns."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    flagged: int = 0
    """Sessions with a risk."""
    refused: int = 0
    """Replies that failed their check."""
    notes: int = 0

    @property
    def failed(self) -> int:
        """Sessions that failed; owed again."""
        return self.endings.get(Ending.FAILED, 0)

    @property
    def done(self) -> int:
        """Sessions with any other ending."""
        return sum(self.endings.values()) - self.failed

    @property
    def open(self) -> int:
        """Sessions without an ending: not begun, under way or cut."""
        return self.planned - sum(self.endings.values())


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a run recorded about itself: a parameter dropped, an endpoint waited for."""

    at: float
    """Seconds since 1970 (UTC)."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of a list of runs."""

    name: str
    digest: str
    version: str
    created_at: float
    totals: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Everything about one run but its sessions."""

    name: str
    digest: str
    version: str
    created_at: float
    totals: Totals
    identity: Mapping[str, Any]
    settings: Mapping[str, Any]
    participants: tuple[Participant, ...]
    prompts: tuple[PromptText, ...]
    notes: tuple[Note, ...]
