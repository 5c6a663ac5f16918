"""What the state holds, read anew only where it may have changed.

A pool at rest is looked at every second, and nothing that the state holds has changed since the
second before. Where the store can tell, the tables are not read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from control_plane.model.fence import FenceWord
from control_plane.model.pool import Host
from control_plane.model.reclaim import Reclaim
from control_plane.model.workload import Server
from control_plane.reconcile.disks import Disks
from control_plane.reconcile.spec import Surroundings
from control_plane.store import Snapshot, Store

T = TypeVar("T")


@dataclass(slots=True)
class Records:
    """What each method returns was so when it was called, and may be kept for as long as a snapshot
    may: whoever writes by it is guarded by generations."""

    store: Store
    _moment: object | None = None
    _known: dict[str, Any] = field(default_factory=dict)

    def hosts(self) -> tuple[Host, ...]:
        return self._of("hosts", lambda tx: tx.hosts())

    def servers(self) -> tuple[Server, ...]:
        return self._of("servers", lambda tx: tx.servers())

    def fence_words(self) -> tuple[FenceWord, ...]:
        return self._of("fence words", lambda tx: tuple(tx.fence_words()))

    def open_reclaims(self) -> tuple[Reclaim, ...]:
        return self._of("open reclaims", lambda tx: tx.reclaims(open_only=True))

    def last_event(self) -> int:
        return self._of("last event", lambda tx: tx.last_event())

    def servers_and_surroundings(self) -> tuple[tuple[Server, ...], Surroundings]:
        """Both of one moment."""
        return self._of("servers and surroundings", _servers_and_surroundings)

    def _of(self, name: str, read: Callable[[Snapshot], T]) -> T:
        # Asked before the reading: what is written meanwhile makes the next one read again.
        moment = self.store.moment_of_all
        if moment is None or moment is not self._moment:
            self._known.clear()
            self._moment = moment
        if name not in self._known:
            with self.store.read() as tx:
                self._known[name] = read(tx)
        return cast(T, self._known[name])


def _servers_and_surroundings(tx: Snapshot) -> tuple[tuple[Server, ...], Surroundings]:
    sites = {pool.id: site for site in tx.sites() for pool in site.storage_pools}
    images = {image.id: image for image in tx.images()}
    networks = {(n.tenant, n.region, n.zone): n for n in tx.networks()}
    disks = Disks.of(tx.volumes(), tx.unfinished_snapshots())
    return tx.servers(), Surroundings(images, sites, networks, disks)
