"""Any server that speaks OpenAI's protocol: vLLM, llama-server, Ollama, DeepSeek, DashScope, OpenAI itself."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from practicum.backends.base import Notify, Reply, Request
from practicum.backends.body import GrownBody
from practicum.backends.dialect import Answered, Dialect, MalformedError, encode_extras, error_code, error_text, read_answer
from practicum.backends.endpoint import Endpoint
from practicum.backends.templates import TEMPLATES
from practicum.backends.transport import Answer, BrokenError, NotSentError, SlowError
from practicum.core import Call, Form
from practicum.errors import BackendError, EndpointError

TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
"""Statuses that another try may cure."""
HOPELESS = frozenset({401, 402, 403})
"""Wrong key, empty purse, no right: every later call would meet the same, so the run stops instead of failing session by session."""
EMPTY_TRIES = 3
"""So many answers without a word in a row are the model's habit, not an accident."""
FIRST_CONTACT_PAUSE = 0.5
"""Seconds between tries at a server that has never answered: it may just be starting, and is given up after 20 s."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 20.0
"""Seconds before the first repeat, doubled each time, and at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBudget:
    """How long one call may take."""

    timeout: float = 300.0
    """Seconds for one attempt."""
    total: float = 900.0
    """Seconds for all attempts of a call together, waiting included; a paused endpoint does not count."""


class _Try:
    """One call on its way: what it has cost so far, and what went wrong last."""

    __slots__ = ("attempts", "cause", "completion_tokens", "empties", "pause", "prompt_tokens", "spent", "started")

    def __init__(self) -> None:
        self.attempts = 0
        self.empties = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.spent = 0.0
        self.started = 0.0
        self.cause = ""
        self.pause = FIRST_PAUSE


