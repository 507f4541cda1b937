"""A transport that answers from a list: the seam at which the client is tested."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from practicum.backends.transport import Answer, Body


@dataclass
class Streamed:
    """An answer that comes in pieces; it breaks where an exception stands, and never ends where `hangs`."""

    pieces: Sequence[bytes | Exception]
    hangs: bool = False
    status: int = 200
    headers: Mapping[bytes, bytes] = field(default_factory=dict)


Step = Answer | Streamed | Exception | Callable[[dict[str, Any]], Answer]


def event(text: str | None = None, *, finish: str | None = None, raw: bool = False, delta: Mapping[str, Any] | None = None) -> bytes:
    """One event of a stream: a chat's, or (`raw`) a completion's."""
    said = {} if text is None else {"content": text}
    choice: dict[str, Any] = {"text": text or ""} if raw else {"delta": said | dict(delta or {})}
    body = {"id": "r1", "model": "m-1", "choices": [{"index": 0, **choice, "finish_reason": finish}]}
    return b"data: " + orjson.dumps(body) + b"\n\n"


USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}
COUNTED = b"data: " + orjson.dumps({"id": "r1", "choices": [], "usage": USAGE}) + b"\n\n"
DONE = b"data: [DONE]\n\n"
END = (event(finish="stop"), COUNTED, DONE)
"""How a good stream ends."""


def stream(*texts: str) -> Streamed:
    """A good answer of `/chat/completions`, streamed."""
    return Streamed([*map(event, texts), *END])


def completion(text: str | None = "你好", **message: Any) -> Answer:
    """A good answer of `/chat/completions`."""
    body = {
        "id": "r1",
        "model": "m-1",
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}],
        "usage": USAGE,
    }
    return Answer(200, {}, orjson.dumps(body))


def refusal(status: int, message: str, *, headers: dict[bytes, bytes] | None = None, **error: str) -> Answer:
    """An error in OpenAI's shape."""
    return Answer(status, headers or {}, orjson.dumps({"error": {"message": message, **error}}))


class ScriptedIncoming:
    """What a step says, piece by piece."""

    def __init__(self, step: Streamed) -> None:
        self.status = step.status
        self.headers = step.headers
        self._pieces = list(step.pieces)
        self._hangs = step.hangs
        self.whole = False
        self.closed = 0

    async def read(self) -> bytes:
        if self._pieces:
            piece = self._pieces.pop(0)
            if isinstance(piece, Exception):
                raise piece
            return piece
        if self._hangs:
            await asyncio.Event().wait()
        self.whole = True
        return b""

    def close(self) -> None:
        self.closed += 1


class ScriptedTransport:
    """Does what the steps say, in order; the last one again and again."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = list(steps)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.bodies: list[bytes] = []
        self.opened: list[ScriptedIncoming] = []
        self.probes = 0
        self.closed = False

    async def send(self, target: str, body: Body | None, *, timeout: float) -> Answer:  # noqa: ASYNC109 - the protocol's
        step = self._next(target, body)
        assert isinstance(step, Answer)
        return step

    async def open(self, target: str, body: Body, *, timeout: float) -> ScriptedIncoming:  # noqa: ASYNC109 - the protocol's
        step = self._next(target, body)
        streamed = Streamed([step.body], status=step.status, headers=step.headers) if isinstance(step, Answer) else step
        self.opened.append(ScriptedIncoming(streamed))
        return self.opened[-1]

    def _next(self, target: str, body: Body | None) -> Answer | Streamed:
        if body is None:
            self.probes += 1
        else:
            self.bodies.append(b"".join(body))
            self.sent.append((target, orjson.loads(self.bodies[-1])))
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, Answer | Streamed) else step(self.sent[-1][1])

    async def aclose(self) -> None:
        self.closed = True
