"""The tables of a store.

Turns are kept in order of arrival (an integer key that only grows): rows keyed by session would cost four times the
CPU and fifteen times the disk. JSON is text, encoded once by the caller; what SQL sums is a plain column.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

DIGEST = String(16)

RUN = Table(
    "run",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("digest", DIGEST, nullable=False),
    Column("identity", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

NOTE = Table(
    "note",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("run.id"), nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("text", Text, nullable=False),
)

PARTICIPANT = Table(
    "participant",
    METADATA,
    Column("run_id", ForeignKey("run.id"), primary_key=True),
    Column("digest", DIGEST, primary_key=True),
    Column("data", Text, nullable=False),
)

PROMPT = Table(
    "prompt",
    METADATA,
    Column("run_id", ForeignKey("run.id"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("digest", DIGEST, primary_key=True),
    Column("text", Text, nullable=False),
)

PROFILE = Table(
    "profile",
    METADATA,
    Column("id", Integer, primary_key=True),
    # Digest of every field: runs over the same file share its rows, one changed fact makes another row.
    Column("content", DIGEST, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("facts", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("licence", Text, nullable=False),
    Column("split", String(8)),
)

SESSION = Table(
    "session",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("run.id"), nullable=False),
    Column("key", DIGEST, nullable=False),
    Column("profile_id", ForeignKey("profile.id"), nullable=False),
    Column("case_digest", DIGEST, nullable=False),
    Column("number", Integer, nullable=False),
    Column("client", DIGEST, nullable=False),
    Column("counselor", DIGEST, nullable=False),
    Column("seed", BigInteger, nullable=False),
    # How often it was claimed: a writer that holds an older number is refused.
    Column("epoch", Integer, nullable=False),
    Column("ending", String(32)),
    Column("failure", Text, nullable=False),
    Column("risk", Text, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    UniqueConstraint("run_id", "key"),
)

TURN = Table(
    "turn",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("idx", Integer, nullable=False),
    Column("speaker", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("call", Text),
    Column("at", Double, nullable=False),
    UniqueConstraint("session_id", "idx"),
)

RECORD = Table(
    "record",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("session_id", ForeignKey("session.id"), nullable=False),
    Column("idx", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", Text, nullable=False),
    Index(None, "session_id", "idx"),
)

EXPORTED = Table(
    "exported",
    METADATA,
    # Sessions that went into a training export: a client who was learnt from must not be tested on.
    Column("session_id", ForeignKey("session.id"), primary_key=True),
    Column("at", Double, nullable=False),
)
