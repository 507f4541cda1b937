"""The network guard of conftest.py: nothing leaves the machine, loopback works, on both event loops."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import aiohttp
import pytest
import uvloop

Run = Callable[[Coroutine[Any, Any, Any]], Any]

OUTSIDE = "192.0.2.1"  # TEST-NET-1 (RFC 5737): routed nowhere, should the guard fail
REFUSED = "only loopback is allowed"


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine on one of the two event loops."""
    chosen: Run = request.param
    return chosen


def test_a_plain_socket_cannot_connect_outside() -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match=REFUSED):
        sock.connect((OUTSIDE, 80))


def test_a_datagram_cannot_be_sent_outside() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(RuntimeError, match=REFUSED):
        sock.sendto(b"x", (OUTSIDE, 53))


@pytest.mark.parametrize("name", ["example.com", OUTSIDE, b"example.com"])
def test_a_name_cannot_be_looked_up(name: str | bytes) -> None:
    with pytest.raises(RuntimeError, match=REFUSED):
        socket.getaddrinfo(name, 80)


def test_an_address_cannot_be_looked_up() -> None:
    with pytest.raises(RuntimeError, match=REFUSED):
        socket.getnameinfo((OUTSIDE, 80), 0)


def test_the_standard_http_client_cannot_leave() -> None:
    with pytest.raises(RuntimeError, match=REFUSED):
        http.client.HTTPConnection("example.com").request("GET", "/")


@pytest.mark.parametrize("host", ["example.com", OUTSIDE])
def test_an_event_loop_cannot_connect_outside(run: Run, host: str) -> None:
    with pytest.raises(RuntimeError, match=REFUSED):
        run(asyncio.open_connection(host, 80))


def test_an_event_loop_cannot_connect_outside_by_keywords(run: Run) -> None:
    async def connect() -> None:
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, host=OUTSIDE, port=80)

    with pytest.raises(RuntimeError, match=REFUSED):
        run(connect())


def test_an_event_loop_cannot_connect_a_socket_outside(run: Run) -> None:
    async def connect() -> None:
        with socket.socket() as sock:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (OUTSIDE, 80))

    with pytest.raises(RuntimeError, match=REFUSED):
        run(connect())


def test_an_event_loop_cannot_open_a_datagram_endpoint_outside(run: Run) -> None:
    async def connect() -> None:
        await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(OUTSIDE, 53))

    with pytest.raises(RuntimeError, match=REFUSED):
        run(connect())


def test_an_event_loop_cannot_look_up_names_or_addresses(run: Run) -> None:
    async def by_name() -> None:
        await asyncio.get_running_loop().getaddrinfo("example.com", 80)

    async def by_address() -> None:
        await asyncio.get_running_loop().getnameinfo((OUTSIDE, 80))

    with pytest.raises(RuntimeError, match=REFUSED):
        run(by_name())
    with pytest.raises(RuntimeError, match=REFUSED):
        run(by_address())


def test_aiohttp_cannot_leave(run: Run) -> None:
    async def fetch() -> None:
        async with aiohttp.ClientSession() as session, session.get("https://example.com/"):
            pass

    with pytest.raises(RuntimeError, match=REFUSED):
        run(fetch())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_works(run: Run, host: str) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async def call() -> bytes:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(host, server.sockets[0].getsockname()[1], family=socket.AF_INET)
            writer.write("你好\n".encode())
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
        return answer

    assert run(call()).decode() == "你好\n"


def test_unix_sockets_work() -> None:
    with pytest.raises(FileNotFoundError), socket.socket(socket.AF_UNIX) as sock:
        sock.connect("no-such-socket")


@pytest.fixture(scope="module")
def _with_a_key_and_a_proxy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DEEPSEEK_API_KEY", "HTTPS_PROXY", "http_proxy", "PRACTICUM_CACHE"):
            patch.setenv(name, "x")
        yield


@pytest.mark.usefixtures("_with_a_key_and_a_proxy")
def test_keys_and_proxies_are_hidden_but_the_cache_is_not() -> None:
    assert [name for name in os.environ if name.upper().endswith(("_API_KEY", "_PROXY"))] == []
    assert os.environ["PRACTICUM_CACHE"] == "x"
