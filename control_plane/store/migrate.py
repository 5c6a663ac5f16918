"""Brings a database's tables to what this program expects."""

from __future__ import annotations

from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, inspect, select

from control_plane.model.errors import YuiError
from control_plane.store.tables import metadata

_MIGRATION_LOCK = 0x797569_02


def migrate(connection: Connection, place: str) -> None:
    """Within the caller's transaction. Raises `state-too-new` when a newer Yui has been here.

    On PostgreSQL the transaction must read what others commit while it waits (READ COMMITTED):
    processes that open one database at once queue here, and the later ones find the work done.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    scripts = _scripts()
    context = MigrationContext.configure(connection)
    standing = context.get_current_revision()
    if standing == scripts.get_current_head():
        return
    if standing is None and not inspect(connection).get_table_names():
        # Nothing to bring along: the tables are made as they are meant, which is ten times quicker
        # than to repeat their history.
        metadata.create_all(connection, checkfirst=False)
        context.stamp(scripts, "head")
        return
    if standing is not None:
        try:
            scripts.get_revision(standing)
        except CommandError as error:
            raise _too_new(place, standing) from error
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "control_plane.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


@cache
def _scripts() -> ScriptDirectory:
    """They come with the program, and don't change while it runs."""
    return ScriptDirectory.from_config(_config())


def _too_new(place: str, revision: str) -> YuiError:
    return YuiError(
        "state-too-new",
        en=f"The state {place} was written by a newer Yui (its revision {revision} is unknown here): install that version or a later one.",
        ja=f"状態データベース {place} は、より新しい Yui で書き込まれています(リビジョン {revision})。そのバージョン以降の Yui をインストールしてください。",
        status=503,
        fields={"state": place, "revision": revision},
    )
