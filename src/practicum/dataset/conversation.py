"""A session on its way into a data set: from a store, or from somebody else's corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from practicum.core import Language, Profile, Speaker, Split


class Line(NamedTuple):
    """One turn."""

    speaker: Speaker
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A whole conversation, before and after it was looked at. Lines need not alternate yet."""

    id: str
    """Unique within its source: a session's key, or the corpus's own id."""
    source: str
    """The run's name, or the corpus file's."""
    licence: str
    """Of the source; "" where nobody said."""
    language: Language
    lines: tuple[Line, ...]
    system: str = ""
    """The counselor's prompt that a row is to carry; "" for none."""
    profile: Profile | None = None
    """None for a corpus that has none."""
    split: Split | None = None
    """What the profile or the corpus says; None: drawn from `group`."""
    group: str
    """What splits go by: the profile's digest, else the digest of what the client first says at length. Conversations of one client
    share it."""
    risk: tuple[str, ...] = ()
    """Kinds of risk known already (the store's); the checks look again at the text."""
    ending: str = ""
    """Why it stopped, where that is known."""

    @property
    def key(self) -> str:
        """What it is called in reports: `SOURCE/ID`."""
        return f"{self.source}/{self.id}"
