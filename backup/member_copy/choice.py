"""Which recovery points a member's copy is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backup.records.estate import Blueprints, Estate
from control_plane.model.backup.ids import RecoveryPointId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.policy import NEAREST_FIRST, BackupPlace
from control_plane.model.blueprint import OWN, Blueprint, System
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from control_plane.store.rows import not_found


@dataclass(frozen=True, slots=True)
class Wanted:
    """A whole point, and where it lies whole: the nearest first."""

    point: RecoveryPointRecord
    among: tuple[Repository, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`without` are systems that were asked for and have no whole point."""

    tenant: MunicipalityCode
    wanted: tuple[Wanted, ...]
    without: tuple[SystemId, ...]

    @property
    def name(self) -> str:
        """The same for the same points in the same places, in every process."""
        told = [f"{w.point.id} {' '.join(r.id for r in w.among)}" for w in self.wanted]
        text = "\n".join([self.tenant.text, *told])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def choose(
    tx: Snapshot,
    blueprints: Blueprints,
    tenant: MunicipalityCode,
    *,
    systems: Collection[SystemId] = (),
    minimal: bool = False,
    points: Sequence[RecoveryPointId] = (),
) -> Choice:
    """The newest whole point of each system: of all, of those named, of those that counters need while
    cut off (`minimal`), or the points named. Raises `system-not-found`, `recovery-point-not-found`,
    `recovery-point-not-whole`."""
    estate = Estate.read(tx, blueprints, tenant=tenant)
    newest: dict[SystemId, RecoveryPointRecord] = {}
    for each in tx.recovery_points(tenant, live=True):
        if each.whole and each.held_in():
            newest[each.system] = each
    chosen: dict[RecoveryPointId, RecoveryPointRecord] = {}
    for id in points:
        found = tx.recovery_point(id, tenant)
        if not (found.whole and found.held_in()):
            raise _not_whole(id)
        chosen[found.id] = found
    named = set(systems)
    for system in systems:
        if system not in estate.systems and system not in newest:
            raise not_found("system", system)
    if minimal:
        named |= needed_when_cut_off([s.system for s in estate.systems.values()], blueprints)
    elif not systems and not points:
        named = {id for id, backup in estate.systems.items() if backup.servers} | set(newest)
    for system in named & set(newest):
        chosen[newest[system].id] = newest[system]
    places = {id: backup.places for id, backup in estate.systems.items()}
    wanted = (
        Wanted(each, _nearest_first(each, places.get(each.system, {}), estate.repositories))
        for each in sorted(chosen.values(), key=lambda point: (point.system, point.id))
    )
    return Choice(tenant, tuple(wanted), tuple(sorted(named - set(newest))))


def needed_when_cut_off(systems: Sequence[System], blueprints: Blueprints) -> set[SystemId]:
    """Those whose blueprints say so, and those of the member's that these can't do without."""
    described: dict[BlueprintId, Blueprint] = {}
    for system in systems:
        if system.blueprint != OWN:
            try:
                found = blueprints.blueprint(system.blueprint, system.blueprint_version)
            except YuiError:
                continue  # A version that the catalogue lost says nothing.
            described[system.blueprint] = found
    waiting = [id for id, found in described.items() if found.needed_when_cut_off]
    needed: set[BlueprintId] = set()
    while waiting:
        id = waiting.pop()
        if id in described and id not in needed:
            needed.add(id)
            waiting.extend(described[id].needs)
    return {system.id for system in systems if system.blueprint in needed}


def _nearest_first(
    point: RecoveryPointRecord,
    places: Mapping[RepositoryId, BackupPlace],
    repositories: Mapping[RepositoryId, Repository],
) -> tuple[Repository, ...]:
    def distance(id: RepositoryId) -> tuple[int, str]:
        place = places.get(id)
        return len(NEAREST_FIRST) if place is None else NEAREST_FIRST.index(place), id

    return tuple(
        repositories[id] for id in sorted(point.held_in(), key=distance) if id in repositories
    )


def _not_whole(point: RecoveryPointId) -> YuiError:
    return YuiError(
        "recovery-point-not-whole",
        en=f"Recovery point '{point}' is not whole anywhere now: choose another from the list.",
        ja=f"復元ポイント「{point}」は現在どこにも完全な形でありません。一覧から別のものを選んでください。",
        status=409,
        fields={"point": point},
    )
