"""A server of a tenant: what was asked for, where it is placed, and what is seen of it.

Placement is a value with only the transitions that keep one writer per disk: leaving a host that
died takes that host's fence evidence, and a migration ends by arriving, by being abandoned by a
target that answers, or by evidence that one of its ends is fenced.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from control_plane.model.backing import Backing
from control_plane.model.fence import FenceEvidence
from control_plane.model.ids import (
    FlavorId,
    Generation,
    GroupId,
    HostId,
    ImageId,
    ServerId,
    SiteId,
    StoragePoolId,
    SystemId,
)
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, Resources


@dataclass(frozen=True, slots=True)
class Flavor:
    """A named size. `disk` is the virtual size of the root volume."""

    id: FlavorId
    size: Resources
    disk: GiB


class Power(StrEnum):
    """What the tenant wants of a server."""

    RUNNING = "running"
    STOPPED = "stopped"
    SHELVED = "shelved"
    """Stopped, with no room kept for it: only its disks and its address stay its own."""


class Seen(StrEnum):
    """What a driver last reported of a server."""

    NOWHERE = "nowhere"
    RUNNING = "running"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    """Its host does not answer: it may or may not run."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a host last told of a server. `generation` is the one that its copy there bears, `booted`
    the one with which that copy was last started; both 0 where no copy was seen."""

    seen: Seen
    generation: Generation = Generation(0)
    booted: Generation = Generation(0)


def _check(evidence: FenceEvidence, host: HostId) -> None:
    if evidence.host != host:
        raise ValueError(f"evidence about {evidence.host} does not fence {host}")


@dataclass(frozen=True, slots=True)
class Placed:
    host: HostId

    def move_to(self, target: HostId) -> Moving:
        return Moving(self.host, target)

    def evacuate(self, evidence: FenceEvidence, refuge: HostId) -> Placed:
        _check(evidence, self.host)
        return Placed(refuge)

    def strand(self, evidence: FenceEvidence) -> Stranded:
        """No host has room: it waits, and the room it needs is not held anywhere."""
        _check(evidence, self.host)
        return Stranded(evidence)

    def put_away(self) -> Shelved:
        """The host answered that it no longer has it."""
        return Shelved()

    def put_away_by_fence(self, evidence: FenceEvidence) -> Shelved:
        _check(evidence, self.host)
        return Shelved()


@dataclass(frozen=True, slots=True)
class Moving:
    """Live migration under way: both hosts hold room until it ends."""

    source: HostId
    target: HostId

    def arrived(self) -> Placed:
        """The source answered that it no longer has it."""
        return Placed(self.target)

    def abandoned(self) -> Placed:
        """The target answered that it does not have it."""
        return Placed(self.source)

    def source_fenced(self, evidence: FenceEvidence) -> Placed:
        _check(evidence, self.source)
        return Placed(self.target)

    def target_fenced(self, evidence: FenceEvidence) -> Placed:
        _check(evidence, self.target)
        return Placed(self.source)


@dataclass(frozen=True, slots=True)
class Stranded:
    """Its host is fenced and nothing had room for it."""

    evidence: FenceEvidence

    def rehome(self, host: HostId) -> Placed:
        return Placed(host)

    def put_away(self) -> Shelved:
        return Shelved()


@dataclass(frozen=True, slots=True)
class Shelved:
    """It runs nowhere and no host holds room for it. Its disks stay where they are."""

    def unshelve(self, host: HostId) -> Placed:
        """`host` has room for it, as an admission found."""
        return Placed(host)


Placement = Placed | Moving | Stranded | Shelved


@dataclass(frozen=True, slots=True)
class Server:
    """A VM of a tenant.

    `generation` grows with every change of placement, power or size; the driver writes it on the
    hypervisor so that a stale copy is known. `tier` 0 recovers first; within a system, servers
    start in ascending `start_order`. `sites` is the data-location rule: the sites allowed to hold
    it. `address` is its IPv4 address with prefix length, such as `10.77.16.5/24`.

    A copy that was started with a generation below `boot_since` is to be restarted, at once where
    `boot_hard`. `disk_build` counts how often its root disk was made anew. `sized_since` is the
    generation from which it has its size. `copy_generation` and `booted` are those of its copy, as
    last seen (see `Sighting`). One that is `protected` is not deleted; one that is `isolated` is on no
    network, whatever its address.
    """

    id: ServerId
    tenant: MunicipalityCode
    system: SystemId
    name: str
    role: str
    flavor: FlavorId
    size: Resources
    disk: GiB
    image: ImageId
    zone: Zone
    tier: int
    start_order: int
    storage: StoragePoolId
    address: str
    placement: Placement
    power: Power = Power.RUNNING
    seen: Seen = Seen.NOWHERE
    deleting: bool = False
    group: GroupId | None = None
    traits: frozenset[str] = frozenset()
    sites: frozenset[SiteId] = frozenset()
    generation: Generation = Generation(1)
    protected: bool = False
    boot_since: Generation = Generation(0)
    boot_hard: bool = False
    disk_build: int = 0
    sized_since: Generation = Generation(0)
    copy_generation: Generation = Generation(0)
    booted: Generation = Generation(0)
    isolated: bool = False
    backing: Backing | None = None

    @property
    def leans_on(self) -> str | None:
        """Where its root disk takes from what it lacks; None: it holds all."""
        held = self.backing
        return None if held is None or held.build != self.disk_build else held.uri

    @property
    def restarting(self) -> bool:
        """It is wanted to run and its copy, as last seen, was started too long ago."""
        return self.power is Power.RUNNING and self.booted < self.boot_since

    @property
    def restart_needed(self) -> bool:
        """It was resized since its copy was started, which may have only a part of it yet."""
        return self.seen is Seen.RUNNING and self.booted < self.sized_since


class ServerStatus(StrEnum):
    """What a tenant is told, derived from what is wanted and what is seen."""

    BUILDING = "building"
    ACTIVE = "active"
    STOPPING = "stopping"
    STOPPED = "stopped"
    MIGRATING = "migrating"
    STRANDED = "stranded"
    SHELVING = "shelving"
    SHELVED = "shelved"
    DELETING = "deleting"
    UNKNOWN = "unknown"


def status_of(server: Server) -> ServerStatus:
    if server.deleting:
        return ServerStatus.DELETING
    match server.placement:
        case Stranded():
            return ServerStatus.STRANDED
        case Moving():
            return ServerStatus.MIGRATING
        case Shelved():
            return ServerStatus.SHELVED
        case Placed():
            pass
    match server.seen, server.power:
        case Seen.UNKNOWN, _:
            return ServerStatus.UNKNOWN
        case _, Power.SHELVED:
            return ServerStatus.SHELVING
        case Seen.RUNNING, Power.RUNNING:
            return ServerStatus.ACTIVE
        case Seen.RUNNING, Power.STOPPED:
            return ServerStatus.STOPPING
        case _, Power.STOPPED:
            return ServerStatus.STOPPED
        case _:
            return ServerStatus.BUILDING
