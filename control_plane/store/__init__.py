"""The control plane's state in SQL, on SQLite or PostgreSQL: the only place that speaks SQL."""

from control_plane.store.audit import ChainEnd
from control_plane.store.certificate import RefugeChanges, Refuges
from control_plane.store.failures import LeaseLost, LostRace
from control_plane.store.idempotency import IdempotentAnswer
from control_plane.store.leases import Lease
from control_plane.store.placements import hosts_of
from control_plane.store.rows import already_exists, not_found
from control_plane.store.store import Store
from control_plane.store.transaction import Snapshot, Transaction
from control_plane.store.turns import Turns

__all__ = [
    "ChainEnd",
    "IdempotentAnswer",
    "Lease",
    "LeaseLost",
    "LostRace",
    "RefugeChanges",
    "Refuges",
    "Snapshot",
    "Store",
    "Transaction",
    "Turns",
    "already_exists",
    "hosts_of",
    "not_found",
]
