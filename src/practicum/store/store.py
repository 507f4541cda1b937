"""The store: one object through which everything is written and read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, RowMapping, insert

from practicum.core import Ending, Record, Session, Turn
from practicum.store import planning, reading
from practicum.store.codec import dump_json, record_rows, storable_text, turn_row
from practicum.store.dialect import (
    DATABASE_ERRORS,
    database_file,
    explain,
    insert_or_ignore,
    log_ahead,
    make_engine,
    parse_url,
    prepare_file,
)
from practicum.store.hot import CHUNK, Append, Finish, Take, Work, chunks, take_back
from practicum.store.owner import RunOwner
from practicum.store.rows import Claim, OwedSession, PlannedSession, RunInfo, RunRecord, RunSummary
from practicum.store.schema import ensure_schema
from practicum.store.tables import EXPORTED, NOTE
from practicum.store.writer import Writer

P = TypeVar("P", bound=tuple[Any, ...])


class Store:
    """Runs and their sessions, on disk.

    Everything is written by one thread and on the disk (`synchronous=FULL`) before its call returns. Reading uses
    connections of its own, and goes on while this or another process writes. Any method raises `StoreError` if the
    database fails; after a failed write, every later write fails likewise.
    """

    def __init__(self, engine: Engine, url: str, file: Path | None) -> None:
        """Wrap an engine whose schema is ready; use `open` instead."""
        self.url = url
        """As it is shown: without any password."""
        self.engine = engine
        """For queries of one's own."""
        self._file = file
        # In memory all share one connection, and must take turns.
        self._guard: AbstractContextManager[Any] = nullcontext() if file else Lock()
        self._writer = Writer(engine, url, self._guard)

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Store:
        """Open a store, and make it (mode 0600) or upgrade it where that is needed.

        Args:
            url: `sqlite:///FILE.db`, or `sqlite://` for one in memory.
            create: False: there must be one already.

        Raises:
            ConfigError: It is no database URL, or of a kind that is not supported.
            StoreError: The file cannot be used, is not a store, was written by a newer practicum, or there is none.
        """
        parsed = parse_url(url)
        shown = parsed.render_as_string(hide_password=True)
        file = database_file(parsed)
        if file is not None:
            prepare_file(file, shown, create=create)
        engine = make_engine(parsed)
        with ExitStack() as on_failure:
            on_failure.callback(engine.dispose)
            try:
                ensure_schema(engine, shown, create=create)
                log_ahead(engine)
            except DATABASE_ERRORS as error:
                raise explain(error, shown) from error
            on_failure.pop_all()
        return cls(engine, shown, file)

    @staticmethod
    def exists(url: str) -> bool:
        """Tell whether there is a store to open: false for one in memory, and for a file that is not there."""
        file = database_file(parse_url(url))
        return file is not None and file.exists()

    def close(self) -> None:
        """Write all that waits and let the file go; again is harmless."""
        self._writer.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ── setting up ───────────────────────────────────────────────────────────────────────────────────────────────────

    def own_run(self, name: str) -> RunOwner:
        """Take a run for this process, by a lock file beside the store; a store in memory has no rivals.

        Raises:
            RunLockedError: It has an owner, here or in another process.
            ConfigError: It is no name for a run.
        """
        planning.check_run_name(name)
        return RunOwner(name, None if self._file is None else self._file.with_name(f"{self._file.name}.{name}.lock"))

    def begin_run(self, plan: RunRecord, *, at: float) -> int:
        """Add a run, or go on with the one of this name: then its settings are replaced. Returns the run's id.

        Raises:
            RunConflictError: The one of this name has another identity; the message lists the differences.
            ConfigError: It is no name for a run.
        """
        return self._writer.do(lambda connection: planning.begin_run(connection, plan, at))

    def plan_sessions(self, run_id: int, sessions: Iterable[PlannedSession]) -> int:
        """Add the sessions whose key the run does not have yet, in order. Returns how many these are."""
        works = (partial(planning.plan_sessions, run_id=run_id, planned=chunk) for chunk in chunks(sessions, CHUNK))
        return sum(self._writer.do(work) for work in works)

    def note(self, run_id: int, text: str, at: float) -> None:
        """Record something that the reader of a run should know: a parameter dropped, an endpoint waited for."""
        row = insert(NOTE).values(run_id=run_id, at=at, text=storable_text(text))
        self._writer.do(lambda connection: connection.execute(row))

    def mark_exported(self, run: str, keys: Sequence[str], at: float) -> None:
        """Remember that these sessions of a run went into a training export."""
        ids = {key: claim.session_id for key, claim in self.claims(run).items()}
        rows = [{"session_id": ids[key], "at": at} for key in keys]
        for chunk in chunks(rows, CHUNK):
            self._writer.do(lambda connection, chunk=chunk: connection.execute(insert_or_ignore(EXPORTED), chunk))  # type: ignore[misc]

    # ── while sessions run ───────────────────────────────────────────────────────────────────────────────────────────

    async def claim(self, session_ids: Sequence[int], at: float) -> list[Claim]:
        """Take sessions in order to write them: whoever held them before is stale from here on.

        An ending `failed` is taken back. Sessions that have another ending are not owed, and left out of the answer.
        """
        waiter: asyncio.Future[list[Claim]] = asyncio.get_running_loop().create_future()
        self._writer.put(Take(waiter=waiter, session_ids=session_ids, at=at))
        return await waiter

    async def append(self, session_id: int, epoch: int, turn: Turn, records: Sequence[Record] = ()) -> None:
        """Write a turn, and what belongs to it, in one transaction; return once it is on the disk.

        A turn that is there already (same session, same index) is left as it is, and so are its records. If the caller
        is cancelled while it waits, the turn may or may not be there afterwards.

        Raises:
            StaleSessionError: Somebody has claimed the session since; nothing was written.
            StoreError: The turn holds what cannot be stored (only this call fails), or the database failed.
        """
        rows = record_rows(session_id, turn.index, records) if records else []
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.put(Append(waiter=waiter, session_id=session_id, epoch=epoch, row=turn_row(session_id, epoch, turn), records=rows))
        await waiter

    async def keep(self, session_id: int, epoch: int, index: int, records: Sequence[Record]) -> None:
        """Write records before their turn; return once they are on the disk. `claim` gives them back if the turn never comes.

        Args:
            session_id: The session.
            epoch: The claim's.
            index: Of the turn that they belong to; -1 for what belongs to the session as a whole.
            records: At least one.

        Raises:
            StaleSessionError: Somebody has claimed the session since; nothing was written.
        """
        rows = record_rows(session_id, index, records)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.put(Append(waiter=waiter, session_id=session_id, epoch=epoch, row=None, records=rows))
        await waiter

    async def take_back(self, session_id: int, epoch: int, index: int) -> None:
        """Delete a session's turns from `index` on, and what belongs to them; return once they are gone from the disk.

        What a session holds as a whole (records of the index -1) stays, and so does its ending, if it has one.

        Raises:
            StaleSessionError: Somebody has claimed the session since; nothing was deleted.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        work = partial(take_back, session_id=session_id, epoch=epoch, index=max(0, index))
        self._writer.put(Work(waiter=waiter, work=work))
        await waiter

    async def finish(self, session_id: int, epoch: int, *, ending: Ending, failure: str = "", risk: Sequence[str] = (), at: float) -> None:
        """Write the ending of a session.

        Raises:
            StaleSessionError: Somebody has claimed the session since; nothing was written.
        """
        values = {"ending": ending.value, "failure": storable_text(failure), "risk": dump_json(sorted(risk)), "finished_at": at}
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.put(Finish(waiter=waiter, session_id=session_id, epoch=epoch, values=values))
        await waiter

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def owed_sessions(self, run_id: int) -> list[OwedSession]:
        """Return the sessions of a run that have no ending or failed, in plan order."""
        with self._reading() as connection:
            return reading.list_owed(connection, run_id)

    def runs(self) -> list[RunSummary]:
        """Return every run with its sums, the oldest first."""
        with self._reading() as connection:
            return reading.list_runs(connection)

    def run(self, name: str) -> RunInfo:
        """Return all about a run but its sessions; `StoreError` names the known runs if there is none of this name."""
        with self._reading() as connection:
            return reading.read_run(connection, name)

    def sessions(self, run: str, *, with_turns: bool = True) -> Iterator[Session]:
        """Yield the sessions of a run in plan order, a page in memory at a time.

        Args:
            run: The run's name.
            with_turns: False: the sessions come without their turns.
        """
        pages = self._pages(run, partial(reading.read_page, with_turns=with_turns))
        yield from (session for _, session in pages)

    def session(self, run: str, which: str) -> Session:
        """Return one session, by its position in the run (from 1) or the first characters of its key."""
        with self._reading() as connection:
            row = reading.find_run(connection, run)
            return reading.read_one(connection, row, reading.find_session(connection, row, which))

    def records(self, run: str, which: str) -> list[tuple[int, Record]]:
        """Return the records of one session (named as for `session`), each with the index of its turn, in order."""
        with self._reading() as connection:
            return reading.list_records(connection, reading.find_session(connection, reading.find_run(connection, run), which))

    def records_of(self, run: str, kinds: Sequence[str], *, with_turns: bool = False) -> Iterator[tuple[Session, list[tuple[int, Record]]]]:
        """Yield the sessions of a run in plan order, each with its records of some kinds and the indices of their turns."""
        pages = self._pages(run, partial(reading.read_records, kinds=kinds, with_turns=with_turns))
        yield from ((session, records) for _, session, records in pages)

    def claims(self, run: str) -> dict[str, Claim]:
        """Return the claims that hold now, by session key: what `keep` takes for sessions that have ended."""
        with self._reading() as connection:
            return reading.read_claims(connection, reading.find_run(connection, run))

    def trained_on(self) -> set[str]:
        """Return `Profile.digest` of every client whose session was ever exported for training from this store."""
        with self._reading() as connection:
            return reading.list_trained(connection)

    def _pages(self, run: str, read: Callable[[Connection, RowMapping, int], list[P]]) -> Iterator[P]:
        """Yield what `read` returns, page after page; the first of each is the session's id, beyond which the next page begins."""
        with self._reading() as connection:
            row = reading.find_run(connection, run)
        last = 0
        while True:
            with self._reading() as connection:
                page = read(connection, row, last)
            if not page:
                return
            yield from page
            last = page[-1][0]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._guard, self.engine.connect() as connection:
                yield connection
        except DATABASE_ERRORS as error:
            raise explain(error, self.url) from error
