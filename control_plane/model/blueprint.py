"""A standard business system as every member runs it, sized by population."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.model.backup.policy import BackupPolicy
from control_plane.model.health import HttpCheck
from control_plane.model.hours import ALWAYS_OPEN, ServiceWindow
from control_plane.model.ids import BlueprintId, FlavorId, ImageId, RegionId, SystemId
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode, PopulationBand

OWN = BlueprintId("own")
"""What a system of a member's own is an instance of; no blueprint of the catalogue is called so."""


@dataclass(frozen=True, slots=True)
class BlueprintServer:
    """One role of a blueprint, such as `database`. Servers of one system that share
    `anti_affinity` are kept on different hosts. `stop_order` None means the reverse of starting.
    `health`: how it is told that one is well, also where no network reaches it."""

    role: str
    image: ImageId
    start_order: int
    flavors: Mapping[PopulationBand, FlavorId]
    anti_affinity: str | None = None
    traits: frozenset[str] = frozenset()
    stop_order: int | None = None
    health: HttpCheck | None = None


@dataclass(frozen=True, slots=True)
class ContainerGroup:
    """A replicated set of containers; `image` is a reference to a container image. Declared, and
    not runnable yet. Each replica has a flavor's vCPU and memory."""

    role: str
    image: str
    start_order: int
    replicas: Mapping[PopulationBand, int]
    flavors: Mapping[PopulationBand, FlavorId]
    stop_order: int | None = None


@dataclass(frozen=True, slots=True)
class Blueprint:
    """`tier` is the order of recovery, 0 first. `standard_task` names the task (標準化対象事務) of the
    national standardization that the system serves, in Japanese as the law has it. What is in
    `needs` must be there for the system to be of use; with `works_with` it does more. What is
    `needed_when_cut_off` counters must have when nothing outside can be reached."""

    id: BlueprintId
    version: int
    name_ja: str
    name_en: str
    tier: int
    zone: Zone
    servers: tuple[BlueprintServer, ...]
    description_ja: str = ""
    description_en: str = ""
    standard_task: str | None = None
    container_groups: tuple[ContainerGroup, ...] = ()
    needs: tuple[BlueprintId, ...] = ()
    works_with: tuple[BlueprintId, ...] = ()
    service_hours: tuple[ServiceWindow, ...] = ALWAYS_OPEN
    backup: BackupPolicy = field(default=BackupPolicy(24, ()))
    needed_when_cut_off: bool = False

    @property
    def workloads(self) -> tuple[BlueprintServer | ContainerGroup, ...]:
        return (*self.servers, *self.container_groups)

    @property
    def start_sequence(self) -> tuple[tuple[str, ...], ...]:
        """Roles in the order in which they start; those of one step start together."""
        return _steps((workload.start_order, workload.role) for workload in self.workloads)

    @property
    def stop_sequence(self) -> tuple[tuple[str, ...], ...]:
        """Roles in the order in which they stop: as told, else the reverse of starting."""
        return _steps(
            (-w.start_order if w.stop_order is None else w.stop_order, w.role)
            for w in self.workloads
        )


def _steps(ordered: Iterable[tuple[int, str]]) -> tuple[tuple[str, ...], ...]:
    steps: dict[int, list[str]] = {}
    for order, role in ordered:
        steps.setdefault(order, []).append(role)
    return tuple(tuple(steps[order]) for order in sorted(steps))


@dataclass(frozen=True, slots=True)
class System:
    """One tenant's running instance of a blueprint, or (of `OWN`, version 0, with a `name`) a system
    of its own. One that is `deleting` goes once its last server has gone."""

    id: SystemId
    tenant: MunicipalityCode
    region: RegionId
    blueprint: BlueprintId
    blueprint_version: int
    tier: int
    zone: Zone
    created_at: datetime
    name: str = ""
    deleting: bool = False
