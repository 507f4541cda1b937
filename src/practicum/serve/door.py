"""The door: who comes in, under which number, and what is told of it afterwards. Plain ASGI: it stands around every streamed piece."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable

from practicum.serve.gateway import TRACE, Gateway
from practicum.serve.keys import Scope, require
from practicum.serve.metrics import Outcome, Trace, log
from practicum.serve.refusal import Refusal
from practicum.serve.relay import Event, Receive, Send, send_refusal

App = Callable[[Event, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/healthz", "/readyz"})
"""Paths that ask for no key."""
CHAT = "/v1/chat/completions"
LOCAL_HOSTS = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
_HOST = re.compile(rb"(\[[0-9a-f:.]*\]|[^:]*)(?::[0-9]*)?")
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Door:
    """ASGI middleware around the whole gateway."""

    def __init__(self, app: App, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Let a request in, or tell it why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        gateway = self._gateway
        headers = dict(scope["headers"])
        wanted = headers.get(b"x-request-id", b"")
        trace = Trace(id=wanted.decode() if _ID.fullmatch(wanted) else secrets.token_hex(12), begun=gateway.ticks())
        scope[TRACE] = trace

        def tagged(event: Event) -> Awaitable[None]:
            if event["type"] == "http.response.start":
                trace.status = event["status"]
                event["headers"] = [*event["headers"], (b"x-request-id", trace.id.encode()), *trace.headers]
            return send(event)

        try:
            self._admit(scope["path"], headers, trace)
            # Questions go past the framework: its layers would take a third of a request's time, and a step for every streamed piece.
            is_question = scope["path"] == CHAT and scope["method"] == "POST"
            await (gateway.answer if is_question else self._app)(scope, receive, tagged)
        except Refusal as refusal:
            trace.why = refusal.code or ""
            await send_refusal(tagged, refusal)
        except Exception:
            trace.status, trace.outcome = trace.status or 500, Outcome.FAILED
            raise
        finally:
            seconds = gateway.ticks() - trace.begun
            if trace.asked:
                gateway.metrics.count(trace, seconds)
            if trace.asked or trace.status >= 400:
                log(trace, seconds)

    def _admit(self, path: str, headers: dict[bytes, bytes], trace: Trace) -> None:
        """Refuse who may not come in."""
        if not self._gateway.guarded:
            # Without keys only this machine is listened to. A web page whose name was made to mean this machine (DNS rebinding)
            # gives itself away by that name.
            host = _HOST.match(headers.get(b"host", b"").lower())
            if host is None or host.group(1) not in LOCAL_HOSTS:
                raise Refusal(403, "asked under another name than localhost, 127.0.0.1 or [::1]; names need API keys", code="host")
            return
        shown = headers.get(b"authorization")
        if path in OPEN and shown is None:
            return
        assert self._gateway.keys is not None  # noqa: S101 - that is what guarded means
        trace.key = self._gateway.keys.check(None if shown is None else shown.decode("latin-1"))
        if path == "/metrics":
            require(trace.key, Scope.METRICS)
