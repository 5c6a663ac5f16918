"""Which earlier point each server's backup goes on from: the newest that is believed whole where the new
one is written, so that only what changed since has to be read and stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.ids import ServerId


def bases_of(
    points: Iterable[RecoveryPointRecord],
    repository: RepositoryId,
    servers: Collection[ServerId],
) -> Mapping[ServerId, str]:
    """The manifests to go on from, by server; one that none holds has none. A copy that scrubbing found
    spoiled is none: a new one must not rest on it."""
    found: dict[ServerId, str] = {}
    for point in sorted(points, key=lambda each: (each.taken_at, each.id), reverse=True):
        if not point.whole or repository not in point.held_in():
            continue
        for each in point.servers:
            if each.server in servers:
                found.setdefault(each.server, each.point)
    return found
