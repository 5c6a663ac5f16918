"""A standard business system as every member runs it, sized by population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from control_plane.model.ids import BlueprintId, FlavorId, ImageId, RegionId, SystemId
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode, PopulationBand


@dataclass(frozen=True, slots=True)
class BlueprintServer:
    """One role of a blueprint, such as `database`. Servers of one system that share
    `anti_affinity` are kept on different hosts."""

    role: str
    image: ImageId
    start_order: int
    flavors: Mapping[PopulationBand, FlavorId]
    anti_affinity: str | None = None
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Blueprint:
    """`tier` is the order of recovery, 0 first."""

    id: BlueprintId
    version: int
    name_ja: str
    name_en: str
    tier: int
    zone: Zone
    servers: tuple[BlueprintServer, ...]


@dataclass(frozen=True, slots=True)
class System:
    """One tenant's running instance of a blueprint."""

    id: SystemId
    tenant: MunicipalityCode
    region: RegionId
    blueprint: BlueprintId
    blueprint_version: int
    tier: int
    zone: Zone
    created_at: datetime
