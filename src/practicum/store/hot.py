"""What is written while sessions run: turns, endings and claims, many in one transaction.

Turns and endings are fenced by their session's epoch inside that transaction. A group is first tried as a whole, by one
statement; only if that writes fewer rows than it was given is it rolled back and written again one by one, to see whose.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Dialect, bindparam, delete, func, insert, or_, select, update

from practicum.core import Ending, Record, Turn
from practicum.errors import PracticumError, StaleSessionError
from practicum.store.codec import RECORD_COLUMNS, TURN_COLUMNS, Row, load_mapping, read_turn
from practicum.store.dialect import driver_transaction, insert_or_ignore
from practicum.store.rows import Claim
from practicum.store.tables import RECORD, SESSION, TURN

CHUNK = 500
"""Keys in one statement; SQLite takes 32,766 parameters."""

IS_OWED = or_(SESSION.c.ending.is_(None), SESSION.c.ending == Ending.FAILED.value)
"""Sessions that are to be held, or held again."""

_FENCE = (SESSION.c.id == bindparam("session"), SESSION.c.epoch == bindparam("fence"))
_FINISH = update(SESSION).where(*_FENCE).values({name: bindparam(name) for name in ("ending", "failure", "risk", "finished_at")})
_TAKE = (
    update(SESSION)
    .where(SESSION.c.id == bindparam("session"), IS_OWED)
    .values(
        epoch=SESSION.c.epoch + 1,
        ending=None,
        failure="",
        finished_at=None,
        started_at=func.coalesce(SESSION.c.started_at, bindparam("now")),
    )
)
# Those that have an ending were not owed, and are not claimed.
_TAKEN = select(SESSION.c.id, SESSION.c.epoch).where(SESSION.c.id.in_(bindparam("ids", expanding=True)), SESSION.c.ending.is_(None))
# Kept for a turn that was never said: its session was cut before.
_KEPT = (
    select(RECORD.c.session_id, RECORD.c.idx, RECORD.c.kind, RECORD.c.data)
    .where(
        RECORD.c.session_id.in_(bindparam("ids", expanding=True)),
        RECORD.c.idx >= select(func.count()).where(TURN.c.session_id == RECORD.c.session_id).scalar_subquery(),
    )
    .order_by(RECORD.c.id)
)
_TURNS = (
    select(*(TURN.c[name] for name in TURN_COLUMNS))
    .where(TURN.c.session_id.in_(bindparam("ids", expanding=True)))
    .order_by(TURN.c.session_id, TURN.c.idx)
)

T = TypeVar("T")


class ShortfallError(Exception):
    """Fewer rows were written than asked for: an epoch is stale, or a turn was there already."""


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """One thing to be written, and who waits for it."""

    waiter: asyncio.Future[Any] | concurrent.futures.Future[Any]
    result: Any = None
    error: PracticumError | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Append(Job):
    """A turn and its records, or records alone."""

    session_id: int
    epoch: int
    row: Row | None
    """None: records that come before their turn."""
    records: list[Row]


@dataclass(slots=True, eq=False, kw_only=True)
class Finish(Job):
    """The ending of a session."""

    session_id: int
    epoch: int
    values: dict[str, Any]
    """Columns of the session."""


@dataclass(slots=True, eq=False, kw_only=True)
class Take(Job):
    """A claim to sessions; its result is a list of `Claim`."""

    session_ids: Sequence[int]
    at: float


@dataclass(slots=True, eq=False, kw_only=True)
class Work(Job):
    """Anything else, in a transaction of its own; its result is what the function returns."""

    work: Callable[[Connection], Any]


KINDS = (Append, Finish, Take, Work)
"""In the order in which jobs that wait together are written; their callers wait too, so that any order is right."""


class HotPath:
    """The transactions of running sessions.

    Those of turns go past SQLAlchemy to its driver: their statement is made once, and a group costs 0.2 ms less.
    """

    def __init__(self, dialect: Dialect) -> None:
        source = select(*(bindparam(name, type_=TURN.c[name].type) for name in TURN_COLUMNS)).where(*_FENCE)
        self._insert_turns = str(insert_or_ignore(TURN).from_select(TURN_COLUMNS, source).compile(dialect=dialect))
        self._insert_records = str(insert(RECORD).compile(dialect=dialect, column_keys=RECORD_COLUMNS))
        early = select(*(bindparam(name, type_=RECORD.c[name].type) for name in RECORD_COLUMNS)).where(*_FENCE)
        self._insert_early = str(insert(RECORD).from_select(RECORD_COLUMNS, early).compile(dialect=dialect))

    def write(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """Write jobs of one kind in one transaction, and leave results and refusals with them."""
        try:
            self._write_all(connection, jobs)
        except ShortfallError:
            for job in jobs:
                try:
                    self._write_all(connection, [job])
                except ShortfallError:
                    job.error = _staleness(connection, cast("Append | Finish", job))

    def _write_all(self, connection: Connection, jobs: Sequence[Job]) -> None:
        match jobs[0]:
            case Append():
                self._append(connection, cast("Sequence[Append]", jobs))
            case Finish():
                with connection.begin():
                    _finish(connection, cast("Sequence[Finish]", jobs))
            case Take():
                with connection.begin():
                    _take(connection, cast("Sequence[Take]", jobs))
            case _:
                _do(connection, cast("Work", jobs[0]))

    def _append(self, connection: Connection, jobs: Sequence[Append]) -> None:
        with driver_transaction(connection) as cursor:
            turns = [job.row for job in jobs if job.row is not None]
            if turns and cursor.executemany(self._insert_turns, turns).rowcount != len(turns):
                raise ShortfallError
            if records := [row for job in jobs if job.row is not None for row in job.records]:
                cursor.executemany(self._insert_records, records)
            early = [(*row, job.session_id, job.epoch) for job in jobs if job.row is None for row in job.records]
            if early and cursor.executemany(self._insert_early, early).rowcount != len(early):
                raise ShortfallError


def _finish(connection: Connection, jobs: Sequence[Finish]) -> None:
    if connection.execute(_FINISH, [{**job.values, "session": job.session_id, "fence": job.epoch} for job in jobs]).rowcount != len(jobs):
        raise ShortfallError


def _take(connection: Connection, jobs: Sequence[Take]) -> None:
    if wanted := [{"session": id_, "now": job.at} for job in jobs for id_ in job.session_ids]:
        connection.execute(_TAKE, wanted)
    epochs: dict[int, int] = {}
    turns: dict[int, list[Turn]] = {}
    kept: defaultdict[int, list[tuple[int, Record]]] = defaultdict(list)
    for ids in chunks({id_ for job in jobs for id_ in job.session_ids}, CHUNK):
        epochs |= {row.id: row.epoch for row in connection.execute(_TAKEN, {"ids": ids})}
        turns |= read_turns(connection, ids)
        for id_, index, kind, data in connection.execute(_KEPT, {"ids": ids}):
            kept[id_].append((index, Record(kind=kind, data=load_mapping(data))))
    # From the end, because a session that was claimed twice in this group belongs to the later one.
    for job in reversed(jobs):
        job.result = [
            Claim(id_, epochs[id_], tuple(turns.get(id_, ())), tuple(kept.get(id_, ()))) for id_ in job.session_ids if id_ in epochs
        ]
        for claim in job.result:
            epochs[claim.session_id] -= 1


def _do(connection: Connection, job: Work) -> None:
    try:
        with connection.begin():
            job.result = job.work(connection)
    except PracticumError as error:
        job.error = error


def _staleness(connection: Connection, job: Append | Finish) -> StaleSessionError | None:
    """Return why a job wrote nothing; None if its epoch is the session's, so that its turn was there already."""
    with connection.begin():
        return stale(connection, job.session_id, job.epoch)


