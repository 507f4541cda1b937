"""https and proxies: aiohttp behind the same function as our own pool."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp

from practicum.backends.transport import CONNECT_SECONDS, KEPT_HEADERS, Answer, Body, BrokenError, NotSentError, SlowError, request_headers


class LibraryTransport:
    """Certificates are checked against the system's store; proxies come from the environment (`HTTPS_PROXY`, `NO_PROXY`)."""

    def __init__(self, base: str, key: str | None, headers: Mapping[str, str] | None = None) -> None:
        self._base = base
        self._headers = request_headers(key, headers)
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:  # aiohttp wants a running loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context()),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,
            )
        return self._session

    async def send(self, target: str, body: Body | None, *, timeout: float) -> Answer:  # noqa: ASYNC109 - see Transport
        """See `Transport`."""
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)
        headers = _TYPE if body is not None else {}
        method, data = ("GET", None) if body is None else ("POST", b"".join(body))
        with _told_apart():
            async with self._opened().request(
                method, self._base + target, data=data, headers=headers, timeout=limits, allow_redirects=False
            ) as answer:
                return Answer(answer.status, _kept(answer.headers), await answer.read())

    async def open(self, target: str, body: Body, *, timeout: float) -> _Incoming:  # noqa: ASYNC109 - see Transport
        """See `Transport`."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=timeout)
        with _told_apart():
            answer = await self._opened().post(
                self._base + target, data=b"".join(body), headers=_TYPE, timeout=limits, allow_redirects=False
            )
        return _Incoming(answer)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _Incoming:
    """An answer on its way through aiohttp; see `transport.Incoming`."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.status = answer.status
        self.headers: Mapping[bytes, bytes] = _kept(answer.headers)
        self._answer = answer

    async def read(self) -> bytes:
        """See `transport.Incoming`."""
        with _told_apart():
            return await self._answer.content.readany()

    def close(self) -> None:
        """See `transport.Incoming`."""
        self._answer.close()  # one that was read to its end has given its connection back already


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
        raise NotSentError(str(problem) or "no connection in time") from None
    except TimeoutError:
        raise SlowError("no answer in time") from None
    except aiohttp.ClientError as problem:
        raise BrokenError(f"the connection broke: {problem or type(problem).__name__}") from None


_TYPE = {"Content-Type": "application/json"}


def _kept(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    lower = {name.lower().encode(): value.encode() for name, value in headers.items()}
    return {name: lower[name] for name in KEPT_HEADERS & lower.keys()}
