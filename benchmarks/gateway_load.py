"""Asks an OpenAI-compatible address, in a process of its own: `python -m benchmarks.gateway_load requests|streams|leave …`.

Prints what it has seen as one line of JSON. While it runs it only keeps what comes, by httptools; a stream is read (whole, in
order, ended) once all are over, so that the reader takes no time from what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import os
import re
import sys
import time
import urllib.parse
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, cast

import httptools
import orjson
import uvloop

NUMBER = re.compile(r"第(\d+)句[，。]|word (\d+)(?:, |\.)")
"""How the fake server's paced streams count."""
TURN = "你好，我最近总是睡不好，心里有点乱，也不知道从哪里说起。"
EVENT = re.compile(rb'"content": ?"[^"]')
"""What a content event holds and the other events of a stream do not."""
PATIENCE = 60.0
"""Seconds for which a caller waits for a word."""


class LoadError(RuntimeError):
    """An answer that is none: the measurement is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to ask, and for what."""

    host: str
    port: int
    path: str
    model: str

    @classmethod
    def of(cls, url: str, model: str) -> Target:
        """Read a base address such as `http://127.0.0.1:8080/v1`."""
        parts = urllib.parse.urlsplit(url)
        return cls(host=parts.hostname or "127.0.0.1", port=parts.port or 80, path=f"{parts.path}/chat/completions", model=model)

    def message(self, number: int, *, stream: bool) -> bytes:
        """Return a whole request; no two of a run have the same body."""
        asked: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": f"{number}。{TURN}"}], "stream": stream}
        if stream:
            asked["stream_options"] = {"include_usage": True}
        body = orjson.dumps(asked)
        head = f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json"
        return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Caller(asyncio.Protocol):
    """One connection, one question at a time."""

    def __init__(self) -> None:
        self.begun = self.first = 0.0
        self.body: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.gone = self._loop.create_future()
        """Done once the connection is closed."""
        self._parser = httptools.HttpResponseParser(self)
        self._over: asyncio.Future[int] | None = None
        self._enough: asyncio.Future[None] | None = None
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, message: bytes) -> asyncio.Future[int]:
        """Send a request; the future holds the status once the answer is whole."""
        self.body, self.first = [], 0.0
        self._over = self._loop.create_future()
        self.begun = time.perf_counter()
        if self.transport.is_closing():
            self._over.set_exception(LoadError("the server has closed the connection between two questions"))
        else:
            self.transport.write(message)
        return self._over

    def events(self, count: int) -> asyncio.Future[None]:
        """Return what is done once so many content events have come."""
        self._wanted, self._enough = count, self._loop.create_future()
        return self._enough

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the two below."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the answer."""
        if not self.body:
            self.first = time.perf_counter()
        self.body.append(body)
        if self._enough is not None and len(EVENT.findall(b"".join(self.body))) >= self._wanted:
            self._enough.set_result(None)
            self._enough = None

    def on_message_complete(self) -> None:
        """End the question."""
        if self._over is not None:
            self._over.set_result(self._parser.get_status_code())
            self._over = None
        if self._enough is not None:
            self._enough.set_exception(LoadError(f"status {self._parser.get_status_code()}: {b''.join(self.body)[:300]!r}"))
            self._enough = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        problem = LoadError(f"the connection broke: {exc or 'closed by the server'}")
        for waiting in (self._over, self._enough):
            if waiting is not None and not waiting.done():
                waiting.set_exception(problem)
                waiting.exception()  # seen: a caller that left on purpose waits no more
        self._over = self._enough = None
        self.gone.set_result(None)


@asynccontextmanager
async def connected(target: Target, count: int) -> AsyncGenerator[list[Caller], None]:
    """Hold so many connections."""
    loop = asyncio.get_running_loop()
    callers = [(await loop.create_connection(Caller, target.host, target.port))[1] for _ in range(count)]
    try:
        yield callers
    finally:
        for caller in callers:
            caller.transport.close()
        await asyncio.gather(*(caller.gone for caller in callers))


class Heard(NamedTuple):
    """What a stream was."""

    events: int
    """Content events."""
    fault: str
    """"" if it is whole, in order and ended."""


def read_stream(body: bytes, chunks: int) -> Heard:
    """Read a paced stream of the fake server's that should count to `chunks`, whoever relayed it, in however many events."""
    events = [line.removeprefix("data: ") for line in body.decode().split("\n") if line.startswith("data: ")]
    said: list[str] = []
    finishes: list[str] = []
    usages = 0
    for data in (orjson.loads(event) for event in events if event != "[DONE]"):
        if "error" in data:
            return Heard(len(said), "error")
        usages += data.get("usage") is not None
        said += [choice["delta"]["content"] for choice in data["choices"] if choice["delta"].get("content")]
        finishes += [choice["finish_reason"] for choice in data["choices"] if choice["finish_reason"] is not None]
    text = "".join(said)
    numbers = [int(zh or en) for zh, en in NUMBER.findall(text)]
    complaints = {
        "out of order": sorted(numbers) == list(range(1, chunks + 1)) != numbers,
        "lost or doubled": sorted(numbers) != list(range(1, chunks + 1)),
        "garbled": NUMBER.sub("", text).strip() != "",
        "no finish": finishes != ["stop"],
        "no usage": usages != 1,
        "no [DONE]": events[-1:] != ["[DONE]"],
    }
    return Heard(len(said), next((complaint for complaint, holds in complaints.items() if holds), ""))


