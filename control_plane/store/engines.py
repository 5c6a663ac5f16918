"""Database connections that behave the same on SQLite and PostgreSQL: explicit transactions, each on
a snapshot of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import ArgumentError

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds

_WRITES = "yui_writes"
_CONNECT_TIMEOUT = Seconds(10)
# The HTTP edge answers on forty threads, and each needs a connection for a few milliseconds.
_POOL: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "pool_timeout": 30}


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


def _sqlite(url: URL, patience: Seconds) -> Engines:
    engine = create_engine(
        url, hide_parameters=True, connect_args={"check_same_thread": False}, **_POOL
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # No transactions but those begun below (sqlite3's own would leave DDL outside).
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
        connection.execute("PRAGMA journal_mode = WAL")
        # A commit is on the disk before it is answered, also when the power fails right after.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes its turn before it reads, so that what it reads is still so when it writes.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    file = Path(url.database or "").absolute()
    writers = engine.execution_options(**{_WRITES: True})
    return Engines(engine, writers, writers, None, str(file), file)


def _postgresql(url: URL, patience: Seconds) -> Engines:
    engine = _connecting(url, "REPEATABLE READ", patience, **_POOL)
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


def _connecting(url: URL, isolation: IsolationLevel, patience: Seconds, **pool: Any) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        isolation_level=isolation,
        connect_args={"connect_timeout": int(_CONNECT_TIMEOUT)},
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
