"""How many calls an endpoint is asked at once, and how many a minute."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

RAMP_START = 8
RAMP_CEILING = 256
BACK_OFF = 0.7
"""What is left of the limit after a 429 or a timeout."""
RECOVERY = 0.1
"""Share of the ceiling that a clean round trip gives back after a back-off."""


class InFlight:
    """A limit on calls in flight that backs off and recovers.

    With a number given by the user it starts there and never goes above. Without one it starts at 8 and doubles each
    round trip up to 256, until the endpoint first pushes back. A round trip is as many answers as the limit.
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
        self._clean = 0
        self._cuts = 0

    @property
    def waiting(self) -> int:
        """Calls that stand in line."""
        return len(self._waiting)

    async def enter(self) -> int:
        """Wait for a place, first come first served. Returns a stamp to hand back to `pushed_back`."""
        if self.in_flight >= self.limit or self._waiting:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place  # whoever leaves hands the place over: in_flight already counts us
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self.leave()
                else:
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

    def answered(self) -> None:
        """Count one clean answer; after a clean round trip the limit grows, up to its ceiling."""
        self._clean += 1
        if self._clean >= self.limit and self.limit < self.ceiling:
            self._clean = 0
            step = self.limit if self._ramping else max(1, int(self.ceiling * RECOVERY))
            self.limit = min(self.ceiling, self.limit + step)
            self._hand_over()

    def pushed_back(self, stamp: int) -> None:
        """Shrink after a 429 or a timeout. Calls that had started before the last cut do not cut again."""
        if stamp < self._cuts:
            return
        self._cuts += 1
        self._clean = 0
        self._ramping = False
        self.limit = max(1, int(self.limit * BACK_OFF))


class PerMinute:
    """So many units a minute, evenly paced. What a call really took may be booked afterwards: it delays the next."""

    def __init__(self, units: float, clock: Callable[[], float]) -> None:
        self._seconds = 60.0 / units
        self._clock = clock
        self._free_at = 0.0

    async def take(self, units: float = 1) -> None:
        """Wait for the turn and book `units`."""
        now = self._clock()
        at = max(self._free_at, now)
        self._free_at = at + units * self._seconds
        if at > now:
            await asyncio.sleep(at - now)

    async def wait(self) -> None:
        """Wait until what was booked so far is worked off; book nothing."""
        await asyncio.sleep(max(0.0, self._free_at - self._clock()))

    def book(self, units: float) -> None:
        """Book what a call took."""
        self._free_at = max(self._free_at, self._clock()) + units * self._seconds
