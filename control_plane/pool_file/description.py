"""What a pool file says, as values: everything about the pool that operators decide.

A host as described has no health, duty or generation: those belong to the pool that runs, so that
the same file can be read again without touching them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from control_plane.model.host_health import Cleaning
from control_plane.model.ids import HostId, RegionId, SiteId, StoragePoolId
from control_plane.model.pool import (
    DomainKind,
    Endpoint,
    FailureDomain,
    Host,
    Region,
    Site,
    Zone,
)
from control_plane.model.units import Resources
from control_plane.model.workload import Flavor


@dataclass(frozen=True, slots=True)
class HostDescription:
    """A host as operators describe it. `capacity` is what it may hand out: overcommit applied, the
    hypervisor's own share taken off. `rack` and `power` are names within the site; `hazards` are
    names that several sites may share."""

    id: HostId
    site: SiteId
    region: RegionId
    capacity: Resources
    zones: frozenset[Zone]
    storage: frozenset[StoragePoolId]
    endpoint: Endpoint
    traits: frozenset[str] = frozenset()
    rack: str | None = None
    power: str | None = None
    hazards: frozenset[str] = frozenset()

    @property
    def domains(self) -> frozenset[FailureDomain]:
        """`host:<id>`, `site:<site>`, `rack:<site>/<rack>`, `power:<site>/<power>`, `hazard:<name>`."""
        found = {
            FailureDomain(DomainKind.HOST, self.id),
            FailureDomain(DomainKind.SITE, self.site),
            *(FailureDomain(DomainKind.HAZARD, hazard) for hazard in self.hazards),
        }
        if self.rack is not None:
            found.add(FailureDomain(DomainKind.RACK, f"{self.site}/{self.rack}"))
        if self.power is not None:
            found.add(FailureDomain(DomainKind.POWER, f"{self.site}/{self.power}"))
        return frozenset(found)

    def as_host(self, since: datetime) -> Host:
        """The host as it enters the pool: nothing runs on it before it has been cleaned."""
        return Host(
            id=self.id,
            site=self.site,
            region=self.region,
            capacity=self.capacity,
            zones=self.zones,
            storage=self.storage,
            endpoint=self.endpoint,
            health=Cleaning(since),
            traits=self.traits,
            domains=self.domains,
        )

    @staticmethod
    def of(host: Host) -> HostDescription:
        """What a pool file would have to say to give this host."""
        within_site: dict[DomainKind, str] = {}
        for domain in sorted(host.domains):
            if domain.kind in (DomainKind.RACK, DomainKind.POWER):
                within_site[domain.kind] = domain.name.removeprefix(f"{host.site}/")
        return HostDescription(
            id=host.id,
            site=host.site,
            region=host.region,
            capacity=host.capacity,
            zones=host.zones,
            storage=host.storage,
            endpoint=host.endpoint,
            traits=host.traits,
            rack=within_site.get(DomainKind.RACK),
            power=within_site.get(DomainKind.POWER),
            hazards=frozenset(d.name for d in host.domains if d.kind is DomainKind.HAZARD),
        )


@dataclass(frozen=True, slots=True)
class PoolDescription:
    """A whole pool, in the order in which it was written down."""

    regions: tuple[Region, ...] = ()
    sites: tuple[Site, ...] = ()
    hosts: tuple[HostDescription, ...] = ()
    flavors: tuple[Flavor, ...] = ()

    @staticmethod
    def of(
        regions: Iterable[Region],
        sites: Iterable[Site],
        hosts: Iterable[Host],
        flavors: Iterable[Flavor],
    ) -> PoolDescription:
        """The description of a pool that runs."""
        return PoolDescription(
            tuple(regions),
            tuple(sites),
            tuple(HostDescription.of(host) for host in hosts),
            tuple(flavors),
        )
