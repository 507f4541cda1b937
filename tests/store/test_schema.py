from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, make_url

from practicum.errors import StoreError
from practicum.store import Store, dialect
from practicum.store.dialect import log_ahead, make_engine
from practicum.store.schema import HEAD, VERSION, upgrade
from practicum.store.tables import METADATA
from tests.store.making import begin, planned, start_python

DIE_AT = """
import os, signal, sys
from sqlalchemy import event
from practicum.store import Store
from practicum.store.tables import METADATA
event.listen(METADATA.tables[sys.argv[2]], "after_create", lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL))
Store.open(sys.argv[1])
"""

WITHOUT_ALEMBIC = """
import sys
from practicum.store import Store
for _ in range(2):
    Store.open(sys.argv[1]).close()
print(sorted(name for name in sys.modules if name.split(".")[0] in {"alembic", "mako", "jinja2", "numpy"}))
"""


def dump(engine: Engine) -> dict[str, tuple[list[Any], ...]]:
    """Everything that SQLite knows about the tables, in its own words, whatever the order or quoting of the statement."""
    with engine.connect() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").scalars().all()
        found: dict[str, tuple[list[Any], ...]] = {}
        for name in names:
            rows = [
                [tuple(row) for row in connection.exec_driver_sql(f"PRAGMA {pragma}({name})")]
                for pragma in ("table_info", "foreign_key_list", "index_list")
            ]
            indexes = [
                (index[1], index[2], [tuple(row) for row in connection.exec_driver_sql(f"PRAGMA index_info({index[1]})")])
                for index in rows[2]
            ]
            found[name] = (rows[0], sorted(rows[1], key=lambda row: row[3]), sorted(indexes))
    return found


def migrated() -> Engine:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection, "", "a test")
    return engine


def test_migrations_lead_to_the_tables_of_this_version() -> None:
    with migrated().connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA) == []


def test_a_fresh_store_has_the_same_schema_as_a_migrated_one() -> None:
    with Store.open("sqlite://") as store:
        assert dump(store.engine) == dump(migrated())


def test_alembic_is_loaded_neither_for_a_fresh_nor_for_a_current_store(url: str) -> None:
    with start_python(WITHOUT_ALEMBIC, url) as process:
        out, _ = process.communicate()
    assert out == "[]\n"


@pytest.mark.parametrize("table", ["run", "session", "turn"])
def test_a_store_whose_making_was_killed_is_made_at_the_next_opening(url: str, table: str) -> None:
    with start_python(DIE_AT, url, table) as process:
        assert process.wait() == -9
    with Store.open(url) as store:
        begin(store, 3)
        assert store.runs()[0].totals.planned == 3


def test_a_store_of_before_the_first_migration_is_upgraded_on_opening(url: str, tmp_path: Path) -> None:
    engine = create_engine(url)
    VERSION.create(engine)
    engine.dispose()
    with Store.open(url, create=False) as store:
        assert dump(store.engine) == dump(migrated())
    with sqlite3.connect(tmp_path / "practicum.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
    connection.close()


def test_a_store_of_the_first_schema_keeps_what_it_holds_and_learns_what_is_exported(url: str, tmp_path: Path) -> None:
    with Store.open(url) as store:
        begin(store, 2)
    with closing(sqlite3.connect(tmp_path / "practicum.db")) as connection, connection:
        connection.executescript("DROP TABLE exported; UPDATE alembic_version SET version_num = '0001'")
    with Store.open(url, create=False) as store:
        assert dump(store.engine) == dump(migrated())
        assert store.runs()[0].totals.planned == 2
        store.mark_exported("run", [planned(1).key], at=1.0)
        assert store.trained_on() == {planned(1).profile.digest}


def test_a_store_of_a_newer_practicum_is_refused(url: str, tmp_path: Path) -> None:
    Store.open(url).close()
    with sqlite3.connect(tmp_path / "practicum.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match=rf"written by a newer practicum \(schema 9999, this one has {HEAD}\); upgrade practicum"):
        Store.open(url)


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE songs (id)", "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('0001')"]
)
def test_a_database_of_something_else_is_refused_and_left_as_it_was(url: str, tmp_path: Path, statement: str) -> None:
    path = tmp_path / "practicum.db"
    connection = sqlite3.connect(path)
    connection.executescript(f"{statement}; CREATE TABLE pictures (id);")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=re.escape("is a database of something else (tables ") + ".*pictures"):
        Store.open(url)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["practicum.db"]


def test_two_that_open_a_fresh_store_at_once_make_it_once(url: str) -> None:
    with start_python(WITHOUT_ALEMBIC, url) as first, start_python(WITHOUT_ALEMBIC, url) as second:
        for process in (first, second):
            process.communicate()
            assert process.returncode == 0


def open_together(url: str, threads: int = 4) -> list[Exception]:
    """Let several that have just read a fresh database turn its write-ahead log on in the same moment."""
    ready = Barrier(threads)
    problems: list[Exception] = []

    def turn_on() -> None:
        engine = make_engine(make_url(url))
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT * FROM sqlite_master").fetchall()
            ready.wait()
            log_ahead(engine)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the test shows it
            problems.append(problem)
        finally:
            engine.dispose()

    workers = [Thread(target=turn_on) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return problems


def test_those_that_turn_the_log_on_at_the_same_moment_wait_for_each_other(tmp_path: Path) -> None:
    for number in range(40):
        path = tmp_path / f"{number}.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE songs (id)")
        assert open_together(f"sqlite:///{path}") == []


def test_who_waits_for_the_log_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "BUSY_SECONDS", 0.05)
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("CREATE TABLE songs (id)")
        holder.execute("BEGIN EXCLUSIVE")
        engine = make_engine(make_url(f"sqlite:///{path}"))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            log_ahead(engine)
        engine.dispose()
