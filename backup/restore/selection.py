"""Which servers and disks of a point a restore is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from backup.repository import RecoveryPoint
from backup.restore.reading import PointSource
from control_plane.drivers.backup_source import ROOT_DISK
from control_plane.model.backup.points import RecoveryPointRecord, ServerPoint
from control_plane.model.backup.work import RestoreTarget, RestoreTo
from control_plane.model.errors import YuiError

_OF_SERVERS = (RestoreTo.NEW, RestoreTo.REGION, RestoreTo.ISOLATED)
"""Where a system is made anew, of servers alone: container groups' volumes come back in their place."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One server's part: its manifest, what that says of it, and the names of the disks that are wanted."""

    part: ServerPoint
    point: RecoveryPoint
    description: Mapping[str, Any]
    disks: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return sum(self.point.disk(name).size for name in self.disks)

    @property
    def root(self) -> bool:
        return ROOT_DISK in self.disks

    def of(self, what: str) -> Mapping[str, Any]:
        """Of what somebody else wrote no more is believed than is there."""
        found = self.description.get(what)
        return found if isinstance(found, Mapping) else {}

    def volume(self, id: str) -> Mapping[str, Any]:
        volumes = self.description.get("volumes")
        for each in volumes if isinstance(volumes, list) else ():
            if isinstance(each, Mapping) and each.get("id") == id:
                return each
        return {}


def chosen(
    source: PointSource, point: RecoveryPointRecord, target: RestoreTarget
) -> tuple[Chosen, ...]:
    """In the order in which its servers start. Raises `restore-nothing`, and what reading raises."""
    found = []
    for part in point.servers:
        if target.servers and part.server not in target.servers:
            continue
        if part.container_group and target.to in _OF_SERVERS:
            continue
        manifest, details = source.point(part)
        disks = _wanted(manifest, target.disks)
        if disks:
            found.append(Chosen(part, manifest, details.description, disks))
    if not found:
        raise YuiError(
            "restore-nothing",
            en=f"Recovery point '{point.id}' holds none of the disks that were asked for.",
            ja=f"復元ポイント「{point.id}」に、指定されたディスクはありません。",
            fields={"point": point.id},
        )
    return tuple(sorted(found, key=lambda each: (_start_order(each), each.part.server)))


def _wanted(manifest: RecoveryPoint, disks: Collection[str]) -> tuple[str, ...]:
    return tuple(d.name for d in manifest.disks if not disks or d.name in disks)


def _start_order(one: Chosen) -> int:
    order = one.of("server").get("start_order")
    return order if isinstance(order, int) else 0
