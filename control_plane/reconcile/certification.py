"""Keeps the certificate true: proves the pool anew whenever its hosts or what they carry changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.admission import certify
from control_plane.model.host_health import HostHealth
from control_plane.model.ids import HostId, RegionId
from control_plane.model.pool import Duty, Host
from control_plane.reconcile import narration
from control_plane.store import Lease, LostRace, Store

_State = frozenset[tuple[HostId, type[HostHealth], Duty]]


@dataclass(slots=True)
class Certification:
    """Remembers for which standing of the hosts a region was last proved; a control plane that has
    just started proves every region."""

    store: Store
    _proved: dict[RegionId, _State] = field(default_factory=dict)
    _complete: dict[RegionId, bool] = field(default_factory=dict)

    def disturb(self, region: RegionId) -> None:
        """Something moved: the region has to be proved again."""
        self._proved.pop(region, None)

    def disturb_all(self) -> None:
        self._proved.clear()

    def renew(self, hosts: Sequence[Host], lease: Lease, at: datetime) -> list[RegionId]:
        """Prove the regions that changed; returns them. A lost race is tried at the next tick."""
        renewed = []
        for region in sorted({host.region for host in hosts}):
            state = frozenset((h.id, type(h.health), h.duty) for h in hosts if h.region == region)
            if self._proved.get(region) == state:
                continue
            try:
                result = certify(self.store, region, lease)
            except LostRace:
                continue
            self._proved[region] = state
            renewed.append(region)
            complete = not result.uncovered
            if complete and self._complete.get(region) is True:
                continue
            self._complete[region] = complete
            with self.store.write(lease) as tx:
                if complete:
                    tx.add_event(narration.certified(region, at))
                else:
                    first = result.uncovered[0]
                    en, ja = first.explain_en(), first.explain_ja()
                    count = len(result.uncovered)
                    tx.add_event(narration.uncovered(region, count, en, ja, at))
        return renewed
