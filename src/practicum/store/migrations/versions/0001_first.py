"""The first schema: runs, their sessions, turns and records.

A migration is never edited after its release and imports no table: it says what the schema was then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.UniqueConstraint("name", name="uq_run_name"),
    )
    op.create_table(
        "profile",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("content", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("licence", sa.Text, nullable=False),
        sa.Column("split", sa.String(8)),
        sa.PrimaryKeyConstraint("id", name="pk_profile"),
        sa.UniqueConstraint("content", name="uq_profile_content"),
    )
    _make_tables_of_a_run()
    _make_tables_of_a_session()


def _make_tables_of_a_run() -> None:
    op.create_table(
        "note",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_note"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_note_run_id"),
    )
    op.create_index("ix_note_run_id", "note", ["run_id"])
    op.create_table(
        "participant",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "digest", name="pk_participant"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_participant_run_id"),
    )
    op.create_table(
        "prompt",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "id", "digest", name="pk_prompt"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_prompt_run_id"),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("key", sa.String(16), nullable=False),
        sa.Column("profile_id", sa.Integer, nullable=False),
        sa.Column("case_digest", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("client", sa.String(16), nullable=False),
        sa.Column("counselor", sa.String(16), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("ending", sa.String(32)),
        sa.Column("failure", sa.Text, nullable=False),
        sa.Column("risk", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_session"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_session_run_id"),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name="fk_session_profile_id"),
        sa.UniqueConstraint("run_id", "key", name="uq_session_run_id_key"),
    )


def _make_tables_of_a_session() -> None:
    op.create_table(
        "turn",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("session_id", sa.Integer, nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("speaker", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("call", sa.Text),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_turn"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_turn_session_id"),
        sa.UniqueConstraint("session_id", "idx", name="uq_turn_session_id_idx"),
    )
    op.create_table(
        "record",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("session_id", sa.Integer, nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_record"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_record_session_id"),
    )
    op.create_index("ix_record_session_id_idx", "record", ["session_id", "idx"])
