"""One conformance test for both transports: our own pool and the library's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from practicum.backends import pool
from practicum.backends.pool import PlainTransport
from practicum.backends.tls import LibraryTransport
from practicum.backends.transport import (
    BrokenError,
    Incoming,
    NotSentError,
    SlowError,
    Transport,
    open_transport,
    read_address,
)
from practicum.errors import ConfigError

CERTIFICATE = Path(__file__).parents[1] / "data" / "localhost.pem"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    handling: set[asyncio.Task[object]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            handling.add(task)
        try:
            await handler(reader, writer)
        # Cancelled below: what hangs on purpose must not outlive its test, and Python 3.11's streams choke on a cancelled handler.
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling)


async def read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return head[0], headers, await reader.readexactly(int(headers.get("content-length", 0)))


def answering(*answers: bytes) -> Handler:
    """Answer each request of a connection with the next of `answers`, then hang up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return handle


def ok(body: bytes = b"{}", headers: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def never(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.fixture(params=["pool", "library"])
def opened(request: pytest.FixtureRequest) -> Callable[[str], Transport]:
    def make(url: str) -> Transport:
        return PlainTransport(read_address(url), "secret") if request.param == "pool" else LibraryTransport(url, "secret")

    return make


async def test_a_post_carries_body_key_and_length(opened: Callable[[str], Transport]) -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(ok(b'{"a": 1}', "X-Request-Id: r1\r\nX-Other: no\r\n"))

    async with serving(handle) as url:
        transport = opened(url)
        answer = await transport.send("/chat/completions", [b'{"q": 2}'], timeout=5)
        await transport.aclose()
    line, headers, body = seen[0]
    assert line == "POST /v1/chat/completions HTTP/1.1"
    assert headers["authorization"] == "Bearer secret"
    assert headers["content-type"] == "application/json"
    assert body == b'{"q": 2}'
    assert (answer.status, answer.body, answer.headers[b"x-request-id"]) == (200, b'{"a": 1}', b"r1")
    assert b"x-other" not in answer.headers


async def test_a_get_has_no_body(opened: Callable[[str], Transport]) -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(ok())

    async with serving(handle) as url:
        transport = opened(url)
        await transport.send("/models", None, timeout=5)
        await transport.aclose()
    assert seen[0][0] == "GET /v1/models HTTP/1.1"
    assert "content-length" not in seen[0][1]


async def test_a_connection_is_used_again(opened: Callable[[str], Transport]) -> None:
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering(ok(b"1"), ok(b"2"), ok(b"3"))(reader, writer)

    async with serving(handle) as url:
        transport = opened(url)
        bodies = [(await transport.send("/x", [b"{}"], timeout=5)).body for _ in range(3)]
        await transport.aclose()
    assert (bodies, connections) == ([b"1", b"2", b"3"], 1)


async def test_a_server_that_closes_after_each_answer_is_connected_anew(opened: Callable[[str], Transport]) -> None:
    async with serving(answering(ok(b"1", "Connection: close\r\n"))) as url:
        transport = opened(url)
        assert [(await transport.send("/x", [b"{}"], timeout=5)).body for _ in range(2)] == [b"1", b"1"]
        await transport.aclose()


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nabcde",
    ],
    ids=["chunked", "until closed"],
)
async def test_every_way_to_mark_the_end_of_a_body_is_read(opened: Callable[[str], Transport], raw: bytes) -> None:
    async with serving(answering(raw)) as url:
        transport = opened(url)
        assert (await transport.send("/x", [b"{}"], timeout=5)).body == b"abcde"
        await transport.aclose()


async def test_statuses_are_returned_not_raised(opened: Callable[[str], Transport]) -> None:
    raw = b"HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno"
    async with serving(answering(raw)) as url:
        transport = opened(url)
        answer = await transport.send("/x", [b"{}"], timeout=5)
        await transport.aclose()
    assert (answer.status, answer.headers[b"retry-after"], answer.body) == (429, b"3", b"no")


async def test_a_refused_connection_says_that_nothing_was_sent(opened: Callable[[str], Transport]) -> None:
    async with serving(answering()) as url:
        pass
    transport = opened(url)
    with pytest.raises(NotSentError):
        await transport.send("/x", [b"{}"], timeout=5)
    await transport.aclose()


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", b"SSH-2.0-nonsense\r\n"])
async def test_a_broken_answer_says_that_the_server_may_have_served(opened: Callable[[str], Transport], raw: bytes) -> None:
    async with serving(answering(raw)) as url:
        transport = opened(url)
        with pytest.raises(BrokenError):
            await transport.send("/x", [b"{}"], timeout=5)
        await transport.aclose()


