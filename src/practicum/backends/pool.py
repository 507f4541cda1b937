"""Plain HTTP/1.1 over our own small connection pool: httptools parses, each exchange costs one future."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from typing import cast

import httptools

from practicum.backends.transport import (
    CONNECT_SECONDS,
    KEPT_HEADERS,
    Address,
    Answer,
    Body,
    BrokenError,
    NotSentError,
    SlowError,
    TransportError,
    request_headers,
)

SWEEP_SECONDS = 0.25
"""How often deadlines are looked at: one timer for all connections instead of one a call."""
MOST_UNREAD = 256 * 1024
"""Bytes of a streamed body that wait to be read; beyond that the server is held back."""


class _Connection(asyncio.Protocol):
    """One connection, one exchange at a time: either `answer` or `incoming` waits for it."""

    __slots__ = ("_headers", "_parser", "_pool", "answer", "body", "deadline", "incoming", "open", "transport")

    def __init__(self, pool: PlainTransport) -> None:
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self.body: list[bytes] = []
        self.answer: asyncio.Future[Answer] | None = None
        self.incoming: _Incoming | None = None
        self.deadline = math.inf
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.open = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as problem:
            self.fail(BrokenError(f"the server does not speak HTTP/1.1: {problem}"))
        else:
            if self.incoming is not None:
                self.incoming.arrived(len(data))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in KEPT_HEADERS:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        if self.incoming is not None:
            self.incoming.begin(self._parser.get_status_code(), self._headers)

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        if self.incoming is None:
            self._finish(keep=self._parser.should_keep_alive())
        else:
            self._headers = {}
            self.incoming.end(keep=self._parser.should_keep_alive())

    def _finish(self, *, keep: bool) -> None:
        waiting, self.answer = self.answer, None
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        answer = Answer(self._parser.get_status_code(), self._headers, body)
        self._headers, self.body = {}, []
        if waiting is None or not keep:  # an answer to no question: whatever the server means, do not reuse this
            self._pool.drop(self)
        else:
            self._pool.put_back(self)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self.incoming is not None and self.incoming.status and self._ends_with_connection() and exc is None:
            self.incoming.end(keep=False)
            self.incoming.arrived(0)
        elif self.answer is not None and self.body and self._ends_with_connection():
            self._finish(keep=False)
        else:
            self.fail(BrokenError(f"the connection broke: {exc or 'closed by the server'}"))

    def _ends_with_connection(self) -> bool:
        # HTTP/1.0 style: neither length nor chunks, so that only the closing tells where the body ends.
        return b"content-length" not in self._headers and b"transfer-encoding" not in self._headers

    def fail(self, problem: TransportError) -> None:
        """End the exchange under way with a problem, and the connection with it."""
        waiting, self.answer = self.answer, None
        self._pool.drop(self)
        if self.incoming is not None:
            self.incoming.fail(problem)
        if waiting is not None and not waiting.done():
            waiting.set_exception(problem)


class _Incoming:
    """An answer on its way over a pooled connection; see `transport.Incoming`."""

    __slots__ = ("_connection", "_ended", "_keep", "_loop", "_pool", "_problem", "_timeout", "_unread", "_waiter", "headers", "status")

    def __init__(self, pool: PlainTransport, connection: _Connection, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self.status = 0
        self.headers: Mapping[bytes, bytes] = {}
        self._pool = pool
        self._connection: _Connection | None = connection
        self._loop = loop
        self._timeout = timeout
        self._unread = 0
        self._ended = self._keep = False
        self._problem: TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def begin(self, status: int, headers: Mapping[bytes, bytes]) -> None:
        """Take in the head."""
        self._keep = not self._ended  # a second answer: whatever the server means, do not reuse this
        if not self._ended:
            self.status, self.headers = status, headers

    def end(self, *, keep: bool) -> None:
        """Note that the body is at its end, and whether the connection may serve again."""
        self._keep = keep and not self._ended
        self._ended = True

    def fail(self, problem: TransportError) -> None:
        """Break off; what has come can still be read."""
        self._problem = self._problem or problem
        self._wake()

    def arrived(self, size: int) -> None:
        """Wake the reader: something has come. One that is slow is waited for."""
        self._unread += size
        if self._waiter is not None:
            self._wake()
        elif self._unread > MOST_UNREAD and self._connection is not None and not self._ended:
            self._connection.transport.pause_reading()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def head(self) -> None:
        """Wait for the head."""
        while not self.status:
            await self._wait()

    async def read(self) -> bytes:
        """See `transport.Incoming`."""
        connection = self._connection
        if connection is None:
            return b""
        while not connection.body:
            if self._ended:
                return b""
            await self._wait()
        pieces, connection.body = connection.body, []
        if self._unread > MOST_UNREAD and connection.open:
            connection.transport.resume_reading()
        self._unread = 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _wait(self) -> None:
        connection = self._connection
        if self._problem is not None or connection is None:
            raise self._problem or BrokenError("closed")
        waiter = self._waiter = self._loop.create_future()
        connection.deadline = self._loop.time() + self._timeout
        try:
            await waiter
        finally:
            connection.deadline = math.inf  # a reader who takes its time is not the server's fault

    def close(self) -> None:
        """See `transport.Incoming`."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.incoming = None
        if self._ended and self._keep and connection.open:
            connection.body = []
            self._pool.put_back(connection)
        else:
            self._pool.drop(connection)


class PlainTransport:
    """Keep-alive connections to one plain-HTTP address; as many as there are exchanges at once."""

    def __init__(self, address: Address, key: str | None, headers: Mapping[str, str] | None = None) -> None:
        self._address = address
        sent = {"Host": address.netloc, **request_headers(key, headers)}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._heads: dict[str, bytes] = {}
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def send(self, target: str, body: Body | None, *, timeout: float) -> Answer:  # noqa: ASYNC109 - see Transport
        """See `Transport`."""
        loop = asyncio.get_running_loop()
        connection = await self._take(loop)
        connection.deadline = loop.time() + timeout
        waiting: asyncio.Future[Answer] = loop.create_future()
        connection.answer = waiting
        connection.transport.writelines(self._message(target, body))
        try:
            return await waiting
        except asyncio.CancelledError:
            connection.fail(BrokenError("cancelled"))
            raise

    async def open(self, target: str, body: Body, *, timeout: float) -> _Incoming:  # noqa: ASYNC109 - see Transport
        """See `Transport`."""
        loop = asyncio.get_running_loop()
        connection = await self._take(loop)
        incoming = connection.incoming = _Incoming(self, connection, loop, timeout)
        connection.transport.writelines(self._message(target, body))
        try:
            await incoming.head()
        except BaseException:
            incoming.close()
            raise
        return incoming

    async def _take(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        connection = self._take_idle() or await self._connect(loop)
        self._busy.add(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(SWEEP_SECONDS, self._check_deadlines, loop)
        return connection

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
