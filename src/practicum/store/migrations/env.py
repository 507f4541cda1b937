"""Run by Alembic: every migration goes through the connection, and into the transaction, of the one who upgrades."""

from alembic import context

from practicum.store.tables import METADATA

# SQLite can alter little in place: batches make the table again. Its schema changes are transactional once the
# transaction is begun by hand, as ours are.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
