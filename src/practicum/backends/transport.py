"""One function to every server: bytes in, bytes out.

`send(target, body)` posts (or gets, without a body) and returns status, a few headers and the body. Plain HTTP goes
through our own pool (`pool.py`), https and proxies through aiohttp (`tls.py`); one conformance test holds both to this.
"""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from practicum.errors import ConfigError

KEPT_HEADERS = frozenset({b"retry-after", b"retry-after-ms", b"x-request-id", b"content-length", b"transfer-encoding"})
"""The only answer headers that are kept, lower-case."""

CONNECT_SECONDS = 10.0
"""A server that does not take a connection within this is as good as one that refuses it."""


Body = Sequence[bytes | bytearray]
"""JSON in pieces, sent one after the other: a grown body is sent from where it lies. It must not change until the answer is there."""


class Answer(NamedTuple):
    """What a server answered, whole."""

    status: int
    headers: Mapping[bytes, bytes]
    """Those of KEPT_HEADERS that came; names lower-case."""
    body: bytes


class TransportError(Exception):
    """No whole answer came."""


class NotSentError(TransportError):
    """No connection: refused, unreachable, unknown host. The server has not seen the request."""


class BrokenError(TransportError):
    """The connection broke, or what came is no HTTP. The server may have served the request."""


class SlowError(TransportError):
    """The time for one attempt is over."""


class Incoming(Protocol):
    """An answer that is still coming."""

    status: int
    headers: Mapping[bytes, bytes]
    """Those of KEPT_HEADERS that came; names lower-case."""

    async def read(self) -> bytes:
        """Return what has come since the last call, waiting for something if nothing has; b"" once the body is at its end.

        What came in several pieces while nobody read is returned as one. A sender that is faster than the reader is held back.

        Raises:
            BrokenError: The connection broke before the body was at its end.
            SlowError: Nothing came for `timeout` seconds.
        """
        ...

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else break it: the server notices. Safe to repeat."""
        ...


class Transport(Protocol):
    """A pool of connections to one address."""

    async def send(self, target: str, body: Body | None, *, timeout: float) -> Answer:  # noqa: ASYNC109 - a coarse sweep, not a timer a call
        """Post `body` to the address + `target` (or get it, where `body` is None) and return the whole answer.

        Args:
            target: Path below the address, e.g. `/chat/completions`.
            body: JSON in pieces, or None for a GET.
            timeout: Seconds for the whole exchange; the pool may add up to a quarter of a second.

        Raises:
            NotSentError: No connection could be made.
            BrokenError: The connection broke before the answer was whole.
            SlowError: The time is over.
        """
        ...

    async def open(self, target: str, body: Body, *, timeout: float) -> Incoming:  # noqa: ASYNC109 - as above
        """Post `body` and return once the answer's head is there; its body is read piece by piece. `close` must follow.

        Args:
            target: Path below the address.
            body: JSON in pieces; it must not change until the head is there.
            timeout: Seconds without a sign of the server, before the head or between two pieces.

        Raises:
            NotSentError, BrokenError, SlowError: As for `send`.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class Address(NamedTuple):
    """A base URL, split."""

    scheme: str
    host: str
    port: int
    path: str
    """Without a final slash; "" for the root."""

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def read_address(url: str) -> Address:
    """Split a base URL such as `http://127.0.0.1:8000/v1`.

    Raises:
        ConfigError: Not an http(s) URL, or one that carries a user name, a query or a fragment.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise ConfigError(f"address {url!r}: {problem}; expected something like http://localhost:8000/v1") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"address {url!r} is not an http(s) URL; expected something like http://localhost:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"address {parts.scheme}://{parts.hostname}: no user, query or fragment belongs there; keys come from the environment"
        )
    default = 443 if parts.scheme == "https" else 80
    return Address(parts.scheme, parts.hostname, port or default, parts.path.rstrip("/"))


def request_headers(key: str | None, headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return what every request to an address is sent with."""
    return {
        "Accept": "application/json, text/event-stream",
        **({"Authorization": f"Bearer {key}"} if key else {}),
        **(headers or {}),
    }


def open_transport(url: str, key: str | None, headers: Mapping[str, str] | None = None) -> Transport:
    """Return the transport for a base URL: our own pool for plain HTTP, aiohttp for https or where a proxy is set.

    Args:
        url: Base URL, e.g. `http://127.0.0.1:8000/v1`.
        key: Sent as a bearer token, where there is one.
        headers: Sent with every request besides.
    """
    address = read_address(url)
    proxied = address.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(address.host)
    if address.scheme == "https" or proxied:
        from practicum.backends.tls import LibraryTransport

        return LibraryTransport(url.rstrip("/"), key, headers)
    from practicum.backends.pool import PlainTransport

    return PlainTransport(address, key, headers)