@dataclass(slots=True, kw_only=True)
class Seen:
    """What a load has seen."""

    latencies_ms: list[float] = field(default_factory=list)
    """From asking to the whole answer, of each request or stream that was answered with 200."""
    first_ms: list[float] = field(default_factory=list)
    """To the first byte of the body."""
    faults: Counter[str] = field(default_factory=Counter)
    events: int = 0
    """Content events that came."""
    wall_s: float = 0.0
    cut_s: list[float] = field(default_factory=list)
    """From leaving to when the model's server has noticed."""
    next_s: list[float] = field(default_factory=list)
    """From asking again, right after leaving, to the first word."""

    def count(self, caller: Caller, status: int) -> None:
        """Note an answer that is whole."""
        if status != http.client.OK:
            self.faults[f"status {status}"] += 1
            return
        self.latencies_ms.append((time.perf_counter() - caller.begun) * 1e3)
        self.first_ms.append((caller.first - caller.begun) * 1e3)


async def requests(target: Target, at_once: int, seconds: float, spread: float) -> Seen:
    """Ask without streaming for so long, so many at once; each asks again when it is answered. Starts are spread over `spread` seconds."""
    seen, loop = Seen(), asyncio.get_running_loop()
    begun = loop.time()

    async def keep_asking(index: int, caller: Caller) -> None:
        await asyncio.sleep(index / at_once * spread)
        number = 0
        while loop.time() < begun + seconds:
            number += at_once
            seen.count(caller, await caller.ask(target.message(index + number, stream=False)))

    async with connected(target, at_once) as callers:
        begun = loop.time()
        await asyncio.gather(*(keep_asking(index, caller) for index, caller in enumerate(callers)))
        seen.wall_s = loop.time() - begun
    return seen


async def streams(target: Target, at_once: int, rounds: int, spread: float, chunks: int) -> Seen:
    """Hear so many streams at once, each caller `rounds` in a row, and look at every one of them once all are over."""
    seen, loop = Seen(), asyncio.get_running_loop()
    bodies: list[bytes] = []

    async def listen(index: int, caller: Caller) -> None:
        await asyncio.sleep(index / at_once * spread)
        for number in range(rounds):
            try:
                status = await caller.ask(target.message(index + number * at_once, stream=True))
            except LoadError:
                seen.faults["broken"] += 1
                return
            seen.count(caller, status)
            if status == http.client.OK:
                bodies.append(b"".join(caller.body))

    async with connected(target, at_once) as callers:
        begun = loop.time()
        await asyncio.gather(*(listen(index, caller) for index, caller in enumerate(callers)))
        seen.wall_s = loop.time() - begun
    heard = [read_stream(body, chunks) for body in bodies]
    seen.events = sum(stream.events for stream in heard)
    seen.faults.update(stream.fault for stream in heard if stream.fault)
    return seen


async def leave(target: Target, stats_port: int, times: int, after: Sequence[int]) -> Seen:
    """Leave in the middle of a stream and ask the next question at once, which is left too once it has its first word.

    Args:
        target: Whom to ask; it takes one request at a time.
        stats_port: The fake server's, which tells when it has noticed.
        times: How often.
        after: Content events after which to leave, in turns; 0: before the first word.
    """
    seen = Seen()
    for number in range(times):
        known = stats(stats_port)["streams_cut"]
        async with connected(target, 2) as (caller, successor):
            caller.ask(target.message(2 * number, stream=True))
            if events := after[number % len(after)]:
                await asyncio.wait_for(caller.events(events), PATIENCE)
            else:
                await until(stats_port, "in_service", 1)
            left, left_ns = time.perf_counter(), time.monotonic_ns()
            caller.transport.close()
            successor.ask(target.message(2 * number + 1, stream=True))
            await asyncio.wait_for(successor.events(1), PATIENCE)
            seen.next_s.append(time.perf_counter() - left)
            noticed = await until(stats_port, "streams_cut", known + 1)
            seen.cut_s.append((noticed["last_cut_ns"] - left_ns) / 1e9)
        await until(stats_port, "streams_cut", known + 2)  # the successor has left too
    return seen


async def until(stats_port: int, counter: str, least: float) -> Mapping[str, float]:
    """Return the fake server's counters once one of them is at least so large."""
    for _ in range(3000):
        now = stats(stats_port)
        if now[counter] >= least:
            return now
        await asyncio.sleep(0.005)
    raise LoadError(f"waited in vain for {counter} >= {least:g}: {stats(stats_port)}")


def stats(port: int) -> dict[str, float]:
    """Return the fake server's counters."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/stats")
        found: dict[str, float] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return found


def main() -> int:
    """Run one load and print what it has seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway_load")
    parser.add_argument("load", choices=["requests", "streams", "leave"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--spread", type=float, default=0.0, help="seconds over which the first questions are spread")
    parser.add_argument("--rounds", type=int, default=1, help="streams in a row, each caller")
    parser.add_argument("--chunks", type=int, default=0, help="what a stream should count to")
    parser.add_argument("--stats-port", type=int, default=0, help="leave: the fake server's")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--after", type=int, nargs="+", default=[1], help="leave: content events, in turns")
    options = parser.parse_args()
    target = Target.of(options.url, options.model)

    async def run() -> Seen:
        match options.load:
            case "requests":
                return await requests(target, options.at_once, options.seconds, options.spread)
            case "streams":
                return await streams(target, options.at_once, options.rounds, options.spread, options.chunks)
            case _:
                return await leave(target, options.stats_port, options.times, options.after)

    gc.disable()  # a pause here would be taken for one of the gateway's
    seen = uvloop.run(run())
    with os.fdopen(
        sys.stdout.fileno(), "wb", closefd=False
    ) as out:  # buffered, whatever PYTHONUNBUFFERED says: it is long, and a pipe is short
        out.write(json.dumps(asdict(seen)).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
