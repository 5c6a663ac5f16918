"""The manifests of one recovery point of a system: one per server, under one name of their set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from backup.keeper.describing import PointDetails, hooks_of
from backup.repository import Damaged, RecoveryPoint, Vault
from control_plane.drivers.objects import ObjectLocked
from control_plane.model.backup.dumps import HookRun
from control_plane.model.backup.ids import RecoveryPointId
from control_plane.model.backup.points import DiskFacts, ServerPoint
from control_plane.model.ids import ServerId


def found_of_sets(
    vault: Vault, sets: Mapping[RecoveryPointId, datetime]
) -> dict[RecoveryPointId, list[RecoveryPoint]]:
    """Those of each set, which was taken then, that are there and can be read. Manifests tell their second
    in their names, so that no others are read."""
    seconds = {at.replace(microsecond=0) for at in sets.values()}
    found: dict[RecoveryPointId, list[RecoveryPoint]] = {id: [] for id in sets}
    for facts in vault.points() if sets else ():
        if facts.taken_at not in seconds:
            continue
        try:
            point = vault.point(facts)
        except Damaged:
            continue
        if point.set in found:
            found[RecoveryPointId(point.set)].append(point)
    return found


def whole_set(vault: Vault, points: Iterable[RecoveryPoint]) -> tuple[ServerPoint, ...]:
    """Every server of the set, as the points themselves name them; nothing where any is missing."""
    by_server = {ServerId(point.server): point for point in points}
    told: list[ServerPoint] = []
    for point in by_server.values():
        details = vault.details(point)
        if set(PointDetails.of(details).servers) != set(by_server):
            return ()
        group = "container_group" in details
        told.append(
            server_point(point, _name(details, point), hooks_of(details), container_group=group)
        )
    return tuple(sorted(told, key=lambda each: each.server))


def forget_set(vault: Vault, points: Iterable[str]) -> None:
    """Of manifests that are to be none. What is under retention counts for nothing either: no record says
    that it is whole. Raises ObjectStoreError."""
    for id in points:
        with suppress(ObjectLocked):
            vault.forget(id)


def server_point(
    point: RecoveryPoint,
    name: str,
    hooks: tuple[HookRun, ...],
    *,
    container_group: bool = False,
    changed_files: int = 0,
) -> ServerPoint:
    return ServerPoint(
        ServerId(point.server),
        name,
        point.id,
        point.consistency,
        tuple(
            DiskFacts(d.name, d.size, d.read_bytes, d.changed_bytes, d.how, d.why)
            for d in point.disks
        ),
        hooks,
        container_group=container_group,
        changed_files=changed_files,
    )


def _name(details: dict[str, object], point: RecoveryPoint) -> str:
    server = details.get("server") or details.get("container_group")
    name = server.get("name") if isinstance(server, dict) else None
    return name if isinstance(name, str) else point.server
