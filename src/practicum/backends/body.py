"""The body of a request, grown and never rebuilt: each message is encoded once in a session's life."""

from __future__ import annotations

from functools import lru_cache

import orjson

from practicum.backends.base import Request
from practicum.backends.templates import TEMPLATES
from practicum.backends.transport import Body
from practicum.core import Form, Message

BLOCK_BYTES = 2048
"""A thousand long buffers that grow in step leave holes in the heap that fit none of them; blocks of one size fill them again."""

NO_SYSTEM = Message("system", "")
"""Stands first where a model gets no instruction; it is not sent."""


@lru_cache(maxsize=16)
def _joined(head: bytes, system: bytes) -> bytes:
    return head + system


def _escaped(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]


class GrownBody:
    """One thread's body up to its last known message."""

    __slots__ = ("_bare", "_blocks", "_count", "_head", "_last")

    def __init__(self, model: str, request: Request) -> None:
        name = orjson.dumps(model)
        if request.form is Form.CHAT:
            self._head = b'{"model":' + name + b',"messages":['
        else:
            self._head = b'{"model":' + name + b',"prompt":"'
        self._forget()

    def _forget(self) -> None:
        self._blocks: list[bytes | bytearray] = [self._head]
        self._count = 0
        self._bare = True
        """No message has been written yet; an empty system message never is."""
        self._last: Message | None = None

    def encode(self, request: Request, parameters: bytes) -> Body:
        """Return the whole body: what is new is encoded and kept, tail and parameters are added for this once.

        All pieces but the last are the grown text itself, not a copy: encode again only when the answer is there.
        """
        messages = request.messages
        there = len(messages)
        # The thread's messages only grow. Should a caller show others under the same name, nothing stale is sent.
        if self._count and (there < self._count or messages[self._count - 1] != self._last):
            self._forget()
        grow = self._grow_chat if request.form is Form.CHAT else self._grow_transcript
        for index in range(self._count, there):
            self._last = messages[index]
            self._add(grow(self._last, request))
            self._count += 1
        end = self._end_of_chat(request) if request.form is Form.CHAT else self._end_of_transcript(request)
        return (*self._blocks, end + parameters)

    def _add(self, piece: bytes) -> None:
        if not self._count:  # the system message: one object for all counselors of a run
            self._blocks = [_joined(self._head, piece)]
            return
        last = self._blocks[-1]
        if isinstance(last, bytes) or len(last) + len(piece) > BLOCK_BYTES:
            self._blocks[-1] = bytes(last)  # full: without the room that a bytearray keeps to grow into
            self._blocks.append(bytearray(piece))
            return
        try:
            last += piece
        except BufferError:  # answered before it was read to its end: an earlier sending still holds the old bytes
            self._blocks[-1] = last + piece

    def _grow_chat(self, message: Message, _: Request) -> bytes:
        if not self._count and message == NO_SYSTEM:
            return b""
        comma, self._bare = b"" if self._bare else b",", False
        return comma + b'{"role":"%b","content":%b}' % (message.role.encode(), orjson.dumps(message.content))

    def _grow_transcript(self, message: Message, request: Request) -> bytes:
        if not self._count:
            return _escaped(TEMPLATES[request.template].opening(message.content))
        return _escaped(message.content if self._count == 1 else f"\n{message.content}")

    def _end_of_chat(self, request: Request) -> bytes:
        if request.tail is None:
            return b"],"
        comma = b"" if self._bare else b","
        return comma + b'{"role":"%b","content":%b}],' % (request.tail.role.encode(), orjson.dumps(request.tail.content))

    def _end_of_transcript(self, request: Request) -> bytes:
        tail = "" if request.tail is None else request.tail.content if self._count == 1 else f"\n{request.tail.content}"
        return _escaped(tail + TEMPLATES[request.template].after + request.cue) + b'",'
