"""What the gateway's tests share: a service by script, calls without a network, and a gateway that listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import orjson
from fastapi import FastAPI

from practicum.backends import Chunk, Reply
from practicum.core import Call
from practicum.errors import PracticumError
from practicum.serve import Asked, ServeConfig, Service
from practicum.serve.app import make_app
from practicum.serve.keys import KeyRing
from practicum.serve.server import run_gateway

CREATED = 1_700_000_000
PIECES = {"zh": ("听起来", "这段日子", "很不容易。"), "en": ("That sounds ", "very hard. ", "Go on.")}
CALL = Call(model="m", finish="stop", prompt_tokens=11, completion_tokens=7, cached_tokens=4, seconds=0.1, seed=1)


@dataclass
class Scripted:
    """A service that says its pieces, in the language that it is asked in."""

    name: str = "bot/warm"
    about: str = "a warm counselor"
    digest: str = "0123456789abcdef"
    honours: frozenset[str] = frozenset({"temperature"})
    counselor: bool = True
    pieces: Sequence[str] | None = None
    """None: PIECES."""
    finish: str = "stop"
    fault: BaseException | None = None
    fault_after: int = 0
    """Pieces that are said before the fault."""
    hold_after: int | None = None
    """Pieces after which it waits for `go`; None: it never does."""
    lack: str = ""
    asked: list[Asked] = field(default_factory=list)
    under_way: int = 0
    looks: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it waits."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once nothing is under way any more."""

    async def speak(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        self.asked.append(asked)
        self.under_way += 1
        self.over.clear()
        pieces = self.pieces or PIECES[asked.language]
        try:
            for number, piece in enumerate(pieces):
                await self._stand(number)
                yield Chunk(piece)
            await self._stand(len(pieces))
            call = replace(CALL, finish=self.finish, seed=asked.seed)
            yield Chunk("", Reply(text="".join(pieces).strip(), call=call))
        finally:
            self.under_way -= 1
            if not self.under_way:
                self.over.set()

    async def _stand(self, number: int) -> None:
        if self.fault is not None and number == self.fault_after:
            raise self.fault
        if self.hold_after == number:
            self.holding.set()
            await self.go.wait()

    async def ready(self) -> str:
        self.looks += 1
        if self.lack == "!":
            raise PracticumError("the model is not there")
        return self.lack


def ask(text: str = "你好", *, model: str = "bot/warm", **more: Any) -> dict[str, Any]:
    """Return a body."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


class Answer(NamedTuple):
    """What a caller got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def events(self) -> list[Any]:
        """The events of a stream; its last one, [DONE], as text."""
        lines = [line.removeprefix("data: ") for line in self.body.decode().split("\n\n") if line]
        return [line if line == "[DONE]" else orjson.loads(line) for line in lines]

    @property
    def said(self) -> str:
        """The words of a stream."""
        return "".join(
            choice["delta"].get("content", "") for event in self.events if isinstance(event, dict) for choice in event["choices"]
        )


class Asking:
    """A call of the application without a network; a context around it."""

    def __init__(
        self,
        app: FastAPI,
        body: object = b"",
        *,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        headers: Mapping[str, str] | None = None,
        whole: bool = True,
    ) -> None:
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        given = {"host": "127.0.0.1:8080", "content-type": "application/json"} | dict(headers or {})
        self._scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items() if value],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
        }
        self._app = app
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": sent, "more_body": not whole})
        self.sent: list[dict[str, Any]] = []
        self.spoke = asyncio.Event()
        """Set once something has been sent."""

    def add(self, body: bytes, *, more: bool) -> None:
        """Send more of the body."""
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        """Close the connection."""
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def _send(self, event: Any) -> None:
        self.sent.append(event)
        self.spoke.set()

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self._app(self._scope, self._incoming.get, self._send))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    async def answer(self) -> Answer:
        """Return the answer once it is whole; what was a bug is raised."""
        await self.task
        start, *rest = self.sent
        headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(event.get("body", b"") for event in rest))


async def call(app: FastAPI, body: object = b"", **how: Any) -> Answer:
    """Ask, and return the answer."""
    async with Asking(app, body, **how) as asking:
        return await asking.answer()


async def get(app: FastAPI, path: str, **how: Any) -> Answer:
    """Get, and return the answer."""
    return await call(app, method="GET", path=path, **how)


def app_of(*services: Service, keys: KeyRing | None = None, at_once: int = 8, **config: Any) -> FastAPI:
    """Return an application."""
    return make_app(services, ServeConfig(**config), keys=keys, at_once=at_once, clock=lambda: CREATED)


@asynccontextmanager
async def listening(app: FastAPI, **config: Any) -> AsyncIterator[str]:
    """Let an application listen on a free port, tell its address, and close it by a signal at the end."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = ServeConfig(**({"port": 0, "grace": 1.0} | config))
    server = asyncio.create_task(run_gateway(app, settings, on_ready=ready.set_result))
    server.add_done_callback(lambda _: ready.done() or ready.cancel())
    try:
        await ready
    except asyncio.CancelledError:
        await server  # tells why it does not listen
        raise
    try:
        yield ready.result()
    finally:
        app.state.server.should_exit = True
        await server
