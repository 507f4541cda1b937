"""Plain HTTP/1.1 over our own small connection pool: httptools parses, each exchange costs one future."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

import httptools

from practicum.backends.transport import CONNECT_SECONDS, KEPT_HEADERS, Address, Answer, Body, BrokenError, NotSentError, SlowError

SWEEP_SECONDS = 0.25
"""How often deadlines are looked at: one timer for all connections instead of one a call."""


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    __slots__ = ("_body", "_headers", "_parser", "_pool", "answer", "deadline", "open", "transport")

    def __init__(self, pool: PlainTransport) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self.answer: asyncio.Future[Answer] | None = None
        self.deadline = 0.0
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as problem:
            self.fail(BrokenError(f"the server does not speak HTTP/1.1: {problem}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in KEPT_HEADERS:
            self._headers[name] = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._finish(keep=self._parser.should_keep_alive())

    def _finish(self, *, keep: bool) -> None:
        waiting, self.answer = self.answer, None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        answer = Answer(self._parser.get_status_code(), self._headers, body)
        self._headers, self._body = {}, []
        if waiting is None or not keep:  # an answer to no question: whatever the server means, do not reuse this
            self._pool.drop(self)
        else:
            self._pool.put_back(self)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self.answer is not None and self._ends_with_connection():
            self._finish(keep=False)
        else:
            self.fail(BrokenError(f"the connection broke: {exc or 'closed by the server'}"))

    def _ends_with_connection(self) -> bool:
        # HTTP/1.0 style: neither length nor chunks, so that only the closing tells where the body ends.
        return bool(self._body) and b"content-length" not in self._headers and b"transfer-encoding" not in self._headers

    def fail(self, problem: Exception) -> None:
        """End the exchange under way with a problem, and the connection with it."""
        waiting, self.answer = self.answer, None
        self._pool.drop(self)
        if waiting is not None and not waiting.done():
            waiting.set_exception(problem)


class PlainTransport:
    """Keep-alive connections to one plain-HTTP address; as many as there are exchanges at once."""

    def __init__(self, address: Address, key: str | None) -> None:
        self._address = address
        self._headers = f"Host: {address.netloc}\r\nAccept: application/json\r\n" + (f"Authorization: Bearer {key}\r\n" if key else "")
        self._heads: dict[str, bytes] = {}
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def send(self, target: str, body: Body | None, *, timeout: float) -> Answer:  # noqa: ASYNC109 - see Transport
        """See `Transport`."""
        loop = asyncio.get_running_loop()
        connection = self._take_idle() or await self._connect(loop)
        self._busy.add(connection)
        connection.deadline = loop.time() + timeout
        waiting: asyncio.Future[Answer] = loop.create_future()
        connection.answer = waiting
        if self._sweep is None:
            self._sweep = loop.call_later(SWEEP_SECONDS, self._check_deadlines, loop)
        connection.transport.writelines(self._message(target, body))
        try:
            return await waiting
        except asyncio.CancelledError:
            connection.fail(BrokenError("cancelled"))
            raise

    def _message(self, target: str, body: Body | None) -> Iterable[bytes | bytearray]:
        if body is None:
            return (f"GET {self._address.path}{target} HTTP/1.1\r\n{self._headers}\r\n".encode(),)
        head = self._heads.get(target)
        if head is None:
            head = (
                f"POST {self._address.path}{target} HTTP/1.1\r\n{self._headers}Content-Type: application/json\r\nContent-Length: ".encode()
            )
            self._heads[target] = head
        return (head, b"%d\r\n\r\n" % sum(map(len, body)), *body)

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.open and not connection.transport.is_closing():
                return connection
        return None

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(lambda: _Connection(self), self._address.host, self._address.port)
        except TimeoutError:
            raise NotSentError(f"no connection within {CONNECT_SECONDS:g} s") from None
        except OSError as problem:
            raise NotSentError(problem.strerror or str(problem)) from None
        return connection

    def _check_deadlines(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [one for one in self._busy if one.deadline <= now]:
            connection.fail(SlowError("no answer in time"))
        self._sweep = loop.call_later(SWEEP_SECONDS, self._check_deadlines, loop) if self._busy else None

    def put_back(self, connection: _Connection) -> None:
        """Keep a connection whose exchange is over for the next one."""
        self._busy.discard(connection)
        self._idle.append(connection)

    def drop(self, connection: _Connection) -> None:
        """Close a connection and forget it."""
        self._busy.discard(connection)
        connection.open = False
        connection.transport.abort()

    async def aclose(self) -> None:
        """Close every connection; exchanges under way end as broken."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in [*self._idle, *self._busy]:
            connection.fail(BrokenError("closed"))
        self._idle.clear()
        await asyncio.sleep(0)  # lets the transports report their end while the loop still runs
