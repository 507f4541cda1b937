"""The gateway's work: from a question's bytes to a service, and its answer back to the caller."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import quote

from practicum.core import Language, guess_language, text_digest
from practicum.errors import ConfigError, PracticumError
from practicum.measures import find_risks
from practicum.serve.config import ServeConfig
from practicum.serve.crisis import crisis_text
from practicum.serve.gate import Gate
from practicum.serve.keys import Key, KeyRing, Scope, require
from practicum.serve.metrics import Metrics, Outcome, Trace
from practicum.serve.refusal import Refusal, refusal_of
from practicum.serve.relay import (
    Caller,
    Envelope,
    Event,
    Gone,
    Receive,
    Send,
    answer_in_pieces,
    answer_whole,
    break_off,
    send_refusal,
    too_large,
)
from practicum.serve.schema import Question, read_question
from practicum.serve.service import Asked, Service

TRACE = "practicum.trace"
"""Where a request's trace lies in its scope."""
HEARD = 2_000
"""Characters of a caller's latest words that tell the language."""
NAMED = 50
"""Ignored fields that are named at most."""


class Gateway:
    """The services behind one door, and what they share."""

    def __init__(
        self,
        services: Sequence[Service],
        config: ServeConfig,
        *,
        keys: KeyRing | None,
        at_once: int,
        clock: Callable[[], float],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Put a gateway together.

        Args:
            services: What can be asked, each by its name.
            config: Queue, bounds, banner.
            keys: Who may ask; None: anybody on this machine.
            at_once: Questions that are answered at once.
            clock: Seconds since 1970.
            ticks: Seconds, monotonic.

        Raises:
            ConfigError: Two services have one name, or the banner's country is not known.
        """
        self.services: Mapping[str, Service] = {service.name: service for service in services}
        if len(self.services) < len(services):
            names = [service.name for service in services]
            raise ConfigError(f"two services are called {next(name for name in names if names.count(name) > 1)!r}")
        crisis_text(config.banner.country, "zh")  # a country that is not known is told before anybody needs it
        self.config = config
        self.keys = keys
        self.clock = clock
        self.ticks = ticks
        self.begun = clock()
        self.gate = Gate(at_once, config.queue, config.wait, clock=ticks)
        self.metrics = Metrics(self.gate)
        self.metrics.expect(self.services)
        self._callers: set[Caller] = set()

    @property
    def guarded(self) -> bool:
        """Whether a key is asked for."""
        return self.keys is not None and self.keys.guards

    def stop(self) -> None:
        """Give up every question that is not answered yet."""
        for caller in tuple(self._callers):
            caller.stop()

    def open_to(self, key: Key | None) -> list[Service]:
        """Return the services that a key opens; all, where none is asked for."""
        return [service for service in self.services.values() if key is None or _scope(service.name) in key.scopes]

    def find(self, name: str, key: Key | None) -> Service:
        """Return a service by its name.

        Raises:
            Refusal: 404, or 403 where the key does not open it.
        """
        service = self.services.get(name)
        if service is None:
            raise Refusal(404, f"model {name[:100]!r} is not served; GET /v1/models lists what is", code="model_not_found", param="model")
        if key is not None:
            require(key, _scope(name))
        return service

    async def answer(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer a question; the body of `POST /v1/chat/completions`, as an ASGI application."""
        trace: Trace = scope[TRACE]
        trace.asked = True
        with Caller(receive, self._callers) as caller:
            try:
                await self._answer(dict(scope["headers"]), caller, send, trace)
            except Refusal as refusal:
                await self._refuse(refusal, send, trace)
            except PracticumError as error:
                await self._refuse(refusal_of(error), send, trace)
        if caller.gone is Gone.LEFT:
            trace.outcome = Outcome.LEFT
        elif caller.gone is Gone.STOPPED:
            await self._refuse(Refusal(503, "the gateway is stopping", code="stopping"), send, trace)
            trace.outcome = Outcome.STOPPED

    async def _answer(self, headers: Mapping[bytes, bytes], caller: Caller, send: Send, trace: Trace) -> None:
        if trace.key is not None and self.keys is not None:
            self.keys.spend(trace.key)
        most = self.config.bounds.body
        _refuse_by_head(headers, most)
        banner_on = _wants_banner(headers)
        question = read_question(await caller.read(most), self.config.bounds)
        service = self.find(question.model, trace.key)
        trace.model = service.name
        asked, banner = self._prepare(question, service, trace, banner_on=banner_on)
        envelope = Envelope(
            id=f"chatcmpl-{trace.id}",
            created=int(self.clock()),
            model=service.name,
            fingerprint=service.digest,
            banner=banner,
            with_usage=question.with_usage,
        )

        def heard() -> None:
            trace.first_word = self.ticks() - trace.begun

        caller.watch()
        entered = await self.gate.enter()
        try:
            way = answer_in_pieces if question.stream else answer_whole
            reply = await way(service.speak(asked), send, envelope, heard=heard)
        finally:
            self.gate.leave(entered)
        trace.prompt_tokens, trace.completion_tokens = reply.call.prompt_tokens, reply.call.completion_tokens

    def _prepare(self, question: Question, service: Service, trace: Trace, *, banner_on: bool) -> tuple[Asked, str]:
        """Return what the service is asked, and the banner that precedes its answer; note in the trace what the headers tell."""
        messages = question.messages
        if service.counselor and (not messages or messages[-1].role != "user"):
            raise Refusal(400, "messages: the last one must be the caller's own words (role user)", code="invalid_value", param="messages")
        given = {name: value for name in ("temperature", "top_p") if (value := getattr(question, name)) is not None}
        ignored = [*question.ignored, *(name for name in given if name not in service.honours)]
        language = self.config.language or _language(question)
        trace.risks = find_risks(question.latest) if service.counselor else ()
        if ignored:
            trace.headers += ((b"x-practicum-ignored", header_list(ignored)),)
        if trace.risks:
            trace.headers += ((b"x-practicum-risk", ",".join(trace.risks).encode()),)
        banner = self.config.banner
        asked = Asked(
            messages=messages,
            language=language,
            seed=question.seed,
            max_tokens=question.max_tokens,
            stop=question.stop,
            route=text_digest(f"{service.name}\x1f{messages[0].content if messages else ''}"),
            **{name: value for name, value in given.items() if name in service.honours},
        )
        return asked, crisis_text(banner.country, language) if trace.risks and banner.on and banner_on else ""

    async def _refuse(self, refusal: Refusal, send: Send, trace: Trace) -> None:
        """Tell the caller that there is no answer, or no more of it."""
        trace.why = refusal.code or ""
        if not trace.status:
            await send_refusal(send, refusal)
            return
        trace.outcome = Outcome.BROKEN
        await break_off(send, refusal)


def _scope(name: str) -> Scope:
    return Scope.CLIENTS if name.startswith("client/") else Scope.BOTS


def _language(question: Question) -> Language:
    return guess_language("\n".join(message.content for message in question.messages if message.role == "user")[-HEARD:])


def _wants_banner(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether the caller wants the crisis lines: yes, unless a header says otherwise."""
    said = headers.get(b"x-practicum-banner", b"on").decode("latin-1").lower()
    if said not in ("on", "off"):
        raise Refusal(400, f"the header X-Practicum-Banner is {said[:40]!r}; expected on or off", param="X-Practicum-Banner")
    return said == "on"


def _refuse_by_head(headers: Mapping[bytes, bytes], most: int) -> None:
    """Refuse what the headers alone condemn: nothing of such a body is read.

    A page of another origin can send any type but JSON without asking first: that is refused here too.
    """
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refusal(415, "the body's type is not application/json", code="unsupported_media_type")
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise Refusal(415, "a compressed body is not read", code="unsupported_media_type")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:20]) > most:
        raise too_large(most)


def header_list(names: Iterable[str]) -> bytes:
    """Return names as the value of a header: sorted, escaped where they are not plain ASCII, not too many."""
    known = sorted(set(names))
    shown = [quote(name[:80], safe="[]._-") for name in known[:NAMED]]
    return ", ".join([*shown, *([f"and {len(known) - NAMED} more"] if len(known) > NAMED else [])]).encode()
