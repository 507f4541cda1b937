"""The gateway on the network: where it listens, and how it closes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from practicum.errors import ConfigError
from practicum.serve.config import ServeConfig
from practicum.serve.server import HEAD_BYTES, run_gateway
from tests.serve.conftest import Scripted, app_of, ask, listening

ROOT = Path(__file__).parents[2]


def request(body: object = b"", method: str = "POST", path: str = "/v1/chat/completions") -> bytes:
    sent = orjson.dumps(body) if body else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    return head.encode() + sent


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()
        with_reset = await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        assert all(problem is None or isinstance(problem, ConnectionError) for problem in with_reset)


async def test_it_tells_where_it_listens_and_answers_there() -> None:
    async with listening(app_of(Scripted())) as address:
        assert address.startswith("http://127.0.0.1:")
        async with connected(address) as (reader, writer):
            for _ in range(2):  # the connection stays open
                writer.write(request(method="GET", path="/healthz"))
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                assert b"server:" not in head
                assert await reader.readexactly(14) == b'{"alive":true}'


async def test_a_port_that_is_taken_is_told_in_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1, port {port}: Address already in use; --host and --port"):
            await run_gateway(app_of(Scripted()), ServeConfig(port=port), on_ready=print)


async def test_it_listens_on_another_family_too() -> None:
    async with listening(app_of(Scripted()), host="::1") as address:
        assert address.startswith("http://[::1]:")


async def test_who_leaves_a_real_connection_ends_the_answer() -> None:
    service = Scripted(hold_after=2)
    app = app_of(service)
    async with listening(app) as address:
        async with connected(address) as (reader, writer):
            writer.write(request(ask(stream=True)))
            await reader.readuntil("这段日子".encode())
        await asyncio.wait_for(service.over.wait(), 5)
        async with connected(address) as (reader, writer):
            writer.write(request(ask()))
            await service.holding.wait()
            service.over.clear()
        await asyncio.wait_for(service.over.wait(), 5)
    assert app.state.gateway.gate.serving == 0


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_answers_under_way_finish(number: int) -> None:
    service = Scripted(hold_after=2)
    app = app_of(service)
    async with listening(app, grace=30) as address, connected(address) as (reader, writer), connected(address) as (idle, _):
        writer.write(request(ask(stream=True)))
        await reader.readuntil("这段日子".encode())
        os.kill(os.getpid(), number)
        assert await idle.read() == b""  # closed at once: nothing was under way there
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        service.go.set()
        rest = await reader.read()
    assert rest.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize("twice", [False, True])
async def test_after_the_grace_or_a_second_signal_answers_are_cut_off_and_told_so(*, twice: bool, caplog: pytest.LogCaptureFixture) -> None:
    service = Scripted(hold_after=2)
    app = app_of(service)
    async with listening(app, grace=600 if twice else 0.05) as address, connected(address) as (reader, writer):
        writer.write(request(ask(stream=True)))
        await reader.readuntil("这段日子".encode())
        os.kill(os.getpid(), signal.SIGTERM)
        if twice:
            await until(lambda: app.state.server.should_exit)
            os.kill(os.getpid(), signal.SIGTERM)
        rest = await reader.read()
    assert b'"code":"stopping"' in rest
    assert rest.endswith(b"0\r\n\r\n")
    assert service.under_way == 0
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_who_does_not_even_read_its_last_words_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    service = Scripted(pieces=["很长" * 100_000] * 40)
    app = app_of(service)
    async with listening(app, grace=0.05) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(request(ask(stream=True)))
        await reader.readuntil("很长".encode())  # and no more of it
    writer.transport.abort()
    assert service.under_way == 0
    assert not [record for record in caplog.records if record.levelname == "ERROR"]  # uvicorn had nobody to cancel


async def test_a_gateway_in_another_thread_minds_no_signals() -> None:
    app = app_of(Scripted())
    ready = threading.Event()

    def serve() -> None:
        asyncio.run(run_gateway(app, ServeConfig(port=0), on_ready=lambda _: ready.set()))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=serve)
    thread.start()
    await asyncio.to_thread(ready.wait, 10)
    assert signal.getsignal(signal.SIGTERM) is before
    app.state.server.should_exit = True
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


async def test_what_is_no_http_or_has_no_end_is_refused_in_the_protocols_shape() -> None:
    async with listening(app_of(Scripted())) as address:
        for sent, status, code in (
            (b"\x00\x01 no HTTP\r\n\r\n", b"400", "invalid_http"),
            ("GET /模型 HTTP/1.1\r\n\r\n".encode(), b"400", "invalid_http"),
            ((b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_BYTES)[: HEAD_BYTES + 1], b"431", "headers_too_large"),
        ):
            async with connected(address) as (reader, writer):
                writer.write(sent)
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 " + status)
            assert orjson.loads(body)["error"]["code"] == code
        async with connected(address) as (reader, writer):
            writer.write(request(ask("好" * 60_000)))  # a long body is no long head
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")


SCRIPT = """
    import sys, time, uvloop
    from practicum.serve.config import ServeConfig
    from practicum.serve.server import HEAD_BYTES, run_gateway
    from tests.serve.conftest import Scripted, app_of

    async def main():
        app = app_of(Scripted(hold_after=1))
        await run_gateway(app, ServeConfig(port=0, grace=0.1), on_ready=lambda address: print(address, flush=True))
        print("closed", flush=True)

    uvloop.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_goes_on_after_a_signal_and_prints_nothing_of_its_own(number: int) -> None:
    environment: dict[str, Any] = os.environ | {"PYTHONPATH": f"{ROOT}"}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        address = (await process.stdout.readline()).decode().strip()
        async with connected(address) as (reader, writer):
            writer.write(b"\x00\x01 no HTTP\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
        async with connected(address) as (reader, writer):
            writer.write(request(ask(stream=True)))
            await reader.readuntil("听起来".encode())
            process.send_signal(number)
            assert b"stopping" in await reader.read()
        out, err = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert out == b"closed\n"
    assert err == b""
