"""Where a run stands and how fast it goes, for a table, a line or JSON."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from practicum.cli.console import count, duration

if TYPE_CHECKING:
    from practicum.engine import Progress, SessionsConfig

WINDOW_SECONDS = 15.0
"""Speeds are means over so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A run at one moment. Tokens and speeds are this process's, sessions the whole run's."""

    planned: int
    done: int
    """Ended and not failed, in earlier processes too."""
    open: int
    failed: int
    in_flight: int
    """Calls, those that wait for a place included."""
    exchanges: int
    exchanges_per_second: float
    tokens_per_second: float
    """Generated, not read."""
    cost: float | None
    """None where no price is given."""
    currency: str
    seconds_left: float | None
    """At most so long: as if every session went to its last exchange. None as long as nothing is known."""
    note: str
    """The latest one."""

    @property
    def sessions(self) -> str:
        """The sessions in words."""
        return f"{self.done:,} of {self.planned:,} done, {self.open:,} open, {self.failed:,} failed"

    @property
    def speed(self) -> str:
        """The speeds in words."""
        speeds = f"{self.exchanges_per_second:,.1f} exchanges/s, {self.tokens_per_second:,.0f} tokens/s"
        return f"{speeds}, {count(self.in_flight, 'call')} in flight"

    @property
    def left(self) -> str:
        """The time left in words; "" where it is not known."""
        return "" if self.seconds_left is None else f"at most {duration(self.seconds_left)}"

    @property
    def price(self) -> str:
        """The cost in words; "" where no price is given."""
        return "" if self.cost is None else f"{self.cost:,.2f} {self.currency}"

    def line(self) -> str:
        """Everything but the note on one line."""
        return "; ".join(part for part in (self.sessions, self.speed, self.price, self.left and f"{self.left} left") if part)


class Meter:
    """Reads a run's counters, from any thread."""

    def __init__(self, progress: Progress, config: SessionsConfig, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.progress = progress
        self._config = config
        self._clock = clock
        self._seen = deque([(clock(), 0, 0)])
        """(time, turns, tokens), the oldest about a window ago."""

    def read(self) -> Reading:
        """Look at the counters now."""
        progress = self.progress
        now = self._clock()
        exchanges_per_second, tokens_per_second = self._speeds(now)
        done = progress.done_before + progress.ended - progress.failed
        due = progress.planned - progress.done_before
        at_most = due * self._config.max_exchanges - progress.turns // 2
        everything_over = progress.ended >= due
        return Reading(
            planned=progress.planned,
            done=done,
            open=progress.open,
            failed=progress.failed,
            in_flight=progress.in_flight(),
            exchanges=progress.turns // 2,
            exchanges_per_second=exchanges_per_second,
            tokens_per_second=tokens_per_second,
            cost=cost_of(self._config, progress.prompt_tokens, progress.completion_tokens),
            currency=self._config.prices.currency,
            seconds_left=at_most / exchanges_per_second if exchanges_per_second and not everything_over else None,
            note=progress.notes[-1] if progress.notes else "",
        )

    def _speeds(self, now: float) -> tuple[float, float]:
        self._seen.append((now, self.progress.turns, self.progress.completion_tokens))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW_SECONDS:
            self._seen.popleft()
        since, turns, tokens = self._seen[0]
        span = now - since
        if span <= 0:
            return 0.0, 0.0
        return (self.progress.turns - turns) / 2 / span, (self.progress.completion_tokens - tokens) / span


def cost_of(config: SessionsConfig, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return what tokens cost; None where the configuration gives no price."""
    prices = config.prices
    if not prices.prompt and not prices.completion:
        return None
    return (prompt_tokens * prices.prompt + completion_tokens * prices.completion) / 1e6
