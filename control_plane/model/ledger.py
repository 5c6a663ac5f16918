"""The ledger: who holds what on which host. Placement reads nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from control_plane.model.allotment import Capacity
from control_plane.model.ids import (
    Generation,
    GroupId,
    HostId,
    RegionId,
    ServerId,
    SiteId,
    StoragePoolId,
)
from control_plane.model.pool import DomainKind, FailureDomain, Policy, Zone
from control_plane.model.units import GiB, Resources


class Standing(StrEnum):
    """What placement may do with a host."""

    OPEN = "open"
    """May carry more and may be a refuge."""
    CLOSED = "closed"
    """Carries what it has; takes nothing more and is nobody's refuge (draining, suspect)."""
    GONE = "gone"
    """Carries nothing and promises nothing (fenced, cleaning, in maintenance)."""


@dataclass(frozen=True, slots=True)
class LedgerHost:
    """`domains` always holds the host's own `host:<id>` domain. One that is `silent` is suspect, or its
    death is confirmed: it is closed, and may be lost with all that it carries."""

    id: HostId
    site: SiteId
    capacity: Resources
    zones: frozenset[Zone]
    storage: frozenset[StoragePoolId]
    traits: frozenset[str]
    domains: frozenset[FailureDomain]
    standing: Standing
    generation: Generation
    silent: bool = False


@dataclass(frozen=True, slots=True)
class LedgerWorkload:
    """A workload and the hosts that hold room for it: one, two while it migrates, none before it is
    placed or while it is stranded or shelved. `storage` is None until placement has chosen a pool; a
    stopped server keeps its room, a shelved one has no `size` and keeps its disk alone. `sites` empty
    means any site of the region.

    A `holding` is no server but room that is kept for what its owner is guaranteed and does not use:
    it is placed and has refuges like a server, and nothing runs in it, so that it may be placed
    anew at any time.

    What `grows` another one is the room that is kept for it at its new size, on the host that it is
    moving to; of that, its owner uses only what goes beyond the size that it has."""

    id: ServerId
    owner: str
    size: Resources
    disk: GiB
    zone: Zone
    tier: int
    storage: StoragePoolId | None
    hosts: tuple[HostId, ...] = ()
    group: GroupId | None = None
    traits: frozenset[str] = frozenset()
    sites: frozenset[SiteId] = frozenset()
    holding: bool = False
    grows: ServerId | None = None


@dataclass(frozen=True, slots=True)
class LedgerStoragePool:
    """`used` counts every volume of the pool, placed or stranded."""

    id: StoragePoolId
    capacity: GiB
    used: GiB


@dataclass(frozen=True, slots=True)
class Ledger:
    """One region's ledger at one moment, with the refuges in force. `guaranteed` is what each owner is
    guaranteed, whether it uses it or not; `disks` what volumes and snapshots of each take beside the
    workloads, which the storage pools have counted."""

    region: RegionId
    policy: Policy
    promised: frozenset[DomainKind]
    hosts: Mapping[HostId, LedgerHost]
    workloads: Mapping[ServerId, LedgerWorkload]
    storage: Mapping[StoragePoolId, LedgerStoragePool]
    certificate: Certificate
    guaranteed: Mapping[str, Capacity] = field(default_factory=dict)
    disks: Mapping[str, GiB] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The refuge of every workload on every promised failure domain: where it restarts when that
    domain dies. A workload without an entry for a domain it stands on is not protected from it."""

    refuges: Mapping[tuple[FailureDomain, ServerId], HostId]
