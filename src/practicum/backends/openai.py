"""Any server that speaks OpenAI's protocol: vLLM, llama-server, Ollama, DeepSeek, DashScope, OpenAI itself."""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from practicum.backends.base import Chunk, Notify, Reply, Request
from practicum.backends.body import GrownBody
from practicum.backends.dialect import Answered, Dialect, MalformedError, encode_extras, error_code, error_text, read_answer
from practicum.backends.endpoint import Endpoint
from practicum.backends.stream import EventError, Heard, Hearing, open_hearing
from practicum.backends.templates import TEMPLATES
from practicum.backends.transport import Answer, Body, TransportError
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
        attempt = _Try()
        self.under_way += 1
        try:
            heard = await self._ask(request, attempt, streamed=False)
        finally:
            self.under_way -= 1
        return self._reply(request, heard.answered(), attempt)

    async def stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """Yield one non-empty reply as it comes; see `ChatBackend`."""
        attempt = _Try()
        heard: Heard | Hearing | None = None
        self.under_way += 1
        try:
            heard = await self._ask(request, attempt, streamed=True)
            said = heard.first
            while said:
                yield Chunk(said)
                said = await heard.next()
            reply = self._reply(request, heard.answered(), attempt)
            heard.close()  # whoever takes the last chunk may take its time
            yield Chunk("", reply)
        except (TransportError, MalformedError, EventError) as problem:
            raise BackendError(f"{self.model}: the answer broke off in the middle ({problem})", kind="broken") from problem
        finally:
            if heard is not None:
                heard.close()
            self.under_way -= 1

    async def _ask(self, request: Request, attempt: _Try, *, streamed: bool) -> Heard | Hearing:
        """Try until there is a good answer, or (`streamed`) its first word; it must be closed."""
        body = self._body_of(request)
        while (heard := await self._attempt(request, body, attempt, streamed=streamed)) is None:
            if attempt.spent >= self._budget.total:
                raise BackendError(
                    f"{self.model}: no answer within {self._budget.total:g} s and {attempt.attempts} attempts; last: {attempt.cause}",
                    kind="budget",
                )
        return heard

    def _body_of(self, request: Request) -> GrownBody:
        if not request.thread:
            return GrownBody(self.model, request)
        body = self._bodies.get(request.thread)
        if body is None:
            body = self._bodies[request.thread] = GrownBody(self.model, request)
        return body

    def _reply(self, request: Request, answered: Answered, attempt: _Try) -> Reply:
        call = Call(
            model=answered.model or self.model,
            finish=answered.finish,
            prompt_tokens=attempt.prompt_tokens + answered.tokens.prompt,
            completion_tokens=attempt.completion_tokens + answered.tokens.completion,
            cached_tokens=answered.tokens.cached,
            seconds=self._clock() - attempt.started,
            attempts=attempt.attempts,
            request_id=answered.request_id,
            seed=_seed(request, attempt),
            reasoning=answered.reasoning,
        )
        return Reply(text=answered.text, call=call, chances=answered.chances)

    def _pick(self, request: Request) -> Endpoint:
        endpoints = self.endpoints
        if len(endpoints) == 1:
            return endpoints[0]
        first = zlib.crc32((request.thread or request.route).encode()) % len(endpoints)
        in_order = [*endpoints[first:], *endpoints[:first]]
        return next((endpoint for endpoint in in_order if not endpoint.paused), in_order[0])

    async def _attempt(self, request: Request, body: GrownBody, attempt: _Try, *, streamed: bool) -> Heard | Hearing | None:
        """Try once. None: worth another try; the time that it took is in `attempt.spent`, and it has slept if it should."""
        endpoint = self._pick(request)
        dialect = self._dialects[endpoint.address]
        target = "/completions" if request.form is Form.TRANSCRIPT else "/chat/completions"
        stamp = await endpoint.enter()
        started = self._clock()
        if not attempt.attempts:
            attempt.started = started
        attempt.attempts += 1
        got: Answer | Answered | Hearing | None = None
        try:
            version = dialect.version
            message = self._encode(request, body, dialect, attempt, streamed=streamed)
            if streamed:
                got = await open_hearing(endpoint, dialect, stamp, target, message, timeout=self._budget.timeout)
            else:
                answer = await endpoint.exchange(stamp, target, message, timeout=self._budget.timeout)
                got = read_answer(answer.body) if answer.status == 200 else answer
        except (TransportError, MalformedError) as problem:
            attempt.cause = str(problem)
            attempt.spent += self._clock() - started
            await self._move_on(endpoint, request, attempt)
            return None
        finally:
            if not isinstance(got, Hearing):  # which keeps its place until it is closed
                endpoint.flight.leave()
        attempt.spent += self._clock() - started
        if isinstance(got, Hearing):
            return got
        if isinstance(got, Answered):
            return self._weigh(request, got, attempt, endpoint)
        await self._heed(request, got, attempt, endpoint, version)
        return None

    def _encode(self, request: Request, body: GrownBody, dialect: Dialect, attempt: _Try, *, streamed: bool) -> Body:
        stop = (*request.stop, *TEMPLATES[request.template].stop) if request.form is Form.TRANSCRIPT else tuple(request.stop)
        extras = encode_extras(request.form, request.logprobs, request.constraint)
        return body.encode(request, extras + dialect.encode(request.sampling, stop, _seed(request, attempt), streamed=streamed))

    def _weigh(self, request: Request, answered: Answered, attempt: _Try, endpoint: Endpoint) -> Heard | None:
        endpoint.spent(answered.tokens.prompt + answered.tokens.completion)
        if answered.text:
            return Heard(answered)
        attempt.prompt_tokens += answered.tokens.prompt
        attempt.completion_tokens += answered.tokens.completion
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

    async def _heed(self, request: Request, answer: Answer, attempt: _Try, endpoint: Endpoint, version: int) -> None:
        """Rest or learn as a status that is not 200 asks for.

        Raises:
            EndpointError, BackendError: Another try would not help.
        """
        if answer.status in TRANSIENT and error_code(answer.body) != "insufficient_quota":
            attempt.cause = f"status {answer.status}: {error_text(answer.body)}"
            if endpoint.paused:
                self._look_elsewhere(endpoint, request, attempt)
            await self._rest(endpoint, request, attempt, _retry_after(answer))
        elif answer.status not in {400, 422} or not self._adapt(endpoint, version, answer):
            raise self._final(endpoint, answer)

    async def _move_on(self, endpoint: Endpoint, request: Request, attempt: _Try) -> None:
        """Rest after a connection that failed, unless the endpoint is paused: then the wait is not this call's."""
        if endpoint.paused:
            self._look_elsewhere(endpoint, request, attempt)
        else:
            await self._rest(endpoint, request, attempt, None if endpoint.answered else FIRST_CONTACT_PAUSE)

    def _look_elsewhere(self, endpoint: Endpoint, request: Request, attempt: _Try) -> None:
        if not endpoint.wait_for_away and self._pick(request).paused:
            raise EndpointError(f"{self.model}: no server is there at {endpoint.address} ({attempt.cause})")

    async def _rest(self, endpoint: Endpoint, request: Request, attempt: _Try, wanted: float | None = None) -> None:
        jitter = random.Random(request.seed + attempt.attempts).uniform(0.5, 1.0)
        pause = wanted if wanted is not None else attempt.pause * jitter
        attempt.pause = min(LONGEST_PAUSE, attempt.pause * 2)
        pause = min(pause, max(0.0, self._budget.total - attempt.spent))
        attempt.spent += pause
        await endpoint.rest(pause)

    def _adapt(self, endpoint: Endpoint, version: int, answer: Answer) -> bool:
        """Whether the same call is worth sending again in what is known of the endpoint by now."""
        dialect = self._dialects[endpoint.address]
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
