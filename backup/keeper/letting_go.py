"""Writes down which points go from where, as policies, declarations and wishes leave them; their manifests
are taken away at the next collecting."""

from __future__ import annotations

from dataclasses import dataclass

from backup.records.agenda import points_to_expire
from backup.records.estate import Blueprints
from backup.records.runs import expire
from control_plane.drivers.world import Clock
from control_plane.store import Lease, Store

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class LettingGo:
    store: Store
    clock: Clock
    blueprints: Blueprints

    def look(self, lease: Lease) -> int:
        """How many were let go. What may go is decided and written down in one transaction, so that a
        declaration of the same moment comes before it or holds the next."""
        with self.store.read() as tx:
            if not points_to_expire(tx, self.blueprints, self.clock.now()):
                return 0
        with self.store.write(lease) as write:
            now = self.clock.now()
            found = points_to_expire(write, self.blueprints, now)[:_AT_ONCE]
            for expiry in found:
                expire(write, expiry, now)
        return len(found)
