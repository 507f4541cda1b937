"""The gate: so many requests are served at once, so many wait in line, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from practicum.serve.refusal import Refusal, too_many

USUAL_SECONDS = 5.0
"""What a request is taken to last before any has been seen."""
LONGEST_RETRY = 60


class Gate:
    """Places for requests, given in the order asked.

    Whoever has entered must leave, once. Whoever is cancelled while waiting has never been there.
    """

    def __init__(self, at_once: int, queue: int, wait: float, *, clock: Callable[[], float]) -> None:
        """Open a gate.

        Args:
            at_once: Places, ≥ 1.
            queue: How many may wait for one.
            wait: Seconds that one waits at most.
            clock: Seconds, monotonic.
        """
        self.at_once = at_once
        self.serving = 0
        """Places taken."""
        self._queue = queue
        self._wait = wait
        self._clock = clock
        self._line: dict[asyncio.Future[bool], None] = {}  # in order, and quick to step out of
        self._usual = USUAL_SECONDS

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return len(self._line)

    async def enter(self) -> float:
        """Take a place, waiting in line for it, and return the moment; it goes back by `leave`.

        Raises:
            Refusal: 429; the line is full, or the wait was too long.
        """
        if self.serving < self.at_once:  # then nobody is in line: a place that is given back goes to the first there
            self.serving += 1
            return self._clock()
        if len(self._line) >= self._queue:
            raise self._busy(f"{self.serving:,} requests are being answered and {self.waiting:,} wait, which is all that may")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line[turn] = None
        timer = loop.call_later(self._wait, self._give_up, turn)
        try:
            has_place = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self._pass_on()  # the place was given in the very moment
            raise
        finally:
            timer.cancel()
            self._line.pop(turn, None)
        if not has_place:
            raise self._busy(f"no place has become free within {self._wait:g} s")
        return self._clock()

    def leave(self, entered: float) -> None:
        """Give a place back.

        Args:
            entered: What `enter` returned.
        """
        # A moving average over about the last twenty: good enough to say when to come back.
        self._usual += (self._clock() - entered - self._usual) / 20
        self._pass_on()

    def _pass_on(self) -> None:
        while self._line:
            turn = next(iter(self._line))
            del self._line[turn]
            if not turn.done():  # else it was cancelled a moment ago
                turn.set_result(True)
                return
        self.serving -= 1

    def _give_up(self, turn: asyncio.Future[bool]) -> None:
        if not turn.done():
            turn.set_result(False)
            self._line.pop(turn, None)

    def _busy(self, message: str) -> Refusal:
        rounds = (self.waiting + 1) / self.at_once
        seconds = min(LONGEST_RETRY, max(1, math.ceil(rounds * self._usual)))
        return too_many(f"{message}; ask again in {seconds} s", code="busy", seconds=seconds)
