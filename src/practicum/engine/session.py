"""One session, held to its end: the loop that everything else stands on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from practicum.core import Ending, Language, Record, SessionView, Speaker, Turn, Utterance
from practicum.engine.moderator import Moderator


class Voice(Protocol):
    """A participant ready to speak: a model, a panel of models, or a person at a keyboard."""

    async def speak(self, session: SessionView) -> Utterance:
        """Say the next thing. An utterance may carry records that are committed with its turn.

        Raises:
            BackendError: It cannot speak any more; the session fails.
        """
        ...

    def release(self) -> None:
        """The session is over or put aside: free what was held for it."""
        ...


class Journal(Protocol):
    """Where a session's turns become durable."""

    async def append(self, turn: Turn, records: Sequence[Record]) -> None:
        """Return once the turn and its records are committed, together."""
        ...


class Notebook(Protocol):
    """What a voice keeps before its turn is said: what was paid for must outlive a crash."""

    kept: Sequence[tuple[int, Record]]
    """Kept by an earlier process for a turn that was never said, with that turn's index."""

    async def keep(self, index: int, records: Sequence[Record]) -> None:
        """Return once the records are committed; they are not to be carried by the turn's utterance again."""
        ...


class OpenSession:
    """A session under way. Keeps of each turn what it needs to go on: the call's record stays in the store alone."""

    __slots__ = ("_turns", "view")

    def __init__(self, *, key: str, language: Language, run_seed: int, turns: Sequence[Turn] = ()) -> None:
        """Open a session with the turns that it has already, none for a new one."""
        self._turns: list[Turn] = [_lean(turn) for turn in turns]
        self.view = SessionView(key, language, run_seed, self._turns)

    @property
    def turns(self) -> Sequence[Turn]:
        """The turns so far."""
        return self._turns

    @property
    def next_speaker(self) -> Speaker:
        """The client has the even turns, the counselor the odd ones."""
        return Speaker.COUNSELOR if len(self._turns) % 2 else Speaker.CLIENT

    def add(self, turn: Turn) -> None:
        """Go on: the turn is durable."""
        self._turns.append(_lean(turn))


def _lean(turn: Turn) -> Turn:
    """Return the turn without its call, tokens and time: at a thousand open sessions they weigh more than the words."""
    return Turn(index=turn.index, speaker=turn.speaker, text=turn.text, state=turn.state)


async def hold_session(
    session: OpenSession,
    voices: Mapping[Speaker, Voice],
    moderator: Moderator,
    journal: Journal,
    *,
    clock: Callable[[], float],
    stopping: Callable[[], bool] = lambda: False,
) -> Ending | None:
    """Let two voices speak in turn until an ending is found; every turn is durable before the next is asked for.

    Args:
        session: The session, with the turns it already has.
        voices: One for each side.
        moderator: Has not yet seen any turn.
        journal: Where turns go.
        clock: Seconds since 1970 (UTC).
        stopping: Asked before each turn; once true, the session is put aside.

    Returns:
        The ending, or None if the session was put aside.

    Raises:
        BackendError: A voice cannot speak; what was said before is kept.
    """
    for turn in session.turns:
        moderator.observe(turn)
    while (ending := moderator.find_ending()) is None:
        if stopping():
            return None
        speaker = session.next_speaker
        utterance = await voices[speaker].speak(session.view)
        turn = moderator.accept(session.view.next_index, speaker, utterance, clock())
        await journal.append(turn, utterance.records)
        session.add(turn)
        moderator.observe(turn)
    return ending
