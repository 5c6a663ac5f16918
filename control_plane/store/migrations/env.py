"""Alembic's entry: migrates over the connection that Store.open hands it, in one transaction."""

from __future__ import annotations

from alembic import context

from control_plane.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite's DDL is transactional too, once the driver does not commit behind one's back.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
