"""A person on one chair, and whoever answers them heard word by word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from practicum.backends import Chunk, Reply, Request
from practicum.core import Form, SessionView, Utterance, as_seen_by, derive_seed
from practicum.errors import BackendError
from practicum.roles.voice import Chair


class Wish(StrEnum):
    """What a person may want instead of saying something."""

    UNDO = "undo"
    """The last exchange has not been said."""
    RETRY = "retry"
    """Another reply to the same words."""
    SAVE = "save"
    LEAVE = "leave"
    CUT = "cut"
    """No more of the reply that is on its way."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A wish in place of words."""

    wish: Wish
    detail: str = ""
    """What came with it, e.g. a run's name."""


class SteppedOut(Exception):  # noqa: N818 - nothing is wrong: it leaves the loop, which is entered again with the turns that stand
    """The person wants something else than to speak or to listen."""

    def __init__(self, aside: Aside) -> None:
        super().__init__(aside.wish)
        self.aside = aside


class Speaks(Protocol):
    """What a voice is, as far as this module needs to know (`practicum.engine.Voice`)."""

    async def speak(self, session: SessionView) -> Utterance:
        """Say the next thing."""
        ...

    def release(self) -> None:
        """Free what was held."""
        ...


class PersonVoice:
    """One side of a session, spoken by a person."""

    def __init__(self, ask: Callable[[SessionView], Awaitable[str | Aside]]) -> None:
        """Seat a person.

        Args:
            ask: Returns what the person says next, never blank, or what they want instead.
        """
        self._ask = ask
        self._ready = ""

    def say_next(self, text: str) -> None:
        """Let these be the person's next words, without asking for them."""
        self._ready = text

    async def speak(self, session: SessionView) -> Utterance:
        """Return what the person says next.

        Raises:
            SteppedOut: They want something else.
        """
        words: str | Aside = self._ready or await self._ask(session)
        self._ready = ""
        if isinstance(words, Aside):
            raise SteppedOut(words)
        return Utterance(text=words)

    def release(self) -> None:
        """Nothing is held for a person."""


class StreamedVoice:
    """One side of a session, spoken by a model and told as it comes. What has been heard cannot be checked and asked for anew."""

    def __init__(self, chair: Chair, *, key: str, system: str, tell: Callable[[str], None]) -> None:
        """Seat a model.

        Args:
            chair: Its participant is asked in chat form, whatever form a bot behind it makes of that.
            key: The session's key.
            system: The rendered instruction; "" for none.
            tell: Given each piece of a reply.
        """
        self._chair = chair
        self._thread = f"{key}/{chair.speaker}"
        self._system = system
        self._tell = tell

    async def speak(self, session: SessionView) -> Utterance:
        """Say the next thing, piece by piece.

        Raises:
            BackendError: The model gave no answer, or broke off.
            EndpointError: Its server is gone.
        """
        chair = self._chair
        request = Request(
            thread=self._thread,
            form=Form.CHAT,
            messages=as_seen_by(chair.speaker, session.turns, self._system),
            sampling=chair.participant.sampling,
            seed=derive_seed(session.run_seed, session.key, session.next_index, chair.purpose),
            route=session.key,
            language=session.language,
        )
        reply = await whole(chair.backend.stream(request), self._tell)
        call = reply.call
        return Utterance(text=reply.text, call=call, prompt_tokens=call.prompt_tokens, completion_tokens=call.completion_tokens)

    def release(self) -> None:
        """Let the backend forget this side of the session."""
        self._chair.backend.release(self._thread)


async def whole(chunks: AsyncGenerator[Chunk, None], tell: Callable[[str], None] = lambda _: None) -> Reply:
    """Return the reply that comes in chunks, each piece of its text told as it comes; the call is ended if nobody waits any more.

    Raises:
        BackendError: It broke off.
    """
    reply: Reply | None = None
    async with aclosing(chunks):
        async for chunk in chunks:
            if chunk.text:
                tell(chunk.text)
            reply = chunk.reply or reply
    if reply is None:
        raise BackendError("the reply ended without its last piece", kind="broken")
    return reply


class CuttableVoice:
    """Another voice, which the person across may cut short."""

    def __init__(self, voice: Speaks) -> None:
        self._voice = voice
        self._speaking: asyncio.Task[Utterance] | None = None
        self._cut = False

    async def speak(self, session: SessionView) -> Utterance:
        """Say what the voice says.

        Raises:
            SteppedOut: It was cut short.
        """
        self._cut = False
        self._speaking = asyncio.ensure_future(self._voice.speak(session))
        try:
            return await self._speaking
        except asyncio.CancelledError:
            if not self._cut:  # not the reply is cancelled, but whoever waits for it
                raise
            raise SteppedOut(Aside(Wish.CUT)) from None
        finally:
            self._speaking = None

    def cut(self) -> bool:
        """End the reply that is on its way; tell whether there was one."""
        if self._speaking is None:
            return False
        self._cut = True
        return self._speaking.cancel()

    def release(self) -> None:
        """Free what the voice holds."""
        self._voice.release()
