"""Blueprints as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from control_plane.model.blueprint import Blueprint
from control_plane.model.blueprint_set import Footprint, Lack
from control_plane.model.hours import time_of_day
from control_plane.model.tenant import PopulationBand
from control_plane.pool.hosts import size_out
from tenants.blueprint_models import (
    BackupCopyOut,
    BackupPolicyOut,
    BlueprintOut,
    BlueprintServerOut,
    ContainerGroupOut,
    DumpOut,
    HealthOut,
    LackOut,
    ServiceWindowOut,
    SetSize,
    SystemSize,
    TotalSize,
)


def blueprint_out(blueprint: Blueprint, versions: Sequence[int]) -> BlueprintOut:
    return BlueprintOut(
        id=blueprint.id,
        version=blueprint.version,
        versions=list(versions),
        name_ja=blueprint.name_ja,
        name_en=blueprint.name_en,
        description_ja=blueprint.description_ja,
        description_en=blueprint.description_en,
        standard_task=blueprint.standard_task,
        tier=blueprint.tier,
        zone=blueprint.zone.value,
        needs=list(blueprint.needs),
        works_with=list(blueprint.works_with),
        service_hours=[
            ServiceWindowOut(
                days=[day.value for day in window.days],
                opens=time_of_day(window.opens),
                closes=time_of_day(window.closes),
            )
            for window in blueprint.service_hours
        ],
        backup=BackupPolicyOut(
            rpo_hours=blueprint.backup.rpo_hours,
            rpo_away_hours=blueprint.backup.rpo_away_hours,
            copies=[
                BackupCopyOut(
                    every=copy.every.value,
                    at=None if copy.at is None else time_of_day(copy.at),
                    until=None if copy.until is None else time_of_day(copy.until),
                    generations=copy.generations,
                    places=[place.value for place in copy.places],
                )
                for copy in blueprint.backup.copies
            ],
            dumps=[DumpOut(**asdict(dump)) for dump in blueprint.backup.dumps],
        ),
        needed_when_cut_off=blueprint.needed_when_cut_off,
        servers=[
            BlueprintServerOut(
                role=server.role,
                image=server.image,
                start_order=server.start_order,
                stop_order=server.stop_order,
                flavors={band.value: flavor for band, flavor in server.flavors.items()},
                anti_affinity=server.anti_affinity,
                traits=sorted(server.traits),
                health=None if server.health is None else HealthOut(**asdict(server.health)),
            )
            for server in blueprint.servers
        ],
        container_groups=[
            ContainerGroupOut(
                role=group.role,
                image=group.image,
                start_order=group.start_order,
                stop_order=group.stop_order,
                replicas={band.value: count for band, count in group.replicas.items()},
                flavors={band.value: flavor for band, flavor in group.flavors.items()},
            )
            for group in blueprint.container_groups
        ],
        start_sequence=[list(step) for step in blueprint.start_sequence],
        stop_sequence=[list(step) for step in blueprint.stop_sequence],
    )


def lack_out(lack: Lack) -> LackOut:
    id, missing = lack.blueprint.id, lack.missing
    return LackOut(
        blueprint=id,
        missing=missing,
        needed=lack.needed,
        en=f"{id} needs {missing}, which the member would not have: it is of no use until that joins too."
        if lack.needed
        else f"{id} works with {missing}, which the member would not have: it does less without.",
        ja=f"{id} に必要な {missing} がありません。追加するまで {id} は利用できません。"
        if lack.needed
        else f"{id} と連携する {missing} がありません。一部の機能は使えません。",
    )


def set_size(
    population: int, sizes: Sequence[tuple[Blueprint, Footprint]], lacks: Sequence[Lack]
) -> SetSize:
    total = sum((footprint for _, footprint in sizes), Footprint())
    return SetSize(
        population=population,
        band=PopulationBand.of(population).value,
        systems=[
            SystemSize(
                blueprint=blueprint.id,
                version=blueprint.version,
                name_ja=blueprint.name_ja,
                name_en=blueprint.name_en,
                tier=blueprint.tier,
                zone=blueprint.zone.value,
                servers=footprint.servers,
                size=size_out(footprint.size),
                disk_gib=footprint.disk,
            )
            for blueprint, footprint in sizes
        ],
        total=TotalSize(servers=total.servers, size=size_out(total.size), disk_gib=total.disk),
        lacks=[lack_out(lack) for lack in lacks],
    )
