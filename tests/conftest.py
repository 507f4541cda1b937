"""What holds for every test: no network beyond this machine, no key or proxy of the developer's, repeatable hypothesis."""

from __future__ import annotations

import functools
import ipaddress
import os
import sys
from typing import Any

import hypothesis
import pytest

pytest_plugins = ["tests.fake_server"]

# Deadlines measure the machine, not the code; CI draws the same examples at every run.
hypothesis.settings.register_profile("practicum", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("practicum")


def refuse_unless_local(event: str, host: object) -> None:
    """Raise unless `host` is this machine; None and "" are, they mean "any address of mine" where a server is opened.

    Raises:
        RuntimeError: Never an OSError, which the code under test would take for a broken connection and try again.
    """
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return
    try:
        local = ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        local = False
    if not local:
        raise RuntimeError(f"a test tried to reach the network: {event} {name!r}; only loopback is allowed (tests/conftest.py)")


def guard_python_sockets(event: str, args: tuple[Any, ...]) -> None:
    """Refuse what goes through CPython's sockets: asyncio, http.client, urllib, aiohttp. An audit hook stays for good."""
    match event:
        case "socket.connect" | "socket.sendto" | "socket.sendmsg":
            target = args[1]
            if isinstance(target, tuple):  # an AF_UNIX address is text or bytes
                refuse_unless_local(event, target[0])
        case "socket.getaddrinfo" | "socket.gethostbyname" | "socket.gethostbyaddr":
            refuse_unless_local(event, args[0])
        case "socket.getnameinfo":
            refuse_unless_local(event, args[0][0])


sys.addaudithook(guard_python_sockets)

if sys.platform != "win32":
    import uvloop

    def guard_uvloop(door: str, position: int, keyword: str) -> None:
        """Refuse at one door of uvloop's loop: libuv resolves and connects in C, where no audit event is raised."""
        behind = getattr(uvloop.Loop, door)

        @functools.wraps(behind)
        async def guarded(loop: uvloop.Loop, *args: Any, **options: Any) -> Any:
            target = args[position] if len(args) > position else options.get(keyword)
            refuse_unless_local(f"uvloop.{door}", target[0] if isinstance(target, tuple) else target)
            return await behind(loop, *args, **options)

        setattr(uvloop.Loop, door, guarded)

    guard_uvloop("create_connection", 1, "host")
    guard_uvloop("create_datagram_endpoint", 2, "remote_addr")
    guard_uvloop("getaddrinfo", 0, "host")
    guard_uvloop("getnameinfo", 0, "sockaddr")


@pytest.fixture(autouse=True)
def _no_keys_no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's keys and proxies. PRACTICUM_CACHE stays: the tests share the weights that lie there."""
    for name in os.environ:
        if name.upper().endswith(("_API_KEY", "_PROXY")):
            monkeypatch.delenv(name)
