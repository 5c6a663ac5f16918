"""Leases: who may act for the control plane, with a token that only grows.

The holder of a lease may stall (a paused process, a long garbage collection) and wake up after
another has taken over. Its writes then carry a smaller token than the row, and `verify` inside the
same transaction refuses them. On PostgreSQL `verify` also locks the row against a takeover until
that transaction ends, so that of a write and a takeover only one can come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

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
        row = self._first(select(tables.leases).where(tables.leases.c.name == name))
        if row is None or row.holder is None:
            return None
        return Lease(row.name, row.holder, row.token, row.expires_at)


class LeaseRows(LeaseReads):
    """Used by the Store alone, each call in a transaction of its own."""

    def acquire(self, name: str, holder: str, ttl: Seconds, now: datetime) -> Lease | None:
        leases = tables.leases
        row = self._first(select(leases).where(leases.c.name == name))
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
        self._change(lease, expires_at=expires_at)
        return Lease(lease.name, lease.holder, lease.token, expires_at)

    def release(self, lease: Lease) -> None:
        self._change(lease, holder=None)

    def verify(self, lease: Lease) -> None:
        leases = tables.leases
        row = self._first(
            select(leases.c.token, leases.c.holder)
            .where(leases.c.name == lease.name)
            .with_for_update(read=True)
        )
        if row is None or row.token != lease.token or row.holder != lease.holder:
            raise LeaseLost(lease.name, lease.holder)

    def _change(self, lease: Lease, **values: object) -> None:
        leases = tables.leases
        changed = self._connection.execute(
            update(leases)
            .where(
                leases.c.name == lease.name,
                leases.c.token == lease.token,
                leases.c.holder == lease.holder,
            )
            .values(**values)
        )
        if changed.rowcount == 0:
            raise LeaseLost(lease.name, lease.holder)
