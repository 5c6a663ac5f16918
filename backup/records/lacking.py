"""How much of each system still has to be copied to a repository, as far as records tell, and the queue that
those copies stand in.

What a point added is on record, and not what of it an earlier one had: where points that added something
are not to be copied themselves, what they added may be needed or not, and the figure is the most that it
can be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from backup.records.agenda import WantedCopy
from backup.records.estate import SystemBackup
from control_plane.model.backup.forecast import Lacking, Queued
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Abandoned, Copying, RecoveryPointRecord, Taking
from control_plane.model.backup.sharing import Link, Stream, link_between
from control_plane.model.ids import RegionId, SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot

_HARDLY_ANYTHING = 20
"""A copy of which less than this part has been sent is still the first."""


def lacking(
    ever: Sequence[RecoveryPointRecord],
    wanted: Sequence[RecoveryPointRecord],
    repository: RepositoryId,
) -> Lacking:
    """`ever` are all points of one system that were taken, also those that went; `wanted` those of them
    that are still to be copied there."""
    held = [each.taken_at for each in ever if repository in each.held_in()]
    if not wanted:
        return Lacking(0, first=not held)
    ids = {each.id for each in wanted}
    oldest = min(wanted, key=lambda each: (each.taken_at, each.id))
    newest = max(each.taken_at for each in wanted)
    base = max((at for at in held if at < oldest.taken_at), default=None)
    counted = [
        each
        for each in ever
        if not isinstance(each.standing, Abandoned | Taking)
        and each.taken_at <= newest
        and (base is None or each.taken_at > base)
        and (each.id in ids or repository not in each.held_in())
    ]
    before = sum(each.stored_bytes for each in counted if each.taken_at <= oldest.taken_at)
    after = sum(each.stored_bytes for each in counted if each.taken_at > oldest.taken_at)
    sent = sum(_sent(each, repository) for each in wanted)
    total = min(before, max(oldest.bytes, oldest.stored_bytes)) + after
    others = any(each.stored_bytes for each in counted if each.id not in ids)
    at_most = others or any(at > oldest.taken_at for at in held)
    first = not held and sent * _HARDLY_ANYTHING < max(1, total)
    return Lacking(max(0, total - sent), at_most, first)


def lacking_of(
    tx: Snapshot, backup: SystemBackup, due: Iterable[WantedCopy], target: Repository
) -> Lacking | None:
    """`due` are all copies that are. Where it is not to be copied there, as if it were from now on; without
    a point, as if its disks were full. None: not even how large those are is on record."""
    system = backup.system.id
    ever = tx.recovery_points(system=system)
    whole = [each for each in ever if each.whole]
    if not whole:
        if backup.groups:
            return None
        disks = sum(server.disk for server in backup.servers)
        volumes = sum(
            volume.size for server in backup.servers for volume in tx.volumes(server=server.id)
        )
        return Lacking((disks + volumes) * 2**30, at_most=True)
    if target.id in {each.id for each in backup.assigned.values()}:
        wanted = _of(due, system, target.id)
    else:
        wanted = [each for each in whole if target.id not in each.held_in()]
    return lacking(ever, wanted, target.id)


def queue(tx: Snapshot, due: Sequence[WantedCopy], links: Sequence[Link]) -> tuple[Queued, ...]:
    """What each system still has to send to each repository."""
    systems = {each.point.system for each in due}
    ever: defaultdict[SystemId, list[RecoveryPointRecord]] = defaultdict(list)
    for point in tx.recovery_points(systems=systems):
        ever[point.system].append(point)
    found: dict[tuple[SystemId, RepositoryId], Queued] = {}
    for each in due:
        system, target = each.point.system, each.target
        if (system, target.id) not in found:
            left = lacking(ever[system], _of(due, system, target.id), target.id)
            found[system, target.id] = queued(
                left,
                target,
                links,
                system=system,
                member=each.point.tenant,
                tier=each.tier,
                most_mbit_per_s=each.most_mbit_per_s,
                source=each.sources[0].region,
            )
    return tuple(found.values())


def queued(
    left: Lacking,
    target: Repository,
    links: Iterable[Link],
    *,
    system: SystemId,
    member: MunicipalityCode,
    tier: int,
    most_mbit_per_s: int | None,
    source: RegionId | None,
) -> Queued:
    """`source` is the region that it is read in."""
    most = None if most_mbit_per_s is None else most_mbit_per_s * 10**6 // 8
    return Queued(
        Stream(f"{target.id}/{system}", member.text, tier, left.bytes, most),
        f"{target.id}/{member}",
        link_between(links, source, target.region),
        left.at_most,
    )


def _of(
    due: Iterable[WantedCopy], system: SystemId, target: RepositoryId
) -> list[RecoveryPointRecord]:
    return list(
        {
            each.point.id: each.point
            for each in due
            if each.point.system == system and each.target.id == target
        }.values()
    )


def _sent(point: RecoveryPointRecord, repository: RepositoryId) -> int:
    copy = point.copy_in(repository)
    return copy.standing.done if copy is not None and isinstance(copy.standing, Copying) else 0
