"""Brings a database's tables to what this program expects.

Nearly always they are that already, or there are none yet. What is needed in order to change old ones
(Alembic) takes a quarter of a second to load, so it is loaded for that alone.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    create_mock_engine,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.schema import ExecutableDDLElement

from control_plane.model.errors import YuiError
from control_plane.store.tables import metadata

_MIGRATION_LOCK = 0x797569_02
_MIGRATIONS = "control_plane.store.migrations"
_STANDING = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Where Alembic keeps how far a database has come, as Alembic makes it."""


def migrate(connection: Connection, place: str) -> None:
    """Within the caller's transaction. Raises `state-too-new` when a newer Yui has been here.

    On PostgreSQL the transaction must read what others commit while it waits (READ COMMITTED):
    processes that open one database at once queue here, and the later ones find the work done.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    standing = _standing(connection)
    if standing == revisions()[-1]:
        return
    if standing is None and not inspect(connection).get_table_names():
        # Nothing to bring along: the tables are made as they are meant, which is ten times quicker
        # than to repeat their history.
        for statement in _making(connection.dialect.name):
            connection.exec_driver_sql(statement)
        connection.execute(insert(_STANDING).values(version_num=revisions()[-1]))
        return
    if standing is not None and standing not in revisions():
        raise _too_new(place, standing)
    _upgrade(connection)


@cache
def revisions() -> tuple[str, ...]:
    """Those that come with this program, the first one first: each file's name begins with its own."""
    names = (path.name for path in files(_MIGRATIONS).joinpath("versions").iterdir())
    return tuple(sorted(name.partition("_")[0] for name in names if name[0].isdigit()))


def _standing(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_STANDING.name):
        return None
    return connection.scalar(select(_STANDING.c.version_num))


@cache
def _making(dialect: str) -> tuple[str, ...]:
    """What makes all tables on that kind of database, one statement each."""
    statements = []

    def keep(statement: ExecutableDDLElement, *_: object) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{dialect}://", keep)
    for tables in (metadata, _STANDING.metadata):
        tables.create_all(engine, checkfirst=False)
    return tuple(statements)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS.replace(".migrations", ":migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _too_new(place: str, revision: str) -> YuiError:
    return YuiError(
        "state-too-new",
        en=f"The state {place} was written by a newer Yui (its revision {revision} is unknown here): install that version or a later one.",
        ja=f"状態データベース {place} は、より新しい Yui で書き込まれています(リビジョン {revision})。そのバージョン以降の Yui をインストールしてください。",
        status=503,
        fields={"state": place, "revision": revision},
    )
