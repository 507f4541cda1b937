"""A transport that answers from a list: the seam at which the client is tested."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from practicum.backends.transport import Answer, Body

Step = Answer | Exception | Callable[[dict[str, Any]], Answer]


def completion(text: str | None = "你好", **message: Any) -> Answer:
    """A good answer of `/chat/completions`."""
    body = {
        "id": "r1",
        "model": "m-1",
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": text, **message}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}},
    }
    return Answer(200, {}, orjson.dumps(body))


def refusal(status: int, message: str, *, headers: dict[bytes, bytes] | None = None, **error: str) -> Answer:
    """An error in OpenAI's shape."""
    return Answer(status, headers or {}, orjson.dumps({"error": {"message": message, **error}}))


class ScriptedTransport:
    """Does what the steps say, in order; the last one again and again."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = list(steps)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.bodies: list[bytes] = []
        self.probes = 0
        self.closed = False

    async def send(self, target: str, body: Body | None, *, timeout: float) -> Answer:  # noqa: ASYNC109 - the protocol's
        if body is None:
            self.probes += 1
        else:
            self.bodies.append(b"".join(body))
            self.sent.append((target, orjson.loads(self.bodies[-1])))
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, Answer) else step(self.sent[-1][1])

    async def aclose(self) -> None:
        self.closed = True