class OpenAIBackend:
    """One model behind one or more addresses; each thread stays with one of them so that its prefix cache hits."""

    def __init__(
        self,
        model: str,
        endpoints: Sequence[Endpoint],
        *,
        budget: CallBudget,
        clock: Callable[[], float],
        notify: Notify,
    ) -> None:
        self.model = model
        self.endpoints = tuple(endpoints)
        self._dialects = {endpoint.address: Dialect() for endpoint in endpoints}
        self._bodies: dict[str, GrownBody] = {}
        self._budget = budget
        self._clock = clock
        self._notify = notify
        self.under_way = 0

    @property
    def capacity(self) -> int:
        """Calls that all its addresses take at once now."""
        return sum(endpoint.flight.limit for endpoint in self.endpoints)

    async def reply(self, request: Request) -> Reply:
        """Return one non-empty reply; see `ChatBackend`."""
        body = self._bodies.get(request.thread)
        if body is None:
            body = self._bodies[request.thread] = GrownBody(self.model, request)
        attempt = _Try()
        self.under_way += 1
        try:
            while (answered := await self._attempt(request, body, attempt)) is None:
                if attempt.spent >= self._budget.total:
                    raise BackendError(
                        f"{self.model}: no answer within {self._budget.total:g} s and {attempt.attempts} attempts; last: {attempt.cause}",
                        kind="budget",
                    )
        finally:
            self.under_way -= 1
        return Reply(text=answered.text, call=self._call(request, answered, attempt), chances=answered.chances)

    def _call(self, request: Request, answered: Answered, attempt: _Try) -> Call:
        return Call(
            model=answered.model or self.model,
            finish=answered.finish,
            prompt_tokens=attempt.prompt_tokens,
            completion_tokens=attempt.completion_tokens,
            cached_tokens=answered.cached_tokens,
            seconds=self._clock() - attempt.started,
            attempts=attempt.attempts,
            request_id=answered.request_id,
            seed=_seed(request, attempt),
            reasoning=answered.reasoning,
        )

    def _pick(self, thread: str) -> Endpoint:
        endpoints = self.endpoints
        if len(endpoints) == 1:
            return endpoints[0]
        first = zlib.crc32(thread.encode()) % len(endpoints)
        in_order = [*endpoints[first:], *endpoints[:first]]
        return next((endpoint for endpoint in in_order if not endpoint.paused), in_order[0])

    async def _attempt(self, request: Request, body: GrownBody, attempt: _Try) -> Answered | None:
        """Try once. None: worth another try; the time that it took is in `attempt.spent`, and it has slept if it should."""
        endpoint = self._pick(request.thread)
        dialect = self._dialects[endpoint.address]
        stop = (*request.stop, *TEMPLATES[request.template].stop) if request.form is Form.TRANSCRIPT else tuple(request.stop)
        target = "/completions" if request.form is Form.TRANSCRIPT else "/chat/completions"
        stamp = await endpoint.enter()
        started = self._clock()
        if not attempt.attempts:
            attempt.started = started
        attempt.attempts += 1
        try:
            version = dialect.version
            extras = encode_extras(request.form, request.logprobs, request.constraint)
            message = body.encode(request, extras + dialect.encode(request.sampling, stop, _seed(request, attempt)))
            answer = await endpoint.exchange(stamp, target, message, timeout=self._budget.timeout)
        except (NotSentError, BrokenError, SlowError) as problem:
            attempt.cause = str(problem)
            attempt.spent += self._clock() - started
            if not endpoint.paused:  # else the wait is the endpoint's, not this call's
                await self._rest(endpoint, request, attempt, None if endpoint.answered else FIRST_CONTACT_PAUSE)
            return None
        finally:
            endpoint.flight.leave()
        attempt.spent += self._clock() - started
        if answer.status == 200:
            return await self._read(request, answer, attempt, endpoint)
        if answer.status in TRANSIENT and error_code(answer.body) != "insufficient_quota":
            attempt.cause = f"status {answer.status}: {error_text(answer.body)}"
            await self._rest(endpoint, request, attempt, _retry_after(answer))
            return None
        if answer.status in {400, 422} and self._adapt(endpoint, dialect, version, answer):
            return None
        raise self._final(endpoint, answer)

    async def _read(self, request: Request, answer: Answer, attempt: _Try, endpoint: Endpoint) -> Answered | None:
        try:
            answered = read_answer(answer.body)
        except MalformedError as problem:
            attempt.cause = f"truncated or malformed answer ({problem})"
            await self._rest(endpoint, request, attempt)
            return None
        endpoint.spent(answered.prompt_tokens + answered.completion_tokens)
        attempt.prompt_tokens += answered.prompt_tokens
        attempt.completion_tokens += answered.completion_tokens
        if answered.text:
            return answered
        attempt.empties += 1
        attempt.cause = "empty answer"
        if attempt.empties >= EMPTY_TRIES:
            what = "nothing but reasoning" if answered.reasoning else "nothing"
            raise BackendError(
                f"{self.model} said {what} {attempt.empties} times in a row (finish reason {answered.finish or 'none'!r}); "
                f"max_tokens is {request.sampling.max_tokens}, "
                "which client.max_tokens and counselor.max_tokens raise if the model needs room to think",
                kind="empty",
            )
        return None

    async def _rest(self, endpoint: Endpoint, request: Request, attempt: _Try, wanted: float | None = None) -> None:
        jitter = random.Random(request.seed + attempt.attempts).uniform(0.5, 1.0)
        pause = wanted if wanted is not None else attempt.pause * jitter
        attempt.pause = min(LONGEST_PAUSE, attempt.pause * 2)
        pause = min(pause, max(0.0, self._budget.total - attempt.spent))
        attempt.spent += pause
        await endpoint.rest(pause)

    def _adapt(self, endpoint: Endpoint, dialect: Dialect, version: int, answer: Answer) -> bool:
        """Whether the same call is worth sending again in what is known of the endpoint by now."""
        if dialect.version > version:  # another call has learnt it meanwhile
            return True
        note = dialect.learn(answer.body)
        if note is not None:
            self._notify(f"{self.model} at {endpoint.address} {note}")
        return note is not None

    def _final(self, endpoint: Endpoint, answer: Answer) -> EndpointError | BackendError:
        said = error_text(answer.body) or "no reason given"
        where = f"{self.model} at {endpoint.address}: status {answer.status}: {said}"
        if answer.status in HOPELESS:
            return EndpointError(f"{where}; check the key and the account, then run the same command again")
        if answer.status == 429:
            return EndpointError(f"{where}; the account's quota is used up")
        if answer.status == 404:
            return EndpointError(f"{where}; check the model's name and the address (it usually ends in /v1)")
        kind = "context" if "context" in said or "maximum" in said else "refused"
        return BackendError(where, kind=kind, status=answer.status)

    def release(self, thread: str) -> None:
        """Forget a thread's body."""
        self._bodies.pop(thread, None)

    def drain(self) -> None:
        """Refuse the calls that wait."""
        for endpoint in self.endpoints:
            endpoint.drain()

    async def aclose(self) -> None:
        """Close every address's connections."""
        for endpoint in self.endpoints:
            await endpoint.aclose()


def _seed(request: Request, attempt: _Try) -> int:
    """The seed to send: another one after an empty answer, which a seeded server would only give again."""
    return (request.seed + attempt.empties) % 2**31


def _retry_after(answer: Answer) -> float | None:
    """Seconds that the server asks to wait, at most 5 min; None if it does not say or says a date."""
    try:
        if b"retry-after-ms" in answer.headers:
            return min(300.0, max(0.0, float(answer.headers[b"retry-after-ms"]) / 1000))
        return min(300.0, max(0.0, float(answer.headers[b"retry-after"])))
    except (KeyError, ValueError):
        return None
