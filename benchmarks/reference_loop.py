"""The yardstick: the least that this work can cost in Python, with no package around it.

The same sessions as practicum's (two prompts, a fixed opening, `2 · exchanges - 1` calls each), on bare asyncio,
httptools and uvloop: each message is encoded once, the body only grows, and a session goes on when its turn is
committed (one SQLite writer thread, WAL, `synchronous=FULL`, one commit for all that waits). No retries, no checks,
no limits, no usage, no resume: what practicum costs beyond this buys those.

    python -m benchmarks.reference_loop --sessions 1000 --exchanges 10 --at-once 1000 --port 9000 --db FILE
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httptools
import orjson
import uvloop

CLIENT = "你来做心理咨询，下面写着你自己的经历，请照它说话：" + "最近工作压力很大，晚上睡不着，和家人也常常争吵。" * 24 + " 来访者编号 "
COUNSELOR = "你是一位心理咨询师，说话简短自然，一次只问一件事，先听后说。" * 16
OPENING = "你好"
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


class Chat:
    """A request body that grows by one encoded message at a time."""

    def __init__(self, system: str) -> None:
        self._bytes = bytearray(b'{"model":"fake","temperature":1.0,"max_tokens":500,"messages":[')
        self._bytes += orjson.dumps({"role": "system", "content": system})

    def add(self, role: str, text: str) -> None:
        """Append a message."""
        self._bytes += b"," + orjson.dumps({"role": role, "content": text})

    def body(self) -> bytes:
        """Return the request as it stands."""
        return bytes(self._bytes) + b"]}"


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request on it at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def ask(self, body: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the future holds status and body."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines((HEAD % len(body), body))
        return self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that was under way."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("closed"))

    def on_body(self, body: bytes) -> None:
        """Collect a part (called by the parser)."""
        self._body += body

    def on_message_complete(self) -> None:
        """Hand the answer over (called by the parser)."""
        status, body = self._parser.get_status_code(), self._body
        self._parser, self._body = httptools.HttpResponseParser(self), b""
        assert self._answer is not None
        self._answer.set_result((status, body))


class Pool:
    """As many connections as there are calls at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[Connection] = []

    async def ask(self, chat: Chat) -> str:
        """Return the reply to a chat; anything but a 200 is an error."""
        loop = asyncio.get_running_loop()
        connection = self._free.pop() if self._free else (await loop.create_connection(Connection, "127.0.0.1", self._port))[1]
        status, body = await connection.ask(chat.body())
        self._free.append(connection)
        assert status == 200, body
        text: str = orjson.loads(body)["choices"][0]["message"]["content"]
        return text


@dataclass(slots=True)
class Journal:
    """Writes turns from a thread of its own; `append` returns once its turn is committed."""

    path: Path
    loop: asyncio.AbstractEventLoop
    waiting: queue.SimpleQueue[tuple[int, int, bytes, asyncio.Future[None]] | None] = field(default_factory=queue.SimpleQueue)

    async def append(self, session: int, index: int, text: str) -> None:
        """Commit one turn."""
        done: asyncio.Future[None] = self.loop.create_future()
        self.waiting.put((session, index, orjson.dumps(text), done))
        await done

    def write(self) -> None:
        """Commit whatever waits, again and again, until a None comes."""
        db = sqlite3.connect(self.path, isolation_level=None)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma synchronous=full")
        db.execute("create table turn (id integer primary key, session int, at int, data blob)")
        more = True
        while more:
            items = [self.waiting.get()]
            while not self.waiting.empty():
                items.append(self.waiting.get())
            more = None not in items
            turns = [item for item in items if item is not None]
            db.execute("begin")
            db.executemany("insert into turn (session, at, data) values (?, ?, ?)", [turn[:3] for turn in turns])
            db.execute("commit")
            self.loop.call_soon_threadsafe(wake, [turn[3] for turn in turns])
        db.close()


def wake(futures: list[asyncio.Future[None]]) -> None:
    """Let the sessions go on whose turns are committed."""
    for future in futures:
        future.set_result(None)


async def hold_session(number: int, exchanges: int, pool: Pool, journal: Journal) -> None:
    """Hold one session to its last exchange."""
    client, counselor = Chat(CLIENT + str(number)), Chat(COUNSELOR)
    client.add("assistant", OPENING)
    counselor.add("user", OPENING)
    await journal.append(number, 0, OPENING)
    speaker, listener = counselor, client
    for index in range(1, 2 * exchanges):
        text = await pool.ask(speaker)
        speaker.add("assistant", text)
        listener.add("user", text)
        await journal.append(number, index, text)
        speaker, listener = listener, speaker


async def main(sessions: int, exchanges: int, at_once: int, port: int, db: Path) -> None:
    """Hold all sessions, `at_once` at a time."""
    journal, pool, gate = Journal(db, asyncio.get_running_loop()), Pool(port), asyncio.Semaphore(at_once)
    writer = threading.Thread(target=journal.write)
    writer.start()

    async def admit(number: int) -> None:
        async with gate:
            await hold_session(number, exchanges, pool, journal)

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(sessions):
                group.create_task(admit(number))
    finally:
        journal.waiting.put(None)
        await asyncio.to_thread(writer.join)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The reference loop of the benchmarks.")
    for name in ("sessions", "exchanges", "at-once", "port"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--db", type=Path, required=True)
    uvloop.run(main(**vars(parser.parse_args())))
