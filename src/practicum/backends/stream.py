"""An answer that comes event by event: bytes to events, events to what is said, and the connection that they come by."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Any

import orjson

from practicum.backends.base import KEPT_CHANCES, TokenChances
from practicum.backends.dialect import (
    NOT_SUCH,
    Answered,
    Dialect,
    MalformedError,
    error_text,
    read_answer,
    read_chances,
    read_usage,
)
from practicum.backends.endpoint import Endpoint
from practicum.backends.reasoning import Listener, ends_thoughts
from practicum.backends.transport import Answer, Body, BrokenError, Incoming, TransportError

USAGE_SECONDS = 5.0
"""How long the token counts may come behind the finish of an answer."""
END_SECONDS = 0.25
"""How long the end of the body may come behind [DONE]; then the connection is not used again."""


class EventError(Exception):
    """The server reports an error in the middle of a stream."""

    def __init__(self, event: bytes) -> None:
        super().__init__(error_text(event))
        self.event = event
        """JSON, as in the body of an error."""

    @property
    def status(self) -> int:
        """The HTTP status that the event names; 500 where it names none."""
        found = orjson.loads(self.event)
        error = found.get("error") or found
        code = str(error.get("code")) if isinstance(error, dict) else ""
        return int(code) if re.fullmatch(r"[45]\d\d", code) else 500


class EventReader:
    """Splits server-sent events, however they are cut on their way."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of each event that is whole now."""
        if self._rest:
            data = self._rest + data
        elif data.startswith(b"data: ") and data.find(b"\n") == len(data) - 2 and data.endswith(b"\n\n"):
            return [data[6:-2]]  # as nearly all come
        cut = b""
        if b"\r" in data:
            if data.endswith(b"\r"):  # its \n may be on its way
                data, cut = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        whole, _, rest = data.rpartition(b"\n\n")
        self._rest = rest + cut
        found: list[bytes] = []
        for block in whole.split(b"\n\n"):
            if block.startswith(b"data: ") and b"\n" not in block:
                found.append(block[6:])
            elif block and (joined := _data_of(block)):
                found.append(joined)
        return found

    def end(self) -> list[bytes]:
        """Return the data of a last event that no blank line follows."""
        return self.feed(b"\n\n")


