"""Who sits in which slot of a local model."""

from __future__ import annotations

import asyncio
from collections import deque

from practicum.errors import EndpointError


class SlotTable:
    """Gives every thread a slot of its own for as long as it lasts: a slot's cache is one conversation's."""

    def __init__(self, count: int) -> None:
        self._free = deque(range(count))
        self._taken: dict[str, int] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._draining = False

    async def take(self, thread: str) -> int:
        """Return the thread's slot; wait for one where all are taken.

        Raises:
            EndpointError: All are taken and the table is being drained.
        """
        while thread not in self._taken:
            if self._free:
                self._taken[thread] = self._free.popleft()
                break
            if self._draining:
                raise EndpointError("stopping: no slot is free and no call may wait any more; the session is resumable")
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # woken, but gone: the slot is another's
                raise
        return self._taken[thread]

    def release(self, thread: str) -> None:
        """Give the thread's slot back; unknown threads are ignored."""
        if (slot := self._taken.pop(thread, None)) is not None:
            # To the end of the queue: a slot that has just been left may still be finishing what was cancelled there.
            self._free.append(slot)
            self._wake()

    def drain(self) -> None:
        """Refuse those that wait, now and from now on."""
        self._draining = True
        while self._waiting:
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
