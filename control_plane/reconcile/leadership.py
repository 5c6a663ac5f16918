"""One control plane acts at a time; which one is a row with a fencing token."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.drivers.world import Clock
from control_plane.model.units import Seconds
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LeaseLost, LostRace, Snapshot, Store

LEASE_NAME = "leader"


def still_held(tx: Snapshot, lease: Lease) -> bool:
    """Whether nobody has taken it since, not even the same process anew; asked just before something
    irreversible, with the lease under which that was decided."""
    held = tx.lease(lease.name)
    return held is not None and held.token == lease.token


@dataclass(slots=True)
class Leadership:
    store: Store
    clock: Clock
    holder: str
    timings: Timings
    lease: Lease | None = None
    name: str = LEASE_NAME
    _held_at: Seconds = Seconds(float("-inf"))

    @property
    def is_fresh(self) -> bool:
        """Renewed so recently that it need not be renewed yet."""
        age = self.clock.monotonic() - self._held_at
        return self.lease is not None and age < self.timings.lease_ttl / 3

    def hold(self) -> Lease | None:
        """Renew or take the lease; None while another control plane leads."""
        now = self.clock.now()
        self._held_at = self.clock.monotonic()
        if self.lease is not None:
            try:
                self.lease = self.store.renew_lease(self.lease, self.timings.lease_ttl, now)
            except LeaseLost:
                self.lease = None
            except LostRace:
                # Somebody holds the row just now: whether this one still leads is not known.
                return None
        if self.lease is None:
            self.lease = self.store.acquire_lease(
                self.name, self.holder, self.timings.lease_ttl, now
            )
        return self.lease

    def give_up(self) -> None:
        """Let another control plane lead at once, as on an orderly stop."""
        if self.lease is not None:
            self.store.release_lease(self.lease)
            self.lease = None