def _data_of(block: bytes) -> bytes:
    """Join the data lines of an event; comments and other fields say nothing to us."""
    lines = (line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(lines)


class GrowingAnswer:
    """What has come of an answer: `/chat/completions` or `/completions`, reasoning apart."""

    def __init__(self, *, unmarked: bool = False) -> None:
        """Begin; see `Listener`."""
        self.finish = ""
        """Why it is at its end; "" while it is not."""
        self.done = False
        """Whether [DONE] has come."""
        self._events = EventReader()
        self._listener = Listener(unmarked=unmarked)
        self._said: list[str] = []
        self._thought: list[str] = []
        self._chances: tuple[TokenChances, ...] = ()
        self._usage: Any = None
        self._id = self._model = ""

    @property
    def finished(self) -> bool:
        """Whether all is said: what may come yet are counts and the end mark."""
        return self.done or bool(self.finish)

    def feed(self, data: bytes) -> str:
        """Take in some bytes; return what can be said now.

        Raises:
            MalformedError: These are no such events.
            EventError: The server reports an error.
        """
        return self._take(self._events.feed(data))

    def end(self) -> str:
        """Return what is left to say: nothing comes any more."""
        said = ""
        try:
            said = self._take(self._events.end())
        except (MalformedError, EventError):
            if not self.finished:
                raise
        rest = self._listener.end()
        if rest:
            self._said.append(rest)
        return said + rest

    def _take(self, events: list[bytes]) -> str:
        text = ""
        for event in events:
            try:
                text += self._text_of(event)
            except NOT_SUCH as problem:
                raise MalformedError(f"{type(problem).__name__}: {event[:80]!r}") from None
        if not text:
            return ""
        said = self._listener.hear(text)
        if said:
            self._said.append(said)
        return said

    def _text_of(self, event: bytes) -> str:
        if event == b"[DONE]":
            self.done = True
            return ""
        read = orjson.loads(event)
        if not self._id:
            self._id, self._model = read.get("id") or "", read.get("model") or ""
        if usage := read.get("usage"):
            self._usage = usage
        choices = read.get("choices")
        if not choices:
            if read.get("error") or read.get("object") == "error":
                raise EventError(event)
            return ""
        choice = choices[0]
        if finish := choice.get("finish_reason"):
            self.finish = finish
        if logprobs := choice.get("logprobs"):
            self._chances = (*self._chances, *read_chances(logprobs))[-KEPT_CHANCES:]
        delta = choice.get("delta")
        if delta is None:
            return choice.get("text") or ""
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            self._thought.append(thought)
        return delta.get("content") or ""

    def answered(self) -> Answered:
        """Return the whole, once it has ended.

        Raises:
            MalformedError: What it says of itself makes no sense.
        """
        try:
            return Answered(
                text="".join(self._said),
                reasoning="".join(self._thought) or self._listener.thought,
                finish=self.finish,
                model=self._model,
                request_id=self._id,
                tokens=read_usage(self._usage),
                chances=self._chances,
            )
        except NOT_SUCH as problem:
            raise MalformedError(f"{type(problem).__name__}: usage {self._usage!r:.80}") from None


class Heard:
    """A reply that came whole, to be taken like a `Hearing`."""

    __slots__ = ("_answered", "first")

    def __init__(self, answered: Answered) -> None:
        self.first = answered.text
        self._answered = answered

    async def next(self) -> str:
        """Return "": there is no more."""
        return ""

    def answered(self) -> Answered:
        """Return it."""
        return self._answered

    def close(self) -> None:
        """Do nothing: its place has been given back already."""


class Hearing:
    """A reply being heard: over a connection, with a place in flight, until `close`."""

    def __init__(self, endpoint: Endpoint, incoming: Incoming, dialect: Dialect, begun: bytes) -> None:
        """Begin with what has been read of the body already."""
        self._endpoint = endpoint
        self.first = ""
        """The first that is said, once it has come; "" if nothing was."""
        self._incoming: Incoming | None = incoming
        self._dialect = dialect
        self.growing = GrowingAnswer(unmarked=dialect.thinks_unmarked)
        self._begun = begun
        self._over = False

    async def next(self) -> str:
        """Return what is said since the last time; "" once all is said.

        Raises:
            TransportError, MalformedError, EventError: It breaks off.
        """
        growing, incoming = self.growing, self._incoming
        if self._over or incoming is None:
            return ""
        while not growing.finished and (data := self._begun or await incoming.read()):
            self._begun = b""
            if said := growing.feed(data):
                return said
        self._over = True
        said = await self._let_end(incoming) if growing.finished else ""
        said += growing.end()
        if not growing.finished:
            raise BrokenError("the stream ended before the answer did")
        return said

    async def _let_end(self, incoming: Incoming) -> str:
        """Read what comes behind the finish. All that counts is there: whatever happens now breaks nothing."""
        growing, loop = self.growing, asyncio.get_running_loop()
        done, said = growing.done, ""
        with suppress(TimeoutError, TransportError, MalformedError, EventError):
            async with asyncio.timeout(END_SECONDS if done else USAGE_SECONDS) as limit:
                while data := await incoming.read():
                    said += growing.feed(data)
                    if growing.done and not done:
                        done = True
                        limit.reschedule(loop.time() + END_SECONDS)
        return said

    def answered(self) -> Answered:
        """Return the whole, once all is said, and book what it took.

        Raises:
            MalformedError: As for `GrowingAnswer.answered`.
        """
        answered = self.growing.answered()
        # Too late for this one, whose thoughts have been said; the next one's are held back.
        self._dialect.thinks_unmarked = ends_thoughts(answered.text) or (self._dialect.thinks_unmarked and bool(answered.reasoning))
        self._endpoint.spent(answered.tokens.prompt + answered.tokens.completion)
        return answered

    def close(self) -> None:
        """Give back the place in flight and the connection, which breaks where all has not been read. Safe to repeat."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.close()
            self._endpoint.flight.leave()


async def open_hearing(
    endpoint: Endpoint,
    dialect: Dialect,
    stamp: int,
    target: str,
    body: Body,
    *,
    timeout: float,  # noqa: ASYNC109 - see Transport
) -> Answer | Answered | Hearing:
    """Ask for a stream, and wait for its first word.

    Returns:
        A reply that has begun, whose place in flight its `close` gives back; or else an answer that came whole: an error's, one from
        a server that knows no streams, or a stream without a word.

    Raises:
        TransportError, MalformedError: No first word came.
    """
    incoming = await endpoint.open(stamp, target, body, timeout=timeout)
    got: Answer | Answered | Hearing | None = None
    try:
        with endpoint.watching(stamp):
            got = await _begin(endpoint, dialect, incoming)
    except EventError as problem:
        got = Answer(problem.status, {}, problem.event)
    finally:
        if not isinstance(got, Hearing):
            incoming.close()
    if not isinstance(got, Answer):
        endpoint.flight.answered(stamp)
    return got


async def _begin(endpoint: Endpoint, dialect: Dialect, incoming: Incoming) -> Answer | Answered | Hearing:
    begun = b""
    while not begun.strip() and (data := await incoming.read()):
        begun += data
    if incoming.status != 200 or begun.lstrip().startswith(b"{"):
        while data := await incoming.read():
            begun += data
        return read_answer(begun) if incoming.status == 200 else Answer(incoming.status, incoming.headers, begun)
    hearing = Hearing(endpoint, incoming, dialect, begun)
    hearing.first = await hearing.next()
    if hearing.first:
        return hearing
    return hearing.growing.answered()