def stale(connection: Connection, session_id: int, epoch: int) -> StaleSessionError | None:
    """Return what tells a writer that somebody has claimed its session since; None if nobody has."""
    current = connection.scalar(select(SESSION.c.epoch).where(SESSION.c.id == session_id))
    if current == epoch:
        return None
    return StaleSessionError(
        f"session {session_id} has been claimed again since (epoch {current}, this writer holds {epoch}); nothing was written"
    )


def take_back(connection: Connection, session_id: int, epoch: int, index: int) -> None:
    """Delete a session's turns from `index` on, with their records.

    Raises:
        StaleSessionError: Somebody has claimed the session since; nothing was deleted.
    """
    if (problem := stale(connection, session_id, epoch)) is not None:
        raise problem
    for table in (TURN, RECORD):
        connection.execute(delete(table).where(table.c.session_id == session_id, table.c.idx >= index))


def read_turns(connection: Connection, session_ids: Sequence[int]) -> dict[int, list[Turn]]:
    """Return the turns of at most `CHUNK` sessions, by session, in order; sessions without any are absent."""
    rows = connection.execute(_TURNS, {"ids": session_ids})
    return {session_id: [read_turn(row) for row in group] for session_id, group in groupby(rows, key=lambda row: int(row[0]))}


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` items, never an empty one."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
