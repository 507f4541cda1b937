"""The way of an answer to its caller: pieces as they come, or all at once; and the watch over whether the caller is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

import orjson

from practicum.backends import Chunk, Reply
from practicum.serve.crisis import BREAK
from practicum.serve.refusal import Refusal

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
BODY_SECONDS = 30.0
"""A body that is not there after this is not waited for."""
_STREAM: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx in front hands events on as they come
)
_FINISHES = {"stop", "length", "content_filter"}


class Gone(StrEnum):
    """Why an answer is not finished."""

    LEFT = "left"
    STOPPED = "stopped"


class _LeftError(Exception):
    """The caller went away while its body was read."""


class Caller:
    """Whoever waits for an answer; a context around the task that gives it.

    Once the caller has gone, or `stop` is called, that task is cancelled; the context takes the cancellation in, and `gone` tells why.
    Any other cancellation passes through.
    """

    __slots__ = ("_present", "_receive", "_task", "_watch", "gone")

    def __init__(self, receive: Receive, present: set[Caller]) -> None:
        """Begin.

        Args:
            receive: The caller's side, ASGI.
            present: Those who wait now; this one is among them while the context lasts.
        """
        self.gone: Gone | None = None
        self._receive = receive
        self._present = present
        self._watch: asyncio.Task[None] | None = None
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._present.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if self._watch is not None:
            self._watch.cancel()
        self._present.discard(self)
        if isinstance(error, _LeftError):
            self.gone = Gone.LEFT
            return True
        if self.gone is None or not isinstance(error, asyncio.CancelledError) or self._task is None:
            return False
        return self._task.uncancel() == 0

    async def read(self, most: int, *, patience: float = BODY_SECONDS) -> bytes:
        """Return the caller's whole body.

        Raises:
            Refusal: 413, as soon as there is more than `most` bytes; 408, where it is not there after `patience` seconds.
        """
        pieces: list[bytes] = []
        length = 0
        try:
            async with asyncio.timeout(patience):
                while True:
                    event = await self._receive()
                    if event["type"] == "http.disconnect":
                        raise _LeftError
                    pieces.append(event.get("body", b""))
                    length += len(pieces[-1])
                    if length > most:
                        raise too_large(most)
                    if not event.get("more_body", False):
                        return b"".join(pieces)
        except TimeoutError:
            raise Refusal(408, f"the body did not come within {patience:g} s", code="timeout") from None

    def watch(self) -> None:
        """Notice from now on when the caller goes; its body has been read."""
        self._watch = asyncio.create_task(self._wait_for_leave())

    def stop(self) -> None:
        """Give the caller up: the gateway is stopping."""
        self._give_up(Gone.STOPPED)

    async def _wait_for_leave(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._give_up(Gone.LEFT)

    def _give_up(self, why: Gone) -> None:
        if self.gone is None and self._task is not None:
            self.gone = why
            self._task.cancel()


def too_large(most: int) -> Refusal:
    """Return what the sender of too long a body is told."""
    return Refusal(413, f"the body has more than {most:,} bytes, which is all that is read", code="request_too_large")


async def send_whole(send: Send, status: int, headers: tuple[Header, ...], body: bytes) -> None:
    """Send an answer that is whole."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_refusal(send: Send, refusal: Refusal) -> None:
    """Send an error as the whole answer."""
    extra = tuple((name.lower().encode(), value.encode("latin-1", "replace")) for name, value in refusal.headers.items())
    await send_whole(send, refusal.status, (JSON, *extra), refusal.body)


async def break_off(send: Send, refusal: Refusal) -> None:
    """End a stream with an error."""
    await send({"type": "http.response.body", "body": b"data: " + refusal.body + b"\n\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What stands around an answer's words."""

    id: str
    created: int
    model: str
    fingerprint: str
    banner: str
    """Said before the reply; "": nothing is."""
    with_usage: bool = False

    def whole(self, reply: Reply) -> bytes:
        """Return the body of an answer that is not streamed."""
        text = f"{self.banner}{BREAK}{reply.text}" if self.banner else reply.text
        return orjson.dumps(
            {
                **self._head("chat.completion"),
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": text, "refusal": None},
                        "logprobs": None,
                        "finish_reason": finish_of(reply),
                    }
                ],
                "usage": usage_of(reply),
            }
        )

    def event(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        """Return a chunk of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._event([choice], None)

    def usage_event(self, reply: Reply) -> bytes:
        """Return the chunk that tells the tokens."""
        return self._event([], usage_of(reply))

    def around(self) -> tuple[bytes, bytes]:
        """Return what stands before and after the words, as JSON, in each chunk: they are put between as they come."""
        before, _, after = self.event({"content": "\0"}).partition(b'"\\u0000"')
        return before, after

    def _event(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        data = {**self._head("chat.completion.chunk"), "choices": choices} | ({"usage": usage} if self.with_usage else {})
        return b"data: " + orjson.dumps(data) + b"\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def finish_of(reply: Reply) -> str:
    """Return why a reply ended, in the protocol's words."""
    return reply.call.finish if reply.call.finish in _FINISHES else "stop"


def usage_of(reply: Reply) -> dict[str, Any]:
    """Return what a reply took; zeros where the model's server does not say."""
    call = reply.call
    return {
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "total_tokens": call.prompt_tokens + call.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": call.cached_tokens},
    }


async def answer_whole(chunks: AsyncGenerator[Chunk, None], send: Send, envelope: Envelope, *, heard: Callable[[], None]) -> Reply:
    """Send an answer once it is whole, and return the reply.

    Args:
        chunks: The answer; closed in any case.
        send: ASGI.
        envelope: What stands around the words.
        heard: Called at the first word.
    """
    reply: Reply | None = None
    async with aclosing(chunks):
        async for chunk in chunks:
            if reply is None:
                heard()
            reply = chunk.reply
    if reply is None:
        raise RuntimeError(f"{envelope.model}: an answer without its end")
    await send_whole(send, 200, (JSON,), envelope.whole(reply))
    return reply


async def answer_in_pieces(chunks: AsyncGenerator[Chunk, None], send: Send, envelope: Envelope, *, heard: Callable[[], None]) -> Reply:
    """Send an answer as it comes, and return the reply; see `answer_whole`.

    Nothing is sent before the first word: what fails until then is told by its status.
    """
    reply: Reply | None = None
    before, after = envelope.around()
    dumps = orjson.dumps
    async with aclosing(chunks):
        first = await anext(chunks)
        heard()
        await send({"type": "http.response.start", "status": 200, "headers": [*_STREAM]})
        opening = envelope.event({"role": "assistant", "content": ""})
        if envelope.banner:
            opening += envelope.event({"content": envelope.banner + BREAK})
        if first.text:
            opening += before + dumps(first.text) + after
        await send({"type": "http.response.body", "body": opening, "more_body": True})
        reply = first.reply
        # The hot path: a piece costs one step of the generator, one join of bytes and one send.
        async for text, last in chunks:
            if text:
                await send({"type": "http.response.body", "body": before + dumps(text) + after, "more_body": True})
            reply = last
    if reply is None:
        raise RuntimeError(f"{envelope.model}: an answer without its end")
    end = envelope.event({}, finish_of(reply))
    if envelope.with_usage:
        end += envelope.usage_event(reply)
    await send({"type": "http.response.body", "body": end + b"data: [DONE]\n\n"})
    return reply
