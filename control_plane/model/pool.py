"""The pooled hardware: regions, sites, storage pools, hosts, and what can fail together."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address

from control_plane.model.host_health import HostHealth
from control_plane.model.ids import Generation, HostId, RegionId, SiteId, StoragePoolId
from control_plane.model.units import GiB, Resources


class Zone(StrEnum):
    """The three networks of a municipality, never bridged to each other."""

    MYNUMBER = "mynumber"
    LGWAN = "lgwan"
    INTERNET = "internet"


class DomainKind(StrEnum):
    """What kind of thing takes its hosts down with it."""

    HOST = "host"
    RACK = "rack"
    POWER = "power"
    SITE = "site"
    HAZARD = "hazard"


@dataclass(frozen=True, slots=True, order=True)
class FailureDomain:
    """A set of hosts that can die together, named within its kind: `rack:kyoto-r1`."""

    kind: DomainKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class Policy(StrEnum):
    """How placement chooses among hosts that all fit."""

    SPREAD = "spread"
    PACK = "pack"


class Duty(StrEnum):
    """What operators want of a host, apart from whether it is well."""

    IN_SERVICE = "in-service"
    DRAINING = "draining"
    MAINTENANCE = "maintenance"


NOTICE_DAYS = 14


@dataclass(frozen=True, slots=True)
class Region:
    """A prefecture-sized area. `promised` are the kinds of failure domain that the region's
    certificate covers; a host's own death is always among them. Members of `prefectures` are hosted
    here unless they ask for another region. Who has borrowed room is told `notice_days` before it is
    taken back."""

    id: RegionId
    name: str
    prefectures: frozenset[str] = frozenset()
    policy: Policy = Policy.SPREAD
    promised: frozenset[DomainKind] = frozenset({DomainKind.HOST})
    notice_days: int = NOTICE_DAYS


@dataclass(frozen=True, slots=True)
class StoragePool:
    """Shared storage that every host listing it reaches under the same `path`."""

    id: StoragePoolId
    capacity: GiB
    path: str


@dataclass(frozen=True, slots=True)
class Site:
    """One data centre. `guest_network` is the IPv4 network (CIDR) its servers take addresses from;
    `guest_gateway` its router, where there is one. With `member_prefix` each member's network has blocks
    of that prefix length out of it, which the site's hosts keep apart; without it all servers share the
    guest network, and the site's own people keep the members apart."""

    id: SiteId
    region: RegionId
    name: str
    guest_network: str
    guest_gateway: str | None = None
    storage_pools: tuple[StoragePool, ...] = ()
    member_prefix: int | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a host. Secrets are named, never held: `file:/path` or `env:NAME`.

    `uri` is the libvirt connection; `migration_host` the address that peers migrate to;
    `bridge` the guest bridge on the host; `lease_path` the file of its heartbeat on shared storage.
    `bridge` may hold `{zone}`, or `{segment}`: then the host makes a bridge for each member's network,
    and `tunnel_address` (IPv4; the migration host's where it is empty) is its end of their tunnels.
    """

    driver: str
    uri: str
    migration_host: str = ""
    bridge: str = ""
    bmc_url: str | None = None
    bmc_system: str | None = None
    bmc_user: str | None = None
    bmc_password_ref: str | None = None
    lease_path: str | None = None
    tunnel_address: str = ""

    @property
    def makes_segments(self) -> bool:
        """Whether the host itself keeps members' networks apart."""
        return "{segment}" in self.bridge

    @property
    def tunnel_end(self) -> IPv4Address | None:
        """None where the host has no tunnels, or no IPv4 address for them."""
        if not self.makes_segments:
            return None
        try:
            return IPv4Address(self.tunnel_address or self.migration_host)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Host:
    """One machine that runs workloads. `capacity` is what it may hand out: overcommit applied and
    the hypervisor's own share already taken off."""

    id: HostId
    site: SiteId
    region: RegionId
    capacity: Resources
    zones: frozenset[Zone]
    storage: frozenset[StoragePoolId]
    endpoint: Endpoint
    health: HostHealth
    duty: Duty = Duty.IN_SERVICE
    traits: frozenset[str] = frozenset()
    domains: frozenset[FailureDomain] = field(default_factory=frozenset)
    generation: Generation = Generation(0)
