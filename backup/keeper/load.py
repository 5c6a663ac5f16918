"""How much is being read where, so that backups leave hosts and storage to those who work on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from backup.keeper.sources import Readable
from backup.keeper.timings import Timings
from control_plane.model.ids import HostId, SiteId


@dataclass(slots=True)
class Load:
    timings: Timings
    runs: int = 0
    _hosts: Counter[HostId] = field(default_factory=Counter)
    _sites: Counter[SiteId] = field(default_factory=Counter)

    def fits(self, more: Readable) -> bool:
        return (
            self.runs < self.timings.runs_at_once
            and all(self._hosts[host] < self.timings.per_host for host in more.hosts)
            and all(self._sites[site] < self.timings.per_site for site in more.sites)
        )

    def add(self, more: Readable) -> None:
        self.runs += 1
        self._hosts.update(more.hosts)
        self._sites.update(more.sites)
