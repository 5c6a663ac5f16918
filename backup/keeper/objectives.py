"""Tells of systems whose backups are not as their policies say, and that they are so again."""

from __future__ import annotations

from dataclasses import dataclass

from backup.keeper import telling
from backup.keeper.telling import Backed
from backup.records.estate import Blueprints
from backup.records.lags import news, statuses
from control_plane.drivers.world import Clock
from control_plane.store import Lease, Store


@dataclass(frozen=True, slots=True)
class Objectives:
    store: Store
    clock: Clock
    blueprints: Blueprints

    def look(self, lease: Lease) -> int:
        """How many events there were. Nothing is written where all is as it was."""
        with self.store.read() as snapshot:
            known = set(snapshot.told_breaches())
            found_now = statuses(snapshot, self.blueprints, self.clock.now())
        now_so = {
            (each.backup.system.id, breach.what.value, breach.repository or "")
            for each in found_now
            for breach in each.breaches
        }
        if now_so == known:
            return 0
        with self.store.write(lease) as tx:
            now = self.clock.now()
            found = news(tx, self.blueprints, now)
            for backup, breach in found.missed:
                tx.add_event(telling.missed(Backed.by(backup), breach, now))
            for backup in found.met_again:
                tx.add_event(telling.kept_again(Backed.by(backup), now))
        return len(found.missed) + len(found.met_again)
