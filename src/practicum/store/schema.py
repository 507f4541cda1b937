"""The schema of a store: made, recognised and upgraded, each in one transaction.

A fresh store is made from the tables, an old one is led forward by the migrations; a test holds that both ways end in
the same schema. Alembic takes 0.3 s to import, so that it is loaded only where there is something to lead forward.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, Engine, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from practicum.errors import StoreError
from practicum.store.tables import METADATA

HEAD = "0002"
"""The newest migration."""

VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table, as it would make it."""


def ensure_schema(engine: Engine, shown: str, *, create: bool) -> None:
    """Leave the store with the schema of this version.

    Args:
        engine: To the store.
        shown: How the store is named in messages.
        create: Make the tables if there are none.

    Raises:
        StoreError: It is somebody else's database, a newer practicum's, or there is none and none shall be made.
    """
    with engine.connect() as connection:
        if _version(connection, shown) == HEAD:
            return
    # Asked again under the lock: another process may have been first.
    with engine.execution_options(writes=True).begin() as connection:
        version = _version(connection, shown)
        if version is None:
            if not create:
                raise StoreError(f"there is no store at {shown}; `practicum simulate` makes one, --db names another")
            METADATA.create_all(connection)
            VERSION.create(connection)
            connection.execute(insert(VERSION).values(version_num=HEAD))
        else:
            upgrade(connection, version, shown)


def upgrade(connection: Connection, version: str, shown: str) -> None:
    """Lead a store forward to `HEAD`, within the connection's transaction.

    Args:
        connection: To the store, in a transaction that holds the write lock.
        version: The migration that it stands at; "" before the first.
        shown: How the store is named in messages.

    Raises:
        StoreError: No migration of this version leads on from `version`.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "practicum.store:migrations")
    config.set_main_option("path_separator", "os")
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if version and version not in known:
        raise StoreError(f"the store {shown} was written by a newer practicum (schema {version}, this one has {HEAD}); upgrade practicum")
    command.upgrade(config, "head")


def _version(connection: Connection, shown: str) -> str | None:
    """Return the migration that a store stands at: "" before the first, None if there is nothing at all.

    Raises:
        StoreError: The tables are not practicum's.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    version = connection.scalar(select(VERSION.c.version_num)) if VERSION.name in tables else None
    # Any version has these three; before the first there is nothing but Alembic's own table.
    if tables != {VERSION.name} and (version is None or not {"run", "session", "turn"} <= tables):
        raise StoreError(f"{shown} is a database of something else (tables {', '.join(sorted(tables)[:5])}); choose another --db")
    return version or ""
