"""The Store: the one door to the control plane's state.

`read` gives a consistent snapshot, `write` one transaction. On SQLite writers queue, so nothing
changes under a writer. On PostgreSQL several processes write at once on snapshots of their own
(REPEATABLE READ), and the generations that they raise make all but one of those that meddle with
the same hosts, servers or storage lose their race: LostRace, with nothing left behind.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import RootTransaction
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from control_plane.model.units import Seconds
from control_plane.store.at_once import Meanings
from control_plane.store.engines import Engines, engines_for
from control_plane.store.failures import LostRace, state_busy, translate, was_overtaken
from control_plane.store.leases import Lease, LeaseRows
from control_plane.store.migrate import migrate
from control_plane.store.only_one import OnlyOne
from control_plane.store.transaction import Snapshot, Transaction
from control_plane.store.turns import Turns

_TURN_LOCKS = 0x797569
_TRIES_TO_BEGIN = 5


class Store:
    """Safe to use from several threads."""

    def __init__(self, engines: Engines, only_one: OnlyOne | None, patience: Seconds) -> None:
        self._engines = engines
        self._only_one = only_one
        self._patience = patience
        self._sqlite_writer = threading.Lock() if engines.file is not None else None
        self._moment = object()
        self._meanings = Meanings()
        self._turns: defaultdict[str, Turns] = defaultdict(Turns)

    @classmethod
    def open(cls, url: str, *, patience: Seconds = Seconds(30)) -> Store:
        """Connect to `sqlite:////path` or `postgresql+psycopg://…` and bring its tables up to date.

        `patience` is how long a writer waits for its turn, and how long a transaction may stand
        still before PostgreSQL ends it. Raises `state-url-invalid`, `state-in-use` for a SQLite
        file that another process has open, `state-too-new`, `state-unreachable`,
        `state-unreadable`, `state-read-only`, `state-disk-full`, `state-folder-missing`.
        """
        engines = engines_for(url, patience)
        only_one = None if engines.file is None else OnlyOne(engines.file)
        store = cls(engines, only_one, patience)
        try:
            with store._refusals(), engines.latest.begin() as connection:
                migrate(connection, engines.place)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def file(self) -> Path | None:
        """Where SQLite keeps the state; None on PostgreSQL."""
        return self._engines.file

    def close(self) -> None:
        """Let go of every connection, and of the SQLite file."""
        self._engines.writers.dispose()
        if self._engines.aside is not None:
            self._engines.aside.dispose()
        if self._only_one is not None:
            self._only_one.release()
            self._only_one = None

    @property
    def moment(self) -> object:
        """Another object after each `write` that was kept: what was read at a moment that is still the
        same has not been changed by this process."""
        return self._moment

    @property
    def moment_of_all(self) -> object | None:
        """As `moment`, where no other process can have written either; None where one can."""
        return self._moment if self._only_one is not None else None

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """Everything read inside belongs to one moment."""
        with self._refusals(), self._engines.readers.connect() as connection, connection.begin():
            yield Snapshot(connection, self._meanings)

    @contextmanager
    def write(
        self, lease: Lease | None = None, *, turn: str | None = None
    ) -> Iterator[Transaction]:
        """One transaction: all of it is kept when the block ends, none when it raises.

        With `lease`, it is kept only if the lease is still held by its token, else LeaseLost; the
        lease cannot be renewed, released or taken over before the block ends.
        With `turn`, writers that name the same turn go one after the other; where several
        processes would otherwise keep losing their race to each other, this lets each get on.
        Raises LostRace when another transaction was there first.
        """
        with self._refusals(), self._only_writer():
            with (
                self._engines.writers.connect() as connection,
                _in_turn(connection, turn),
                _begin(connection, lease),
            ):
                transaction = Transaction(connection, self._meanings, self._engines.aside)
                yield transaction
                transaction.write_entries()
            # Before the next writer has its turn, which may compare.
            self._moment = object()

    def turns(self, name: str) -> Turns:
        """Those that threads of this process take under that name."""
        return self._turns[name]

    def acquire_lease(self, name: str, holder: str, ttl: Seconds, now: datetime) -> Lease | None:
        """Take the lease when nobody holds it, its time has run out by `now`, or `holder` itself
        holds it (having been restarted): with a new, greater token each time. None while
        another holds it."""
        try:
            with self._lease_rows() as rows:
                return rows.acquire(name, holder, ttl, now)
        except LostRace:
            return None

    def renew_lease(self, lease: Lease, ttl: Seconds, now: datetime) -> Lease:
        """Hold it until `now + ttl`. Raises LeaseLost once another has taken it over; a lease that
        ran out and was left alone is still one's own."""
        with self._lease_rows() as rows:
            return rows.renew(lease, ttl, now)

    def release_lease(self, lease: Lease) -> None:
        """Leave it to whoever asks next. Raises LeaseLost when another has it already."""
        with self._lease_rows() as rows:
            rows.release(lease)

    @contextmanager
    def _lease_rows(self) -> Iterator[LeaseRows]:
        with (
            self._refusals(),
            self._only_writer(),
            # One row decides, and it is read again once its lock is had: a renewal that meets a
            # takeover learns who won instead of failing.
            self._engines.latest.begin() as connection,
        ):
            yield LeaseRows(connection)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise translate(error, self._engines.place) from error
        except PoolTimeout as error:
            raise state_busy(self._engines.place) from error

    def _only_writer(self) -> AbstractContextManager[None]:
        # Threads wait for each other here, in order, rather than poll the file.
        return nullcontext() if self._sqlite_writer is None else self._queue(self._sqlite_writer)

    @contextmanager
    def _queue(self, writer: threading.Lock) -> Iterator[None]:
        if not writer.acquire(timeout=self._patience):
            raise state_busy(self._engines.place)
        try:
            yield
        finally:
            writer.release()


@contextmanager
def _in_turn(connection: Connection, turn: str | None) -> Iterator[None]:
    """Hold PostgreSQL's lock of that name. It is taken before the transaction begins, because its
    snapshot must show what the one before has left."""
    if turn is None or connection.dialect.name != "postgresql":
        yield
        return
    with connection.begin():
        connection.execute(select(func.pg_advisory_lock(_TURN_LOCKS, func.hashtext(turn))))
    try:
        yield
    finally:
        try:
            with connection.begin():
                connection.execute(
                    select(func.pg_advisory_unlock(_TURN_LOCKS, func.hashtext(turn)))
                )
        except DBAPIError:
            # A connection that broke has lost its locks; it must not be used again.
            connection.invalidate()


@contextmanager
def _begin(connection: Connection, lease: Lease | None) -> Iterator[None]:
    with _begin_under(connection, lease):
        yield


def _begin_under(connection: Connection, lease: Lease | None) -> RootTransaction:
    """A transaction in which the lease has been seen to hold, and holds until it ends."""
    for tries_left in reversed(range(_TRIES_TO_BEGIN)):
        transaction = connection.begin()
        try:
            if lease is not None:
                LeaseRows(connection).verify(lease)
        except DBAPIError as error:
            transaction.rollback()
            # The lease was being renewed at this very moment; nothing has been decided yet.
            if tries_left == 0 or not was_overtaken(error):
                raise
        except BaseException:
            transaction.rollback()
            raise
        else:
            return transaction
    raise AssertionError("unreachable")