async def test_time_runs_out_and_the_next_exchange_is_not_disturbed(opened: Callable[[str], Transport]) -> None:
    first = True

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal first
        held, first = first, False
        await (never if held else answering(ok(b"fine")))(reader, writer)

    async with serving(handle) as url:
        transport = opened(url)
        with pytest.raises(SlowError):
            await transport.send("/x", [b"{}"], timeout=0.3)  # shorter, a busy machine has not even connected
        assert (await transport.send("/x", [b"{}"], timeout=5)).body == b"fine"
        await transport.aclose()


async def test_many_at_once_each_get_their_own_answer(opened: Callable[[str], Transport]) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, _, body = await read_request(reader)
            writer.write(ok(body))

    async with serving(handle) as url:
        transport = opened(url)
        bodies = [b"%d" % number * 3000 for number in range(50)]
        answers = await asyncio.gather(*(transport.send("/x", [body], timeout=5) for body in bodies))
        await transport.aclose()
    assert [answer.body for answer in answers] == bodies


async def test_a_cancelled_exchange_does_not_answer_the_next(opened: Callable[[str], Transport]) -> None:
    got_it = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, _, body = await read_request(reader)
        if body == b"first":
            got_it.set()
            await asyncio.Event().wait()
        writer.write(ok(body))

    async with serving(handle) as url:
        transport = opened(url)
        task = asyncio.create_task(transport.send("/x", [b"first"], timeout=5))
        await got_it.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await transport.send("/x", [b"second"], timeout=5)).body == b"second"
        await transport.aclose()


# ── answers that are read while they come ────────────────────────────────────────────────────────────────────────────

CHUNKED = b"HTTP/1.1 200 OK\r\nX-Request-Id: r1\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def read_all(incoming: Incoming) -> bytes:
    body = b""
    while piece := await incoming.read():
        body += piece
    return body


async def test_pieces_are_read_while_the_answer_is_still_coming(opened: Callable[[str], Transport]) -> None:
    go_on = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED if (await read_request(reader))[2] == b"ab" else b"HTTP/1.1 500 Oops\r\n\r\n")
        await go_on.wait()
        for piece in ("你", "好"):
            go_on.clear()
            writer.write(chunk(piece.encode()))
            await go_on.wait()
        writer.write(chunk(b""))
        await reader.read()

    async with serving(handle) as url:
        transport = opened(url)
        incoming = await transport.open("/x", [b"a", b"b"], timeout=5)
        assert (incoming.status, incoming.headers[b"x-request-id"]) == (200, b"r1")
        for piece in ("你", "好"):
            go_on.set()
            assert await incoming.read() == piece.encode()
        go_on.set()
        assert [await incoming.read() for _ in range(2)] == [b"", b""]
        incoming.close()
        incoming.close()
        await transport.aclose()


async def test_what_came_while_nobody_read_is_read_at_once(opened: Callable[[str], Transport]) -> None:
    async with serving(answering(CHUNKED + b"".join(chunk(b"%d" % number) for number in range(9)) + chunk(b""))) as url:
        transport = opened(url)
        incoming = await transport.open("/x", [b"{}"], timeout=5)
        async with asyncio.timeout(5):
            pieces = [await incoming.read()]
            while pieces[-1]:
                pieces.append(await incoming.read())
        assert b"".join(pieces) == b"012345678"
        assert len(pieces) <= 3
        incoming.close()
        await transport.aclose()


@pytest.mark.parametrize("raw", [CHUNKED + chunk(b"abcde") + chunk(b""), ok(b"abcde"), b"HTTP/1.0 200 OK\r\n\r\nabcde"])
async def test_every_way_to_mark_the_end_of_a_body_ends_reading(opened: Callable[[str], Transport], raw: bytes) -> None:
    async with serving(answering(raw)) as url:
        transport = opened(url)
        incoming = await transport.open("/x", [b"{}"], timeout=5)
        assert await read_all(incoming) == b"abcde"
        incoming.close()
        await transport.aclose()


