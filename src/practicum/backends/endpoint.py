"""One address of a model server: its connections, its limits, and whether it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from practicum.backends.base import Notify
from practicum.backends.limits import InFlight, PerMinute
from practicum.backends.transport import Answer, Body, BrokenError, Incoming, NotSentError, SlowError, Transport
from practicum.errors import EndpointError

FIRST_ANSWER_SECONDS = 20.0
"""An endpoint that has never answered in this process is given up after this long."""
PATIENCE_SECONDS = 30 * 60.0
"""An endpoint that has answered before and now refuses is waited for this long."""
PROBE_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""Pauses before the first, second, third and every later probe."""
PROBE_TIMEOUT = 10.0
UNAVAILABLE = frozenset({502, 503, 504})
"""What a proxy says for a server that is down."""
UNAVAILABLE_IN_ROW = 8
"""So many of those in a row, from all calls, with no good answer between, are a server that is down."""


class Endpoint:
    """Sends calls to one address, within its limits; pauses them all while the address refuses.

    A pause costs no call its life: callers wait in `enter`, a free `GET /models` looks after the server, and only when
    the patience is over does every one of them raise. With `wait_for_away=False` nobody waits and nothing is given up:
    whoever has no other address to go to fails, and the next call tries again.
    """

    def __init__(
        self,
        address: str,
        transport: Transport,
        *,
        at_once: int | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        patience: float = PATIENCE_SECONDS,
        wait_for_away: bool = True,
        clock: Callable[[], float],
        notify: Notify,
    ) -> None:
        self.address = address
        self.flight = InFlight(at_once)
        self.answered = False
        """Whether any HTTP answer ever came in this process."""
        self._transport = transport
        self._requests = PerMinute(requests_per_minute, clock, self.rest) if requests_per_minute else None
        self._tokens = PerMinute(tokens_per_minute, clock, self.rest) if tokens_per_minute else None
        self._patience = patience
        self.wait_for_away = wait_for_away
        self._clock = clock
        self._notify = notify
        self._first_refusal: float | None = None
        self._unavailable = 0
        self._open = asyncio.Event()
        self._open.set()
        self._probe: asyncio.Task[None] | None = None
        self._given_up: EndpointError | None = None
        self._over = asyncio.Event()
        """Set once it has been given up."""

    @property
    def paused(self) -> bool:
        """Whether the server is away: calls are held back until it is there again (or go elsewhere, see `wait_for_away`)."""
        return not self._open.is_set()

    async def enter(self) -> int:
        """Wait until limits and health allow one more attempt; `flight.leave` must follow whatever comes of it.

        Returns:
            A stamp for `exchange`.

        Raises:
            EndpointError: The endpoint has been given up.
        """
        while True:
            if self.wait_for_away and not self._open.is_set():
                await self._open.wait()
            if self._given_up is not None:
                raise self._given_up
            if self._tokens is not None:
                await self._tokens.wait()
            if self._requests is not None:
                await self._requests.take()
            stamp = await self.flight.enter()
            if (self._open.is_set() or not self.wait_for_away) and self._given_up is None:
                return stamp
            self.flight.leave()

    async def exchange(self, stamp: int, target: str, body: Body, *, timeout: float) -> Answer:  # noqa: ASYNC109 - see Transport
        """Send one attempt and learn from what comes back.

        Raises:
            TransportError: This attempt got no whole answer; the endpoint may be paused now.
        """
        with self.watching(stamp):
            answer = await self._transport.send(target, body, timeout=timeout)
        self._heard(answer.status)
        if answer.status < 400:
            self.flight.answered(stamp)
        elif answer.status == 429:
            self.flight.answered(stamp, pushed_back=True)
        return answer

    async def open(self, stamp: int, target: str, body: Body, *, timeout: float) -> Incoming:  # noqa: ASYNC109 - see Transport
        """Send one attempt and return its answer while it is still coming; `watching` watches it being read.

        Raises:
            TransportError: No head came; the endpoint may be paused now.
        """
        with self.watching(stamp):
            incoming = await self._transport.open(target, body, timeout=timeout)
        self._heard(incoming.status)
        if incoming.status == 429:
            self.flight.answered(stamp, pushed_back=True)
        return incoming

    @contextmanager
    def watching(self, stamp: int) -> Iterator[None]:
        """Learn from how an exchange fails, down to the first word of its answer."""
        try:
            yield
        except NotSentError as problem:
            self._refused(str(problem))
            raise
        except BrokenError as problem:
            if not self.answered:  # something is there, but no model server
                self._refused(str(problem))
            raise
        except SlowError:
            self.flight.answered(stamp, pushed_back=True)
            raise

    async def rest(self, seconds: float) -> None:
        """Sleep so long, or until the endpoint is given up: a run that is being stopped waits for nobody's pause."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    def spent(self, tokens: int) -> None:
        """Book what a call took against the tokens per minute."""
        if self._tokens is not None:
            self._tokens.book(tokens)

    def _heard(self, status: int) -> None:
        self.answered = True
        if status in UNAVAILABLE:
            self._unavailable += 1
            if self._unavailable >= UNAVAILABLE_IN_ROW:
                self._pause(f"status {status}")
            return
        if status < 400:
            self._unavailable = 0
        if self.paused and not self.wait_for_away:  # a call that did not wait has found it there
            if self._probe is not None:
                self._probe.cancel()
            self._back()

    def _refused(self, cause: str) -> None:
        if self.answered or not self.wait_for_away:
            self._pause(cause)
            return
        now = self._clock()
        if self._first_refusal is None:
            self._first_refusal = now
        elif now - self._first_refusal >= FIRST_ANSWER_SECONDS:
            self._give_up(
                f"{self.address} has not answered within {FIRST_ANSWER_SECONDS:g} s ({cause}); "
                "is the server running, and is the address right?"
            )

    def _give_up(self, message: str) -> None:
        self._given_up = self._given_up or EndpointError(message)
        self._over.set()
        self._open.set()

    def drain(self) -> None:
        """Refuse every call that waits or comes from now on; those in flight end as they will."""
        self._give_up(f"{self.address}: the run is being stopped")
        self.flight.open_to_all()

    def _pause(self, cause: str) -> None:
        if self._open.is_set() and self._given_up is None:
            self._open.clear()
            self._notify(f"{'waiting for' if self.wait_for_away else 'no answer from'} {self.address} ({cause})")
            self._probe = asyncio.get_running_loop().create_task(self._look_after())

    def _back(self) -> None:
        self._open.set()
        self._notify(f"{self.address} is there again")

    async def _look_after(self) -> None:
        since, probes = self._clock(), 0
        while not self.wait_for_away or self._clock() - since < self._patience:
            await asyncio.sleep(PROBE_SECONDS[min(probes, len(PROBE_SECONDS) - 1)])
            if not self.paused:  # given up meanwhile
                return
            probes += 1
            try:
                answer = await self._transport.send("/models", None, timeout=PROBE_TIMEOUT)
            except (NotSentError, BrokenError, SlowError):
                continue
            if answer.status not in UNAVAILABLE:
                self.answered = True
                self._unavailable = 0
                self._back()
                return
        self._give_up(
            f"{self.address} has not come back within {self._patience / 60:g} min; "
            "the sessions under way are kept: the same command goes on with them"
        )

    async def aclose(self) -> None:
        """Stop looking after the server and close its connections."""
        if self._probe is not None and not self._probe.done():
            self._probe.cancel()
            await asyncio.wait([self._probe])
        await self._transport.aclose()
