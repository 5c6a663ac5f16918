"""What a municipality asks for when it joins, as it was sent and as it is understood."""

from __future__ import annotations

from dataclasses import dataclass, field

from control_plane.model.blueprint import Blueprint
from control_plane.model.ids import BlueprintId, RegionId
from control_plane.model.membership import Membership, OwnSite, Wanted
from control_plane.model.tenant import Tenant


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """`region` None means the region that serves the member's prefecture. What is None of the rest
    comes from the member register."""

    code: str
    blueprints: tuple[BlueprintId, ...]
    region: RegionId | None = None
    name: str | None = None
    kana: str | None = None
    prefecture: str | None = None
    population: int | None = None
    own_site: OwnSite | None = None
    wanted: Wanted = field(default_factory=Wanted)
    versions: tuple[int, ...] = ()
    """Of the blueprints, where they are not the newest."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the register and the catalogue understand it."""

    tenant: Tenant
    region: RegionId
    blueprints: tuple[Blueprint, ...]
    own_site: OwnSite | None
    wanted: Wanted = field(default_factory=Wanted)

    @property
    def versions(self) -> tuple[tuple[BlueprintId, int], ...]:
        return tuple((blueprint.id, blueprint.version) for blueprint in self.blueprints)


def as_applied(membership: Membership) -> JoinRequest:
    """What was applied for, to be asked for again."""
    tenant = membership.tenant
    return JoinRequest(
        code=tenant.code.text,
        blueprints=tuple(name for name, _ in membership.blueprints),
        region=membership.region,
        name=tenant.name,
        kana=tenant.kana,
        prefecture=tenant.prefecture,
        population=tenant.population,
        own_site=membership.own_site,
        wanted=membership.wanted,
        versions=tuple(version for _, version in membership.blueprints),
    )
