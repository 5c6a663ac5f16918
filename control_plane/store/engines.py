"""Database connections that behave the same on SQLite and PostgreSQL: explicit transactions, each on
a snapshot of its own."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection, IsolationLevel
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.util import LRUCache

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from control_plane.store.statements import statements

_CONNECT_TIMEOUT = Seconds(10)
# The HTTP edge answers on forty threads, and each needs a connection for a few milliseconds.
_KEPT, _MORE, _WAIT = 10, 20, Seconds(30)
_COMPILED_AT_MOST = 1000


@dataclass(frozen=True, slots=True)
class Engines:
    """The same connections in three manners: `readers` and `writers` stay on the snapshot that they
    began with, `latest` sees what others commit while it waits for a lock. `aside` shows what was
    committed last while a writer stays on its snapshot; SQLite has one writer and needs none.
    `place` names the database in errors, without secrets; `file` is where SQLite keeps it."""

    readers: Engine
    writers: Engine
    latest: Engine
    aside: Engine | None
    place: str
    file: Path | None


def engines_for(url: str, patience: Seconds) -> Engines:
    """Raises `state-url-invalid`. Connects to nothing yet."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _invalid() from error
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite" if parsed.database not in (None, "", ":memory:"):
            return _sqlite(parsed, patience)
        case "postgresql" | "postgresql+psycopg" if parsed.database:
            return _postgresql(parsed.set(drivername="postgresql+psycopg"), patience)
        case _:
            raise _invalid()


class _ReadingSqlite(SQLiteDialect_pysqlite):
    """No transactions but those begun in so many words (sqlite3's own would leave DDL outside)."""

    supports_statement_cache = True
    begin = "BEGIN"

    def do_begin(self, dbapi_connection: Any) -> None:
        dbapi_connection.execute(self.begin)


class _WritingSqlite(_ReadingSqlite):
    """A writer takes its turn before it reads, so that what it reads is still so when it writes."""

    supports_statement_cache = True
    begin = "BEGIN IMMEDIATE"


@cache
def _speaking(dialect: type[_ReadingSqlite]) -> tuple[_ReadingSqlite, LRUCache[Any, Any]]:
    """With the statements that were compiled for it: all files of a process speak the same, and what
    was compiled for one serves the next."""
    made = dialect(dbapi=sqlite3)
    nowhere = StaticPool(lambda: made.connect(":memory:"))
    with Engine(nowhere, made, make_url("sqlite://")).connect() as connection:
        made.initialize(connection)
    return made, LRUCache(_COMPILED_AT_MOST)


def _sqlite(url: URL, patience: Seconds) -> Engines:
    # The engines are put together here, because `create_engine` makes each a dialect of its own; and
    # what listens to a transaction's beginning, which it would take instead, costs every statement.
    reading, compiled_reads = _speaking(_ReadingSqlite)
    writing, compiled_writes = _speaking(_WritingSqlite)
    places, options = reading.create_connect_args(url)
    options.update(check_same_thread=False, isolation_level=None)

    def connect() -> DBAPIConnection:
        connection = reading.connect(*places, **options)
        try:
            _prepare(connection, patience)
        except BaseException:
            connection.close()
            raise
        return connection

    pool = QueuePool(connect, dialect=reading, pool_size=_KEPT, max_overflow=_MORE, timeout=_WAIT)
    readers = Engine(pool, reading, url, hide_parameters=True)
    writers = Engine(pool, writing, url, hide_parameters=True)
    readers.update_execution_options(compiled_cache=compiled_reads)
    writers.update_execution_options(compiled_cache=compiled_writes)
    # By its real name: whatever else it is called, one process alone is to use it.
    file = Path(url.database or "").resolve()
    return Engines(readers, writers, writers, None, str(file), file)


def _prepare(connection: DBAPIConnection, patience: Seconds) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit is on the disk before it is answered, also when the power fails right after.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _postgresql(url: URL, patience: Seconds) -> Engines:
    engine = _connecting(url, "REPEATABLE READ", patience, pool_size=_KEPT, max_overflow=_MORE)
    # Only one writer at a time has the lock under which it asks here.
    aside = _connecting(url, "AUTOCOMMIT", patience, pool_size=1, max_overflow=0)
    place = f"{url.database} on {url.query.get('host', url.host) or 'the local socket'}"
    return Engines(
        readers=engine.execution_options(postgresql_readonly=True),
        writers=engine,
        latest=engine.execution_options(isolation_level="READ COMMITTED"),
        aside=aside,
        place=place,
        file=None,
    )


def _connecting(url: URL, isolation: IsolationLevel, patience: Seconds, **pool: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        isolation_level=isolation,
        execution_options={"compiled_cache": statements()},
        connect_args={"connect_timeout": int(_CONNECT_TIMEOUT)},
        pool_timeout=_WAIT,
        **pool,
    )
    limit = int(patience * 1000)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # A process that stalls inside a transaction holds locks: the server ends it, so that
        # another can take over.
        connection.execute(f"SET idle_in_transaction_session_timeout = {limit}")
        connection.execute(f"SET lock_timeout = {limit}")
        connection.commit()

    return engine


def _invalid() -> YuiError:
    # The URL itself is not repeated: it may hold a password.
    return YuiError(
        "state-url-invalid",
        en="The state's address is not one that Yui knows: write sqlite:////path/to/file.db or postgresql+psycopg://user@host/database.",
        ja="状態データベースのアドレスが正しくありません。sqlite:////path/to/file.db または postgresql+psycopg://user@host/database の形で指定してください。",
    )
