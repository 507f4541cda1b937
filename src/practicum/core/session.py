"""A session: one whole conversation, what determines it, and why it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from practicum.core.keys import digest_of
from practicum.core.participant import Speaker
from practicum.core.profile import Language, Profile
from practicum.core.turn import Turn


class Ending(StrEnum):
    """Why a session stopped."""

    CLOSED = "closed"
    """Both sides said goodbye."""
    COUNSELOR_CLOSED = "counselor_closed"
    """The counselor ended it (policy `paper`)."""
    CLIENT_LEFT = "client_left"
    TURN_LIMIT = "turn_limit"
    SAFETY_STOP = "safety_stop"
    """A risk was found and the run was told to stop there."""
    FAILED = "failed"
    """A call failed for good; owed again on resume."""


class EndingPolicy(StrEnum):
    """Which rule ends a session before its turn limit."""

    MUTUAL = "mutual"
    """Both sides have said goodbye at the end of a turn."""
    PAPER = "paper"
    """One of the origin's eleven substrings stands in the counselor's turn."""


def session_key(*, identity: str, profile: Profile, number: int) -> str:
    """Return the key of a session: a digest of all that determines it.

    Args:
        identity: Digest of the run's identity (participants, prompts, sampling, ending, length, language, seed).
        profile: The client's profile; its id, language, facts and text count, its source and split do not.
        number: 1, 2, … of this client with this counselor.
    """
    return digest_of([identity, profile.id, profile.language, profile.facts, profile.digest, number])


@dataclass(frozen=True, slots=True)
class SessionView:
    """What a voice may know of a session while it runs: the turns so far, and where it stands. Never the profile."""

    key: str
    """Also names the session's threads to a backend."""
    language: Language
    run_seed: int
    turns: Sequence[Turn]
    """Live: grows at the end only, as the session goes on."""

    @property
    def next_index(self) -> int:
        """Index of the turn to come."""
        return len(self.turns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One whole conversation, as read back from a store."""

    key: str
    run: str
    profile: Profile
    case: str
    """This client with this counselor: digest of profile and counselor."""
    number: int
    """1, 2, … among the sessions of the case."""
    client: str
    counselor: str
    """Digests of the participants."""
    seed: int
    """The run's seed, from which every call's is derived."""
    turns: tuple[Turn, ...] = ()
    ending: Ending | None = None
    """None while it is unfinished."""
    failure: str = ""
    """The cause, where the ending is `failed`."""
    risk: tuple[str, ...] = ()
    """Kinds of risk found in the profile or in any turn, sorted; see `practicum.measures`."""
    started_at: float | None = None
    finished_at: float | None = None

    @property
    def exchanges(self) -> int:
        """Counselor turns: each answers one client turn."""
        return sum(turn.speaker is Speaker.COUNSELOR for turn in self.turns)