async def test_a_connection_that_was_read_to_its_end_is_used_again_and_no_other(opened: Callable[[str], Transport]) -> None:
    connections = 0
    left = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(3):
            await read_request(reader)
            writer.write(CHUNKED + chunk(b"abc") + chunk(b""))
        await read_request(reader)
        writer.write(CHUNKED + chunk(b"half"))
        assert await reader.read() == b""
        left.set()

    async with serving(handle) as url:
        transport = opened(url)
        for _ in range(2):
            incoming = await transport.open("/x", [b"{}"], timeout=5)
            assert await read_all(incoming) == b"abc"
            incoming.close()
        assert (await transport.send("/x", [b"{}"], timeout=5)).body == b"abc"
        incoming = await transport.open("/x", [b"{}"], timeout=5)
        assert await incoming.read() == b"half"
        assert connections == 1
        incoming.close()
        await asyncio.wait_for(left.wait(), 5)  # the server sees the caller leave
        assert (await transport.send("/x", [b"{}"], timeout=5)).body == b"abc"
        assert connections == 2
        await transport.aclose()


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-", b"SSH-2.0-nonsense\r\n"])
async def test_a_head_that_never_comes_whole_is_broken(opened: Callable[[str], Transport], raw: bytes) -> None:
    async with serving(answering(raw)) as url:
        transport = opened(url)
        with pytest.raises(BrokenError):
            await transport.open("/x", [b"{}"], timeout=5)
        await transport.aclose()


@pytest.mark.parametrize("raw", [CHUNKED + chunk(b"half"), b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"])
async def test_what_came_before_a_break_is_read_before_it_is_told(opened: Callable[[str], Transport], raw: bytes) -> None:
    async with serving(answering(raw)) as url:
        transport = opened(url)
        incoming = await transport.open("/x", [b"{}"], timeout=5)
        assert await incoming.read() == b"half"
        for _ in range(2):
            with pytest.raises(BrokenError):
                await incoming.read()
        incoming.close()
        await transport.aclose()


async def test_a_refused_connection_opens_nothing(opened: Callable[[str], Transport]) -> None:
    async with serving(answering()) as url:
        pass
    transport = opened(url)
    with pytest.raises(NotSentError):
        await transport.open("/x", [b"{}"], timeout=5)
    await transport.aclose()


@pytest.mark.parametrize("raw", [b"", CHUNKED + chunk(b"a")], ids=["no head", "no more"])
async def test_silence_is_not_listened_to_for_ever(opened: Callable[[str], Transport], raw: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(raw)
        await asyncio.Event().wait()

    async def listen(transport: Transport) -> None:
        incoming = await transport.open("/x", [b"{}"], timeout=0.05)
        try:
            await read_all(incoming)
        finally:
            incoming.close()

    async with serving(handle) as url:
        transport = opened(url)
        with pytest.raises(SlowError):
            await listen(transport)
        await transport.aclose()


async def test_time_counts_from_piece_to_piece(opened: Callable[[str], Transport]) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED)
        for _ in range(4):
            await asyncio.sleep(0.2)
            writer.write(chunk(b"a"))
        writer.write(chunk(b""))
        await reader.read()

    async with serving(handle) as url:
        transport = opened(url)
        incoming = await transport.open("/x", [b"{}"], timeout=0.6)
        assert await incoming.read() == b"a"
        assert await read_all(incoming) == b"aaa"  # 0.8 s in all
        incoming.close()
        await transport.aclose()


async def test_a_sender_that_is_faster_than_the_reader_is_held_back(opened: Callable[[str], Transport]) -> None:
    whole = 64 * 1024 * 1024
    sent = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % whole)
        while sent < whole:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536
        await reader.read()

    async with serving(handle) as url:
        transport = opened(url)
        incoming = await transport.open("/x", [b"{}"], timeout=5)
        before = -1
        while before != sent:  # until it stands still
            before = sent
            await asyncio.sleep(0.05)
        assert 0 < sent < whole // 2
        read = 0
        while piece := await incoming.read():
            read += len(piece)
        assert read == whole
        incoming.close()
        await transport.aclose()


async def test_a_reader_who_is_cancelled_breaks_nothing_but_his_own(opened: Callable[[str], Transport]) -> None:
    got_it, left = asyncio.Event(), asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, _, body = await read_request(reader)
        got_it.set()
        if body != b"head":
            writer.write(CHUNKED if body == b"body" else ok(body))
        assert await reader.read() == b""
        left.set()

    async def listen(transport: Transport, body: bytes) -> None:
        incoming = await transport.open("/x", [body], timeout=5)
        try:
            await incoming.read()
        finally:
            incoming.close()

    async with serving(handle) as url:
        transport = opened(url)
        for body in (b"head", b"body"):
            got_it.clear()
            left.clear()
            task = asyncio.create_task(listen(transport, body))
            await got_it.wait()
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(left.wait(), 5)
        assert (await transport.send("/x", [b"next"], timeout=5)).body == b"next"
        await transport.aclose()


@pytest.mark.parametrize("proxied", [False, True])
async def test_further_headers_go_with_every_request(proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append((await read_request(reader))[1])
            writer.write(ok())

    async with serving(handle) as url:
        if proxied:
            monkeypatch.setenv("http_proxy", url.removesuffix("/v1"))
        transport = open_transport("http://model.example/v1" if proxied else url, "k", {"X-Banner": "off"})
        await transport.send("/models", None, timeout=5)
        await transport.send("/x", [b"{}"], timeout=5)
        (await transport.open("/x", [b"{}"], timeout=5)).close()
        await transport.aclose()
    assert [(headers["x-banner"], headers["authorization"]) for headers in seen] == [("off", "Bearer k")] * 3


async def test_a_reader_who_takes_his_time_is_not_the_servers_fault() -> None:
    go_on = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + chunk(b"a"))
        await go_on.wait()
        writer.write(chunk(b"b") + chunk(b""))
        await reader.read()

    async with serving(handle) as url:
        transport = PlainTransport(read_address(url), None)
        incoming = await transport.open("/x", [b"{}"], timeout=0.1)
        assert await incoming.read() == b"a"
        await asyncio.sleep(2.5 * pool.SWEEP_SECONDS)
        go_on.set()
        assert await read_all(incoming) == b"b"
        incoming.close()
        await transport.aclose()


async def test_a_second_answer_to_one_request_is_not_given_to_the_next() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + chunk(b"asked") + chunk(b"") + ok(b"unasked"))
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(handle) as url:
        transport = PlainTransport(read_address(url), None)
        for _ in range(2):
            incoming = await transport.open("/x", [b"{}"], timeout=5)
            assert incoming.status == 200
            assert (await read_all(incoming)).startswith(b"asked")
            incoming.close()
        assert not transport._idle
        await transport.aclose()


