"""The one thread that writes: whatever waits is committed together."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from itertools import groupby
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from practicum.errors import StoreError
from practicum.store.dialect import DATABASE_ERRORS, explain
from practicum.store.hot import KINDS, HotPath, Job, Work

PACE = 0.006
"""Seconds from one group to the next, at least: a commit costs 0.15 ms of CPU, a turn in it 0.01. A lone session, whose
turns come further apart, waits for nothing but its commit."""

ENOUGH = 8
"""Jobs that make a group at any pace."""

T = TypeVar("T")


class Writer:
    """Takes jobs from any thread and any event loop, and answers each once it is on the disk.

    The first failure of the database is final: every job that waits, and every later one, gets it as `StoreError`.
    """

    def __init__(self, engine: Engine, shown: str, guard: AbstractContextManager[Any]) -> None:
        """Make a writer; its thread starts with the first job.

        Args:
            engine: To the store.
            shown: How the store is named in messages.
            guard: Held during each transaction.
        """
        self._engine = engine.execution_options(writes=True)
        self._shown = shown
        self._guard = guard
        self._hot = HotPath(engine.dialect)
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._door = Lock()
        """Held where a job enters and where the thread closes, so that no job is left behind a closed door."""
        self._closed_because = ""
        self._last = 0.0
        """When the last group was taken, on the monotonic clock."""

    def put(self, job: Job) -> None:
        """Queue a job.

        Raises:
            StoreError: The store is closed or has failed; the job is not queued.
        """
        with self._door:
            if self._closed_because:
                raise StoreError(self._closed_because)
            self._queue.put(job)
            if self._thread is None:
                # A daemon that `atexit` drains: a store that nobody closed must not keep its process from ending.
                self._thread = Thread(target=self._run, name="practicum-store", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def do(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction of its own, after all that waits, and return its result once committed.

        Raises:
            StoreError: The store is closed or has failed.
            PracticumError: What `work` raised; nothing of it was written.
        """
        waiter: concurrent.futures.Future[T] = concurrent.futures.Future()
        self.put(Work(waiter=waiter, work=work))
        return waiter.result()

    def close(self) -> None:
        """Write all that waits, then end the thread; again is harmless."""
        with self._door:
            self._closed_because = self._closed_because or f"the store {self._shown} is closed"
            thread, self._thread = self._thread, None
        if thread is not None:
            atexit.unregister(self.close)
            self._queue.put(None)
            thread.join()

    def _run(self) -> None:
        batches: deque[list[Job]] = deque()
        # What a bug leaves behind; its traceback is printed by the thread's own hook.
        cause = f"the store {self._shown} stopped writing because of an error in practicum itself; see its traceback"
        try:
            with self._engine.connect() as connection:
                while self._fill(batches):
                    with self._guard:
                        self._hot.write(connection, batches[0])
                    _answer(batches.popleft())
            cause = ""
        except DATABASE_ERRORS as error:
            cause = str(explain(error, self._shown))
        finally:
            self._refuse(batches, cause)

    def _fill(self, batches: deque[list[Job]]) -> bool:
        """Wait for jobs and split them into what one transaction takes; return False once the store is closed."""
        if batches:
            return True
        group = [self._queue.get()]
        if self._queue.qsize() < ENOUGH and not isinstance(group[0], Work):
            sleep(max(0.0, self._last + PACE - monotonic()))
        self._last = monotonic()
        group += [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        jobs = [job for job in group if job is not None]
        if jobs and len(jobs) < len(group):
            self._queue.put(None)
        jobs.sort(key=lambda job: KINDS.index(type(job)))
        batches.extend(list(batch) for _, batch in groupby(jobs, key=lambda job: job if isinstance(job, Work) else type(job)))
        return bool(batches)

    def _refuse(self, batches: Iterable[list[Job]], cause: str) -> None:
        """Close the door and answer all who still wait with the cause."""
        with self._door:
            self._closed_because = cause or self._closed_because
            left = [job for batch in batches for job in batch]
            while not self._queue.empty():
                if (job := self._queue.get_nowait()) is not None:
                    left.append(job)
        for job in left:
            job.error = StoreError(self._closed_because)
        _answer(left)


def _answer(jobs: Iterable[Job]) -> None:
    """Tell those who wait, each event loop once."""
    for_loops: defaultdict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
    for job in jobs:
        if isinstance(job.waiter, asyncio.Future):
            for_loops[job.waiter.get_loop()].append(job)
        else:
            _settle([job])
    for loop, its in for_loops.items():
        # A loop that has been closed meanwhile has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, its)


def _settle(jobs: Iterable[Job]) -> None:
    for job in jobs:
        if job.waiter.done():  # its task was cancelled; what it wrote is written all the same
            continue
        if job.error is None:
            job.waiter.set_result(job.result)
        else:
            job.waiter.set_exception(job.error)
