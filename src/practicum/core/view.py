"""Turning the table: the one place that maps speakers to the roles or labels that a model is shown.

Both views are lazy: they hold no messages, so that a session of a hundred turns costs a request as little as its
second. They grow at the end only, as the session does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, overload

from practicum.core.participant import Speaker
from practicum.core.turn import Turn


class Message(NamedTuple):
    """One message as a model is shown it."""

    role: str
    """system, user, assistant."""
    content: str


class SeenTurns(Sequence[Message]):
    """A system message, then every turn as `speaker` sees it."""

    __slots__ = ("_labels", "_roles", "_system", "_turns")

    def __init__(self, system: str, turns: Sequence[Turn], roles: Mapping[Speaker, str], labels: Mapping[Speaker, str]) -> None:
        self._system = system
        self._turns = turns
        self._roles = roles
        self._labels = labels

    def __len__(self) -> int:
        return len(self._turns) + 1

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> list[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | list[Message]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]  # as a list does: counts from the end, refuses what is beyond
        if index == 0:
            return Message("system", self._system)
        turn = self._turns[index - 1]
        return Message(self._roles[turn.speaker], self._labels[turn.speaker] + turn.text)


_SEATS: Mapping[Speaker, Mapping[Speaker, str]] = {speaker: {speaker: "assistant", speaker.other: "user"} for speaker in Speaker}
_TEXT: Mapping[Speaker, str] = dict.fromkeys(Speaker, "user")
_NO_LABELS: Mapping[Speaker, str] = dict.fromkeys(Speaker, "")


def as_seen_by(speaker: Speaker, turns: Sequence[Turn], system: str) -> Sequence[Message]:
    """Return the chat that `speaker` is in: own turns as the assistant's, the other side's as the user's."""
    return SeenTurns(system, turns, _SEATS[speaker], _NO_LABELS)


def as_transcript(turns: Sequence[Turn], system: str, labels: Mapping[Speaker, str]) -> Sequence[Message]:
    """Return the session as labelled lines, one user message a turn; the same for whoever reads it.

    Args:
        turns: The session so far.
        system: The reader's own system prompt.
        labels: What stands before each side's words, e.g. `来访者：`.
    """
    return SeenTurns(system, turns, _TEXT, labels)
