"""Writes down which points go from where, as policies, declarations and wishes leave them; their manifests
are taken away at the next collecting."""

from __future__ import annotations

from dataclasses import dataclass

from backup.records.agenda import points_to_expire
from backup.records.estate import Blueprints
from backup.records.runs import expire
from control_plane.drivers.world import Clock
from control_plane.model.ids import SystemId
from control_plane.store import Lease, Snapshot, Store

_SYSTEMS = 500
"""At a time: what a large pool holds is not read all at once more often than it takes to go round."""
_POINTS = 100


@dataclass(slots=True)
class LettingGo:
    store: Store
    clock: Clock
    blueprints: Blueprints
    _behind: str = ""

    def look(self, lease: Lease) -> int:
        """How many were let go, of the next systems. What may go is decided and written down in one
        transaction, so that a declaration of the same moment comes before it or holds the next."""
        with self.store.read() as tx:
            systems = self._next(tx)
            found = points_to_expire(tx, self.blueprints, self.clock.now(), systems)
        if not found:
            return 0
        with self.store.write(lease) as write:
            now = self.clock.now()
            # Only those, so that others wait for this as shortly as can be.
            of = {each.point.system for each in found[:_POINTS]} if systems else None
            found = points_to_expire(write, self.blueprints, now, of)[:_POINTS]
            for expiry in found:
                expire(write, expiry, now)
        return len(found)

    def _next(self, tx: Snapshot) -> list[SystemId] | None:
        """None: all, with what is left of systems that are no more."""
        ids = sorted(system.id for system in tx.systems())
        later = [id for id in ids if id > self._behind][:_SYSTEMS]
        self._behind = later[-1] if later else ""
        return later if len(ids) > _SYSTEMS and later else None
