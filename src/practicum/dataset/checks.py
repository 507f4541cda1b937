"""What is looked for in a conversation before a model may learn from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from practicum.dataset.conversation import Conversation
from practicum.dataset.curate_config import ChecksConfig


class Check(StrEnum):
    """A fault that costs a conversation its place (or, for `RISK`, sets it apart)."""

    TOO_SHORT = "too_short"
    """Fewer exchanges than asked for, or the client never says anything of substance."""
    ROLE_FLIP = "role_flip"
    """The client counsels, or the counselor confides."""
    AI_SELF = "ai_self"
    """A refusal, or a speaker who calls themselves a model or an assistant."""
    PRAISE = "praise"
    """The counselor's turns are mostly empty praise or stock comfort."""
    REPEATS = "repeats"
    """One side says the same again, or a text goes round in a loop."""
    LISTS = "lists"
    """The counselor writes enumerations or Markdown."""
    SCRIPT = "script"
    """Another language or script than the conversation's, broken characters, or both languages mixed."""
    EARLY_ENDING = "early_ending"
    """Thanks or goodbye long before the end."""
    NO_ENDING = "no_ending"
    """It breaks off: nobody says goodbye, thanks, or sums up."""
    COPIED = "copied"
    """The client recites its profile: too large a share of its 8-grams stands there word for word."""
    LEAK = "leak"
    """The counselor knows what it was not told: words of the profile that the client has not said yet."""
    RISK = "risk"
    """Kept apart, not thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason against a conversation."""

    check: Check
    detail: str
    """What was found, in a few words of the text itself; one line, at most 120 characters."""
    line: int | None = None
    """Which turn, from 0; None: the whole."""


class Mend(StrEnum):
    """What can be put right without changing what was said."""

    LABEL = "a role label taken off"
    STAGE_DIRECTION = "a stage direction taken out"
    WHITESPACE = "white space put in order"
    JOINED = "turns of one speaker joined"
    EMPTY = "an empty turn left out"


def mend(conversation: Conversation) -> tuple[Conversation, dict[Mend, int]]:
    """Return the conversation put in order, and how many turns were mended in each way."""
    raise NotImplementedError


def examine(conversation: Conversation, config: ChecksConfig) -> list[Finding]:
    """Return every reason against a conversation, in the order of `Check`; at most one for each check. Checks that are off are not run."""
    raise NotImplementedError
