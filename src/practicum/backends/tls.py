"""https and proxies: aiohttp behind the same function as our own pool."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import aiohttp

from practicum.backends.transport import CONNECT_SECONDS, KEPT_HEADERS, Answer, Body, BrokenError, NotSentError, SlowError


class LibraryTransport:
    """Certificates are checked against the system's store; proxies come from the environment (`HTTPS_PROXY`, `NO_PROXY`)."""

    def __init__(self, base: str, key: str | None) -> None:
        self._base = base
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
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
        headers = {"Content-Type": "application/json"} if body is not None else {}
        method, data = ("GET", None) if body is None else ("POST", b"".join(body))
        try:
            async with self._open().request(
                method, self._base + target, data=data, headers=headers, timeout=limits, allow_redirects=False
            ) as answer:
                return Answer(answer.status, _kept(answer.headers), await answer.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as problem:
            raise NotSentError(str(problem) or "no connection in time") from None
        except TimeoutError:
            raise SlowError("no answer in time") from None
        except aiohttp.ClientError as problem:
            raise BrokenError(f"the connection broke: {problem or type(problem).__name__}") from None

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _kept(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    lower = {name.lower().encode(): value.encode() for name, value in headers.items()}
    return {name: lower[name] for name in KEPT_HEADERS & lower.keys()}
