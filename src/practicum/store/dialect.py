"""All that is particular to SQLite: its URLs and files, its settings, its one upsert, its error messages."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from practicum.errors import ConfigError, StoreError

DEFAULT_URL = "sqlite:///practicum.db"
"""A file in the current folder."""

BUSY_SECONDS = 30
"""How long to wait for another process that writes to the same file."""
BUSY_PAUSE = 0.01
"""Seconds between two tries where SQLite itself does not wait."""

DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error)
"""What a failing database raises, through SQLAlchemy or past it."""

ADVICE = {
    "disk is full": "the disk is full; free some space and give the same command again: every turn that was said is kept",
    "readonly database": "it is read-only; make the file and its folder writable, or choose another --db",
    "file is not a database": "it is not an SQLite database; choose another --db",
    "database is locked": f"another program has kept it locked for {BUSY_SECONDS} s; close that program and try again",
    "malformed": "it is damaged; restore a copy, or save what is left with `sqlite3 FILE .recover`",
}
"""Words in SQLite's messages to what they mean here."""


def parse_url(text: str) -> URL:
    """Return the parsed URL of a store.

    Raises:
        ConfigError: It is no database URL, or names a database that practicum cannot use.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        # What cannot be parsed may still hold a password.
        shown = repr(text) if "@" not in text else "the given text"
        hint = f"; a file is named sqlite:///{text}" if ":" not in text else f"; the default is {DEFAULT_URL}"
        raise ConfigError(f"db: {shown} is not a database URL{hint}") from None
    shown = url.render_as_string(hide_password=True)
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise ConfigError(f"db: {shown}: {url.drivername} is not supported yet; use sqlite:///FILE.db")
    if url.host or (url.database or "").startswith("file:"):
        raise ConfigError(f"db: {shown}: expected sqlite:///FILE.db for a file here, sqlite:////FOLDER/FILE.db for one anywhere")
    return url


def database_file(url: URL) -> Path | None:
    """Return the absolute path of the store's file; None if it lives in memory."""
    return None if url.database in (None, "", ":memory:") else Path(str(url.database)).absolute()


def prepare_file(path: Path, shown: str, *, create: bool) -> None:
    """Make sure that a file for the store is there and can be written; a new one is for the owner's eyes only.

    Raises:
        StoreError: It is not, and cannot be made; with `create` false, also if there is none.
    """
    if path.is_dir():
        raise StoreError(f"{shown}: {path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise StoreError(f"{shown}: there is no folder {path.parent}; make it first, or choose another --db")
    if not path.exists():
        if not create:
            raise StoreError(f"there is no store at {shown}; `practicum simulate` makes one, --db names another")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"{shown}: cannot make {path}: {error.strerror}; choose another --db") from error
    # SQLite keeps its log beside the file, so that the folder counts as well.
    for place in (path, path.parent):
        if not os.access(place, os.R_OK | os.W_OK, effective_ids=True):
            raise StoreError(f"{shown}: {place} cannot be read and written by this user; change its permissions or choose another --db")


def make_engine(url: URL) -> Engine:
    """Return the engine of a store. Begun with the execution option `writes`, a transaction takes the write lock at once."""
    # One connection for all threads, because a database in memory ends with its connection.
    pool: dict[str, Any] = {"poolclass": StaticPool} if database_file(url) is None else {}
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}, **pool)

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        # Transactions are begun below: Python's own rule leaves schema changes outside of them.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader that turns writer half-way fails at once if somebody else has written: take the lock first.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def log_ahead(engine: Engine) -> None:
    """Let readers go on while a turn is written (write-ahead log); the file remembers it."""
    connection = engine.raw_connection()
    deadline = monotonic() + BUSY_SECONDS
    try:
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as problem:
                # SQLite does not wait here, whatever its timeout: two that wait for each other to let go never would.
                if problem.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                    raise
                sleep(BUSY_PAUSE)
    finally:
        connection.close()


@contextmanager
def driver_transaction(connection: Connection) -> Iterator[Any]:
    """Begin a transaction that writes, past SQLAlchemy; yield the driver's cursor; commit, or roll back where it fails."""
    driver = connection.connection
    cursor = driver.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        yield cursor
        driver.commit()
    except BaseException:
        driver.rollback()
        raise


def insert_or_ignore(table: Table) -> Insert:
    """Return an insert that skips rows whose key is there already."""
    return insert(table).on_conflict_do_nothing()


def explain(error: Exception, shown: str) -> StoreError:
    """Return what a failure of the database means, in one line."""
    cause = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
    meaning = next((advice for words, advice in ADVICE.items() if words in cause), cause)
    return StoreError(f"the store {shown} cannot be used: {meaning}")
