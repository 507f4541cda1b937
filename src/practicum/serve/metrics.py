"""What is told of requests: counters for Prometheus and a line of the log, never a word of anybody."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from practicum.measures import Risk
from practicum.serve.gate import Gate
from practicum.serve.keys import Key

LOGGER = logging.getLogger("practicum.serve")
_FIRST_WORD = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)
_WHOLE = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)


class Outcome(StrEnum):
    """What became of a request."""

    OK = "ok"
    REFUSED = "refused"
    """The caller's mistake, or no right to ask."""
    BUSY = "busy"
    """No place, or too many questions a minute."""
    FAILED = "failed"
    """The model behind, or the gateway."""
    BROKEN = "broken"
    """As failed, in the middle of a stream."""
    LEFT = "left"
    """The caller went away."""
    STOPPED = "stopped"
    """The gateway was stopped."""


LEFT_STATUS = 499
"""Told of a caller who went away before any status was sent; nginx calls it the same."""


@dataclass(slots=True, kw_only=True)
class Trace:
    """What is known of one request; filled in as it goes on."""

    id: str
    begun: float
    """By the gateway's monotonic clock."""
    key: Key | None = None
    """The one that the caller has shown."""
    model: str = "-"
    asked: bool = False
    """Whether it is a question to a model: these are counted and told, and of the others what was refused."""
    status: int = 0
    """0: nothing has been sent yet."""
    outcome: Outcome | None = None
    """None: what the status says."""
    why: str = ""
    """A short stable word for what went wrong."""
    first_word: float | None = None
    """Seconds."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    risks: tuple[Risk, ...] = ()
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Sent with the answer, whatever it is."""

    def settle(self) -> Outcome:
        """Return what became of it, once it is over."""
        if self.outcome is None:
            self.outcome = _outcome(self.status)
        return self.outcome


def _outcome(status: int) -> Outcome:
    if status < 400:
        return Outcome.OK
    if status == 429:
        return Outcome.BUSY
    return Outcome.REFUSED if status < 500 else Outcome.FAILED


def log(trace: Trace, seconds: float) -> None:
    """Write the line of a request that is over."""
    outcome = trace.settle()
    LOGGER.log(
        logging.WARNING if outcome in {Outcome.FAILED, Outcome.BROKEN} else logging.INFO,
        "%s key=%s model=%s status=%s outcome=%s tokens=%d+%d seconds=%.3f risk=%s%s",
        trace.id,
        trace.key.id if trace.key else "-",
        trace.model,
        trace.status or LEFT_STATUS,
        outcome,
        trace.prompt_tokens,
        trace.completion_tokens,
        seconds,
        ",".join(trace.risks) or "-",
        f" why={trace.why}" if trace.why else "",
    )


class Metrics:
    """The counters of one gateway."""

    def __init__(self, gate: Gate) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("practicum_requests", "Questions, by model and outcome.", ["model", "outcome"], registry=registry)
        self._tokens = Counter("practicum_tokens", "Tokens, by model and kind.", ["model", "kind"], registry=registry)
        self._risks = Counter("practicum_risk_flags", "Questions whose words speak of risk.", ["model", "kind"], registry=registry)
        self._first = Histogram(
            "practicum_first_word_seconds", "From a question to its answer's first word.", ["model"], registry=registry, buckets=_FIRST_WORD
        )
        self._whole = Histogram(
            "practicum_request_seconds", "From a question to the end of its answer.", ["model"], registry=registry, buckets=_WHOLE
        )
        Gauge("practicum_requests_in_service", "Questions being answered.", registry=registry).set_function(lambda: gate.serving)
        Gauge("practicum_requests_waiting", "Questions in line.", registry=registry).set_function(lambda: gate.waiting)
        Gauge("practicum_places", "Questions that are answered at once.", registry=registry).set_function(lambda: gate.at_once)

    def expect(self, models: Iterable[str]) -> None:
        """Let models be told from the start, with zeros."""
        for model in models:
            for outcome in Outcome:
                self._requests.labels(_label(model), outcome)

    def count(self, trace: Trace, seconds: float) -> None:
        """Count a question that is over."""
        model = _label(trace.model)
        outcome = trace.settle()
        self._requests.labels(model, outcome).inc()
        for kind in trace.risks:
            self._risks.labels(model, kind).inc()
        if trace.first_word is not None:
            self._first.labels(model).observe(trace.first_word)
        if outcome is Outcome.OK:
            self._whole.labels(model).observe(seconds)
        if trace.prompt_tokens or trace.completion_tokens:
            self._tokens.labels(model, "prompt").inc(trace.prompt_tokens)
            self._tokens.labels(model, "completion").inc(trace.completion_tokens)

    def render(self) -> bytes:
        """Return all of it, in Prometheus' text format."""
        return generate_latest(self._registry)


def _label(model: str) -> str:
    """A bot by its name, clients as one: a run may have thousands."""
    return "client" if model.startswith("client/") else model
