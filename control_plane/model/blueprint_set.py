"""Blueprints that one member runs together: in which order they come back, what they lack, what they
take of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from control_plane.model.blueprint import Blueprint
from control_plane.model.ids import BlueprintId, FlavorId
from control_plane.model.tenant import PopulationBand
from control_plane.model.units import NOTHING, GiB, Resources
from control_plane.model.workload import Flavor


@dataclass(frozen=True, slots=True)
class Lack:
    """`blueprint` wants `missing`, which the member would not have. Without one that it `needs` it
    is of no use; without another it does less."""

    blueprint: Blueprint
    missing: BlueprintId
    needed: bool


@dataclass(frozen=True, slots=True)
class Footprint:
    """What servers take of the pool, without the room that is kept for failures."""

    servers: int = 0
    size: Resources = NOTHING
    disk: GiB = GiB(0)

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(
            self.servers + other.servers, self.size + other.size, GiB(self.disk + other.disk)
        )


def recovery_order(blueprints: Sequence[Blueprint]) -> tuple[Blueprint, ...]:
    """By tier; within a tier, what others need comes before them; then by id. A need that stands in
    a later tier, or in a circle, does not hold its tier up."""
    ordered: list[Blueprint] = []
    waiting = sorted(blueprints, key=lambda blueprint: (blueprint.tier, blueprint.id))
    while waiting:
        tier = [blueprint for blueprint in waiting if blueprint.tier == waiting[0].tier]
        unmet = {blueprint.id for blueprint in tier}
        ready = next((b for b in tier if not unmet.intersection(b.needs)), tier[0])
        ordered.append(ready)
        waiting.remove(ready)
    return tuple(ordered)


def lacks(blueprints: Sequence[Blueprint], present: Sequence[BlueprintId] = ()) -> tuple[Lack, ...]:
    """What the blueprints want that is neither among them nor `present`, graver ones first."""
    there = {*present, *(blueprint.id for blueprint in blueprints)}
    needed = [
        Lack(blueprint, missing, True)
        for blueprint in blueprints
        for missing in blueprint.needs
        if missing not in there
    ]
    helpful = [
        Lack(blueprint, missing, False)
        for blueprint in blueprints
        for missing in blueprint.works_with
        if missing not in there
    ]
    return (*needed, *helpful)


def footprint(
    blueprint: Blueprint, band: PopulationBand, flavors: Mapping[FlavorId, Flavor]
) -> Footprint:
    """Of the blueprint's servers for a member of that band. Raises KeyError with the id of a flavor
    that is not among `flavors`."""
    total = Footprint()
    for server in blueprint.servers:
        flavor = flavors[server.flavors[band]]
        total += Footprint(1, flavor.size, flavor.disk)
    return total