async def test_closing_the_pool_ends_what_is_being_read() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED)
        await asyncio.Event().wait()

    async with serving(handle) as url:
        transport = PlainTransport(read_address(url), None)
        incoming = await transport.open("/x", [b"{}"], timeout=60)
        reading = asyncio.create_task(incoming.read())
        await asyncio.sleep(0)
        await transport.aclose()
        with pytest.raises(BrokenError):
            await reading
        incoming.close()
        assert await incoming.read() == b""


async def test_what_a_server_says_unasked_is_no_answer() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(ok(b"asked") + ok(b"unasked"))
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(handle) as url:
        transport = PlainTransport(read_address(url), None)
        assert (await transport.send("/x", [b"{}"], timeout=5)).body == b"asked"
        assert (await transport.send("/x", [b"{}"], timeout=5)).body == b"asked"  # on a new connection
        await transport.aclose()


async def test_closing_the_pool_ends_what_is_under_way() -> None:
    async with serving(never) as url:
        transport = PlainTransport(read_address(url), None)
        task = asyncio.create_task(transport.send("/x", [b"{}"], timeout=60))
        await asyncio.sleep(pool.SWEEP_SECONDS / 5)
        await transport.aclose()
        with pytest.raises(BrokenError):
            await task


async def test_https_is_answered_where_the_certificate_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    async with serving(answering(ok(b"safe")), tls=context) as url:
        transport = open_transport(url, "k")
        assert isinstance(transport, LibraryTransport)
        assert (await transport.send("/x", [b"{}"], timeout=5)).body == b"safe"
        await transport.aclose()


async def test_https_with_an_unknown_certificate_is_refused() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    async with serving(answering(ok(b"safe")), tls=context) as url:
        transport = open_transport(url, "k")
        with pytest.raises(NotSentError, match="certificate"):
            await transport.send("/x", [b"{}"], timeout=5)
        await transport.aclose()


async def test_a_proxy_from_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await read_request(reader))[0])
        writer.write(ok(b"by proxy"))

    async with serving(handle) as url:
        monkeypatch.setenv("http_proxy", url.removesuffix("/v1"))
        transport = open_transport("http://model.example/v1", None)
        assert (await transport.send("/models", None, timeout=5)).body == b"by proxy"
        await transport.aclose()
        monkeypatch.setenv("no_proxy", "model.example")
        assert isinstance(open_transport("http://model.example/v1", None), PlainTransport)
    assert seen == ["GET http://model.example/v1/models HTTP/1.1"]


@pytest.mark.parametrize(
    ("url", "port", "netloc"),
    [
        ("http://localhost:8000/v1/", 8000, "localhost:8000"),
        ("https://api.example/v1", 443, "api.example:443"),
        ("http://[::1]/v1", 80, "[::1]:80"),
    ],
)
def test_an_address_is_split(url: str, port: int, netloc: str) -> None:
    address = read_address(url)
    assert (address.port, address.netloc, address.path) == (port, netloc, "/v1")


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x/v1", "http://", "http://u:p@x/v1", "http://x/v1?key=1", "http://x:99999/v1", "http://[::1/v1"]
)
def test_a_bad_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigError, match="address"):
        read_address(url)
