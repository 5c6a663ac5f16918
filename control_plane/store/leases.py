"""Leases: who may act for the control plane, with a token that only grows.

The holder of a lease may stall (a paused process, a long garbage collection) and wake up after
another has taken over. Its writes then carry a smaller token than the row, and `verify` inside the
same transaction refuses them. On PostgreSQL `verify` also locks the row against a takeover until
that transaction ends, so that of a write and a takeover only one can come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Update, bindparam, insert, select, update

from control_plane.model.units import Seconds
from control_plane.store import tables
from control_plane.store.failures import LeaseLost, LostRace
from control_plane.store.rows import Rows


@dataclass(frozen=True, slots=True)
class Lease:
    """`token` is the fencing token: each holder's is greater than that of every holder before."""

    name: str
    holder: str
    token: int
    expires_at: datetime


class LeaseReads(Rows):
    def lease(self, name: str) -> Lease | None:
        """Who holds it, also when the time has run out; None when nobody does."""
        row = self._row(tables.leases, name)
        if row is None or row.holder is None:
            return None
        return Lease(row.name, row.holder, row.token, row.expires_at)


class LeaseRows(LeaseReads):
    """Used by the Store alone, each call in a transaction of its own."""

    def acquire(self, name: str, holder: str, ttl: Seconds, now: datetime) -> Lease | None:
        leases = tables.leases
        row = self._row(leases, name)
        expires_at = now + timedelta(seconds=ttl)
        if row is None:
            self._connection.execute(
                insert(leases).values(name=name, holder=holder, token=1, expires_at=expires_at)
            )
            return Lease(name, holder, 1, expires_at)
        if row.holder not in (None, holder) and row.expires_at > now:
            return None
        taken = self._connection.execute(
            update(leases)
            .where(leases.c.name == name, leases.c.token == row.token)
            .values(holder=holder, token=row.token + 1, expires_at=expires_at)
        )
        if taken.rowcount == 0:
            raise LostRace(f"lease {name}")
        return Lease(name, holder, row.token + 1, expires_at)

    def renew(self, lease: Lease, ttl: Seconds, now: datetime) -> Lease:
        expires_at = now + timedelta(seconds=ttl)
        self._change(_RENEWING, lease, until=expires_at)
        return Lease(lease.name, lease.holder, lease.token, expires_at)

    def release(self, lease: Lease) -> None:
        self._change(_RELEASING, lease)

    def verify(self, lease: Lease) -> None:
        row = self._first(_STANDING, of=lease.name)
        if row is None or row.token != lease.token or row.holder != lease.holder:
            raise LeaseLost(lease.name, lease.holder)

    def _change(self, statement: Update, lease: Lease, **values: object) -> None:
        held = {"of": lease.name, "by": lease.holder, "as_token": lease.token}
        if self._connection.execute(statement, held | values).rowcount == 0:
            raise LeaseLost(lease.name, lease.holder)


# Made once: every second, and with every write of a control plane, one of them is asked.
_leases = tables.leases
_STANDING = (
    select(_leases.c.token, _leases.c.holder)
    .where(_leases.c.name == bindparam("of"))
    .with_for_update(read=True)
)
_HELD = update(_leases).where(
    _leases.c.name == bindparam("of"),
    _leases.c.token == bindparam("as_token"),
    _leases.c.holder == bindparam("by"),
)
_RENEWING = _HELD.values(expires_at=bindparam("until"))
_RELEASING = _HELD.values(holder=None)
