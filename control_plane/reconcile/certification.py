"""Keeps the certificate true: proves the pool anew whenever its hosts or what they carry changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from control_plane.admission import certify
from control_plane.model.host_health import HostHealth
from control_plane.model.ids import HostId, RegionId
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Event
from control_plane.model.pool import Duty, Host
from control_plane.model.workload import Server, Stranded
from control_plane.placement import Recertification, under_way
from control_plane.reconcile import certificate_narration
from control_plane.reconcile.shortage import Shortage
from control_plane.store import Lease, LostRace, Store

_LOOK_AGAIN = timedelta(seconds=20)
"""While a failure is under way."""

_State = frozenset[tuple[HostId, type[HostHealth], Duty]]


@dataclass(slots=True)
class Certification:
    """Remembers for which standing of the hosts a region was last proved; a control plane that has
    just started proves every region."""

    store: Store
    _proved: dict[RegionId, _State] = field(default_factory=dict)
    _said: dict[RegionId, str] = field(default_factory=dict)
    _shortage: Shortage = field(default_factory=Shortage)
    _meanwhile: dict[RegionId, tuple[datetime, Ledger]] = field(default_factory=dict)
    """Where a failure is under way: what was proved then, and when."""

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
            if self._proved.get(region) == state and not self._has_changed(region, at):
                continue
            try:
                result = certify(self.store, region, lease)
            except LostRace:
                continue
            self._proved[region] = state
            renewed.append(region)
            event = self._judged(region, result, at)
            news = self._shortage.news(region, result.short, at)
            if self._said.get(region) != event.en:
                self._said[region] = event.en
                news.insert(0, event)
            if news:
                with self.store.write(lease) as tx:
                    tx.add_events(news)
        return renewed

    def _has_changed(self, region: RegionId, at: datetime) -> bool:
        """Whoever joins keeps the certificate true, and may take what the next failure needs while one
        is under way."""
        if region not in self._meanwhile:
            return False
        looked, proved = self._meanwhile[region]
        if abs(at - looked) < _LOOK_AGAIN:
            return False
        self._meanwhile[region] = at, proved
        with self.store.read() as tx:
            return tx.ledger(region) != proved

    def _judged(self, region: RegionId, result: Recertification, at: datetime) -> Event:
        with self.store.read() as tx:
            stranded = [s for s in tx.servers(region=region) if _is_stranded(s)]
            ledger = tx.ledger(region)
        self._meanwhile.pop(region, None)
        if stranded:
            return certificate_narration.homeless(region, len(stranded), stranded[0].name, at)
        meanwhile = under_way(ledger)
        if meanwhile is not None:
            self._meanwhile[region] = at, ledger
        if meanwhile is not None and not meanwhile.survives_next:
            return certificate_narration.nothing_promised_meanwhile(region, meanwhile, at)
        if result.uncovered:
            first = result.uncovered[0]
            en, ja = first.explain_en(), first.explain_ja()
            return certificate_narration.uncovered(region, len(result.uncovered), en, ja, at)
        return certificate_narration.certified(region, at)


def _is_stranded(server: Server) -> bool:
    return isinstance(server.placement, Stranded) and not server.deleting
