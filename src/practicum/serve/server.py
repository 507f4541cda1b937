"""The gateway on the network: it listens, tells where, and closes without cutting anybody off who can be let finish."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator

from fastapi import FastAPI
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from practicum.errors import ConfigError
from practicum.serve.config import ServeConfig
from practicum.serve.keys import KeyRing
from practicum.serve.refusal import Refusal

KEEP_ALIVE_SECONDS = 75
"""An idle connection is kept so long: callers think between two questions."""
STUBBORN_SECONDS = 5
"""After which uvicorn cancels what has not ended by itself."""
LAST_WORDS_SECONDS = 1.0
"""For those that are cut off at the end: they are told so."""
HEAD_BYTES = 65_536
"""Of a request line with its headers; what a body may have is the configuration's business."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def refuse_to_listen(config: ServeConfig, keys: KeyRing | None) -> None:
    """Refuse to listen beyond this machine without a key.

    Raises:
        ConfigError: Nobody would be kept out, or nobody could come in.
    """
    if _is_loopback(config.host) or (keys is not None and keys.usable):
        return
    raise ConfigError(
        f"host: {config.host!r} is open to other machines, and there is no API key; "
        "make one with `practicum keys new NAME`, or listen on 127.0.0.1"
    )


async def run_gateway(app: FastAPI, config: ServeConfig, *, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, or until `app.state.server.should_exit` is set; a second signal does not wait for anybody.

    Args:
        app: What `make_app` made.
        config: Where to listen, and how long requests under way may last at the end.
        on_ready: Told the base address, e.g. `http://127.0.0.1:8080`, once it listens.

    Raises:
        ConfigError: It cannot listen there.
    """
    door = _listen(config)
    name = f"[{config.host}]" if ":" in config.host else config.host
    address = f"http://{name}:{door.getsockname()[1]}"
    app.state.server = server = GatewayServer(app, config.grace, lambda: on_ready(address))
    with contextlib.closing(door):
        await server.serve(sockets=[door])


class GatewayServer(Server):
    """uvicorn in a loop of ours: signals only close the door, and what is cut off in the end is told so."""

    def __init__(self, app: FastAPI, grace: float, on_ready: Callable[[], None]) -> None:
        super().__init__(
            Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",  # bugs; what is no HTTP is told to its sender
                access_log=False,
                date_header=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=STUBBORN_SECONDS,
            )
        )
        self._gateway = app.state.gateway
        self._grace = grace
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell so."""
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, let requests under way finish, give up the others, and close their connections."""
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()  # at once if it is idle, else after the answer under way
        await self._wait_for_tasks(self._grace)
        self._gateway.stop()
        self.force_exit = False
        await self._wait_for_tasks(LAST_WORDS_SECONDS)
        for connection in list(state.connections):
            connection.transport.abort()  # who does not even read its last words
        await super().shutdown(sockets)

    async def _wait_for_tasks(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0 and (tasks := list(self.server_state.tasks)) and not self.force_exit:
            await asyncio.wait(tasks, timeout=min(left, 0.1))  # short, so that a second signal is seen

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Close the door at a signal. uvicorn would raise it again at the end: the process would die before its models are closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with a bound on a request's head, and errors in the protocol's shape where what comes is no HTTP."""

    _head: int | None = None
    """Bytes of a head that is still coming; None: none is."""

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._head = 0

    def on_headers_complete(self) -> None:
        """Count no more."""
        self._head = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        super().data_received(data)
        if self._head is not None and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse(Refusal(431, f"the request's head has more than {HEAD_BYTES:,} bytes", code="headers_too_large"))

    def send_400_response(self, msg: str) -> None:
        """Tell that what came is no HTTP, and close."""
        self._refuse(Refusal(400, msg, code="invalid_http"))

    def _refuse(self, refusal: Refusal) -> None:
        length = len(refusal.body)
        head = f"HTTP/1.1 {refusal.status} \r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode() + refusal.body)
        self.transport.close()


def _listen(config: ServeConfig) -> socket.socket:
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as problem:
        reason = (problem.strerror or "").partition(" (")[0]  # Python repeats the address
        raise ConfigError(f"cannot listen on {config.host}, port {config.port}: {reason}; --host and --port say where") from None


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
