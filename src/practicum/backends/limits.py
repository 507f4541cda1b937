"""How many calls an endpoint is asked at once, and how many a minute."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

RAMP_START = 8
RAMP_CEILING = 256
BACK_OFF = 0.7
"""What is left of the limit after a round trip with too many push-backs (429, timeouts)."""
TOLERATED = 0.1
"""Share of a round trip that may be pushed back: a server that turns away one call in twenty is used well, not overrun."""
RECOVERY = 0.1
"""Share of the limit by which it grows with a good round trip after a back-off."""


class InFlight:
    """A limit on calls in flight that backs off and recovers.

    With a number given by the user it starts there and never goes above. Without one it starts at 8 and doubles each
    round trip up to 256, until the endpoint first pushes back too often. A round trip is as many answers as the limit.
    """

    def __init__(self, at_once: int | None = None) -> None:
        self.ceiling = at_once or RAMP_CEILING
        self.limit = at_once or RAMP_START
        """Calls allowed in flight now, ≥ 1."""
        self.in_flight = 0
        self.peak = 0
        """Most that were ever in flight."""
        self._ramping = at_once is None
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._answers = 0
        self._pushed_back = 0
        self._cuts = 0

    @property
    def waiting(self) -> int:
        """Calls that stand in line."""
        return len(self._waiting)

    async def enter(self) -> int:
        """Wait for a place, first come first served. Returns a stamp to hand back to `answered`."""
        if self.in_flight >= self.limit or self._waiting:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place  # whoever leaves hands the place over: in_flight already counts us
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self.leave()
                elif place in self._waiting:  # a place that was given back meanwhile has passed over us
                    self._waiting.remove(place)
                raise
        else:
            self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return self._cuts

    def leave(self) -> None:
        """Give the place back, whatever came of the call."""
        self.in_flight -= 1
        self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)

    def open_to_all(self) -> None:
        """Let everyone in line through at once: what they meet behind is the endpoint's business."""
        self.limit = self.ceiling = 1 << 30
        self._hand_over()

    def answered(self, stamp: int, *, pushed_back: bool = False) -> None:
        """Count an answer to a call that entered with `stamp`; `pushed_back`: it was a 429, or none in time.

        What had started before the last cut says nothing about the limit since, and does not count.
        """
        if stamp < self._cuts:
            return
        self._answers += 1
        self._pushed_back += pushed_back
        if self._pushed_back > TOLERATED * self.limit:
            self._cuts += 1
            self._ramping = False
            self._begin_round_trip(max(1, int(self.limit * BACK_OFF)))
        elif self._answers >= self.limit:
            step = self.limit if self._ramping else max(1, int(self.limit * RECOVERY))
            self._begin_round_trip(max(self.limit, min(self.ceiling, self.limit + step)))
            self._hand_over()

    def _begin_round_trip(self, limit: int) -> None:
        self.limit = limit
        self._answers = self._pushed_back = 0


class PerMinute:
    """So many units a minute, evenly paced. What a call really took may be booked afterwards: it delays the next."""

    def __init__(self, units: float, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._seconds = 60.0 / units
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0

    async def take(self, units: float = 1) -> None:
        """Wait for the turn and book `units`."""
        now = self._clock()
        at = max(self._free_at, now)
        self._free_at = at + units * self._seconds
        if at > now:
            await self._sleep(at - now)

    async def wait(self) -> None:
        """Wait until what was booked so far is worked off; book nothing."""
        await self._sleep(max(0.0, self._free_at - self._clock()))

    def book(self, units: float) -> None:
        """Book what a call took."""
        self._free_at = max(self._free_at, self._clock()) + units * self._seconds
