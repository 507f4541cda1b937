"""Sessions that went into a training export are marked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "exported",
        sa.Column("session_id", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_exported"),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_exported_session_id"),
    )
