"""The event loop around a desk: uvloop where there is one, signals, and a garbage collector that keeps out of the way."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

from practicum.backends import ChatBackend, Notify
from practicum.engine.run import Appointment, Desk

Errand = Callable[[], Coroutine[Any, Any, None]]


def run_desk(
    desk: Desk,
    due: Sequence[Appointment],
    backends: Sequence[ChatBackend],
    notify: Notify | None,
    *,
    before: Errand | None = None,
    after: Errand | None = None,
) -> bool:
    """Run an event loop until all is held; return whether it was stopped before.

    Args:
        desk: Holds the sessions.
        due: What is to be held.
        backends: Closed at the end, on the loop that they ran on.
        notify: Told when the first SIGINT or SIGTERM stops the desk; the second cancels. None: signals are left alone.
        before: Awaited first, on the same loop: what must be known of the backends before a session begins.
        after: Awaited once all is held, unless the desk was stopped.
    """

    async def main() -> bool:
        holding = asyncio.ensure_future(_all(desk, due, before, after))
        with nullcontext() if notify is None else _stopped_by_signals(desk, holding.cancel, notify):
            try:
                await holding
            except asyncio.CancelledError:
                if not desk.stopping:  # not ours: a KeyboardInterrupt on its way to whoever called
                    raise
            finally:
                for backend in backends:
                    await backend.aclose()
        return desk.stopping

    with _rare_collections():
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return _run(main())
        with ThreadPoolExecutor(1) as thread:  # called from a notebook, whose own loop runs in this thread
            return thread.submit(lambda: _run(main())).result()


async def _all(desk: Desk, due: Sequence[Appointment], before: Errand | None, after: Errand | None) -> None:
    if before is not None:
        await before()
    await desk.hold(due)
    if after is not None and not desk.stopping:
        await after()


def _run(main: Coroutine[Any, Any, bool]) -> bool:
    try:
        import uvloop
    except ImportError:  # not on every platform
        return asyncio.run(main)
    return uvloop.run(main)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python look for reference cycles rarely: a thousand open sessions are many objects and no cycles, and cost 15 % CPU."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _stopped_by_signals(desk: Desk, cancel: Callable[[], object], notify: Notify) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM stop the desk, and the second cancel."""

    def stop() -> None:
        if desk.stopping:
            cancel()
        else:
            desk.stop()
            notify("stopping: calls in flight are finished and kept; Ctrl-C again stops at once")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:  # uvloop would leave its own behind, and what comes after the run could not be interrupted
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
