"""What the worker is to do now: points to take, copies to make, what may go, and what waits at somebody's
word. Reading this changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from backup.records.estate import Blueprints, Estate, SystemBackup
from control_plane.model.backup.declaration import pinned
from control_plane.model.backup.ids import RecoveryPointId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Gone, Held, Leaving, PointCopy, RecoveryPointRecord
from control_plane.model.backup.policy import BackupPlace
from control_plane.model.backup.retention import HeldPoint, Retention, WhyKept, kept
from control_plane.model.backup.schedule import due
from control_plane.model.backup.work import (
    Agreed,
    BackupRun,
    KeyTask,
    Requested,
    RestoreJob,
    Waiting,
)
from control_plane.model.ids import SystemId
from control_plane.store import Snapshot

GONE_KEPT = timedelta(days=90)
"""How long the points of a system that is no more stay, after the last of them was taken."""

TEST_AGAIN = timedelta(days=1)
"""A restore that could not be proven is tried again after this."""


@dataclass(frozen=True, slots=True)
class WantedRun:
    """One point of a system is to be taken and written to `home`. `run` is what was asked for already, by
    a person or by an attempt that failed; None: the schedule asks. Earlier tiers come first."""

    backup: SystemBackup
    home: Repository
    copies: tuple[int, ...]
    since: datetime
    run: BackupRun | None = None


@dataclass(frozen=True, slots=True)
class WantedCopy:
    """A point is to lie at `target` too, for `place`. `sources` hold it whole; those of the target's region
    come first. `most_mbit_per_s` is the policy's."""

    point: RecoveryPointRecord
    place: BackupPlace
    target: Repository
    sources: tuple[Repository, ...]
    tier: int
    most_mbit_per_s: int | None


@dataclass(frozen=True, slots=True)
class Expiry:
    """A point is to go from these repositories; `last`: then it is nowhere any more."""

    point: RecoveryPointRecord
    repositories: tuple[RepositoryId, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class WantedTest:
    """The newest point of a system is to be restored in isolation, from `repository`."""

    backup: SystemBackup
    point: RecoveryPointRecord
    repository: Repository


def next_runs(tx: Snapshot, blueprints: Blueprints, now: datetime) -> tuple[WantedRun, ...]:
    """Systems that can't be backed up, as there is no repository, are left out: their status says so."""
    estate = Estate.read(tx, blueprints)
    open_runs = {run.system: run for run in tx.backup_runs(open_only=True)}
    newest = tx.newest_points(now)
    found: list[WantedRun] = []
    for id, backup in estate.systems.items():
        home = backup.home
        if home is None or backup.system.deleting:
            continue
        if not backup.servers and not backup.groups:
            continue
        if backup.servers and all(server.isolated for server in backup.servers):
            continue  # Only to look at a point of another one, or to prove it.
        known = [newest[id]] if id in newest else []
        scheduled = due(backup.policy, known, now, backup.service_hours)
        copies = () if scheduled is None else scheduled.copies
        run = open_runs.get(id)
        match run:
            case None if scheduled is not None:
                found.append(WantedRun(backup, home, copies, scheduled.since))
            case BackupRun(standing=Requested(since=since)) if since <= now:
                both = tuple(sorted({*run.copies, *copies} & set(range(len(backup.policy.copies)))))
                found.append(WantedRun(backup, home, both, run.asked_at, run))
            case _:
                pass
    return tuple(sorted(found, key=lambda w: (w.backup.system.tier, w.since, w.backup.system.id)))


def copies_due(
    tx: Snapshot,
    blueprints: Blueprints,
    now: datetime,
    systems: Collection[SystemId] | None = None,
) -> tuple[WantedCopy, ...]:
    """Earlier tiers first, then the newest points: it is they that an objective waits for. A copy that is
    on its way is among them, so that whoever lost sight of it finds it again. What a member fetches itself
    is not."""
    found: list[WantedCopy] = []
    estate = Estate.read(tx, blueprints, systems=systems)
    for backup, points, retention in _reviewed(tx, estate, now, systems):
        for point in points:
            for place in retention.wanted.get(point.id, ()):
                target = backup.assigned.get(place)
                if target is None or place is BackupPlace.MEMBER or _busy(point, target):
                    continue
                sources = _sources(point, target, estate.repositories)
                if sources:
                    found.append(
                        WantedCopy(
                            point,
                            place,
                            target,
                            sources,
                            backup.system.tier,
                            backup.policy.most_mbit_per_s,
                        )
                    )
    return tuple(
        sorted(found, key=lambda w: (w.tier, -w.point.taken_at.timestamp(), w.point.id, w.place))
    )


def points_to_expire(
    tx: Snapshot,
    blueprints: Blueprints,
    now: datetime,
    systems: Collection[SystemId] | None = None,
) -> tuple[Expiry, ...]:
    """What no rule, declaration or wish keeps, and no restore reads. Where a member's data must not lie any
    more it goes as well, once it lies whole where it may."""
    found: list[Expiry] = []
    estate = Estate.read(tx, blueprints, systems=systems)
    for backup, points, retention in _reviewed(tx, estate, now, systems):
        for point in points:
            goes = _goes(estate, backup, point, retention)
            if goes:
                stays = {each.repository for each in point.copies if _there(each)} - goes
                found.append(Expiry(point, tuple(sorted(goes)), last=not stays))
    if systems is None:
        found.extend(_of_systems_gone(tx, estate, now))
    needed = {job.point for job in tx.restores(open_only=True)}
    return tuple(expiry for expiry in found if expiry.point.id not in needed)


def restores_waiting(tx: Snapshot, now: datetime) -> tuple[RestoreJob, ...]:
    """The oldest first."""
    return tuple(
        job
        for job in tx.restores(open_only=True)
        if isinstance(job.standing, Waiting) and job.standing.since <= now
    )


def key_tasks_waiting(tx: Snapshot) -> tuple[KeyTask, ...]:
    """Those that nobody need agree to any more, the oldest first."""
    return tuple(task for task in tx.key_tasks(open_only=True) if isinstance(task.standing, Agreed))


def tests_due(tx: Snapshot, blueprints: Blueprints, now: datetime) -> tuple[WantedTest, ...]:
    """Well before a proof becomes too old: when four fifths of its time have passed. Those without any
    come first, then earlier tiers."""
    estate = Estate.read(tx, blueprints)
    tested = tx.newest_restore_tests()
    found: list[tuple[tuple[bool, int, datetime, str], WantedTest]] = []
    for id, points in _by_system(tx.recovery_points(live=True)).items():
        backup = estate.systems.get(id)
        whole = [p for p in points if p.whole and p.taken_at <= now]
        if backup is None or backup.policy.test_every_days is None or not whole:
            continue
        proven = max((p.proven_at for p in whole if p.proven_at is not None), default=None)
        within = timedelta(days=backup.policy.test_every_days) * 0.8
        last = tested.get(id)
        if proven is not None and now - proven < within:
            continue
        if last is not None and now - last.ended_at < TEST_AGAIN:
            continue
        newest = max(whole, key=lambda p: (p.taken_at, p.id))
        held = [estate.repositories[r] for r in newest.held_in() if r in estate.repositories]
        if not held or all(each.container_group for each in newest.servers):
            continue
        near = min(held, key=lambda r: (r.region != backup.system.region, r.id))
        order = (proven is not None, backup.system.tier, proven or backup.since, id)
        found.append((order, WantedTest(backup, newest, near)))
    return tuple(test for _, test in sorted(found, key=lambda each: each[0]))


def reviewed(
    backup: SystemBackup,
    points: Iterable[RecoveryPointRecord],
    pins: frozenset[RecoveryPointId],
    now: datetime,
) -> Retention:
    """What stays of one system's points, and what is wanted where."""
    return kept(backup.policy, _held(points, backup), pins, now)


def pins_of(
    estate: Estate, backup: SystemBackup, points: Iterable[RecoveryPointRecord]
) -> frozenset[RecoveryPointId]:
    system = backup.system
    return pinned(estate.disasters, system.tenant, system.region, _held(points, backup))


def _reviewed(
    tx: Snapshot, estate: Estate, now: datetime, systems: Collection[SystemId] | None
) -> Iterable[tuple[SystemBackup, list[RecoveryPointRecord], Retention]]:
    for id, points in _by_system(tx.recovery_points(systems=systems, live=True)).items():
        backup = estate.systems.get(id)
        if backup is not None:
            pins = pins_of(estate, backup, points)
            yield backup, points, reviewed(backup, points, pins, now)


def _held(points: Iterable[RecoveryPointRecord], backup: SystemBackup) -> list[HeldPoint]:
    return [point.as_held(backup.places) for point in points]


def _by_system(
    points: Iterable[RecoveryPointRecord],
) -> Mapping[SystemId, list[RecoveryPointRecord]]:
    found: defaultdict[SystemId, list[RecoveryPointRecord]] = defaultdict(list)
    for point in points:
        found[point.system].append(point)
    return found


def _sources(
    point: RecoveryPointRecord, target: Repository, repositories: Mapping[RepositoryId, Repository]
) -> tuple[Repository, ...]:
    """Where it can be read from, whether or not anything new goes there."""
    held = [repositories[each] for each in point.held_in() if each in repositories]
    return tuple(sorted(held, key=lambda each: (each.region != target.region, each.id)))


def _goes(
    estate: Estate, backup: SystemBackup, point: RecoveryPointRecord, retention: Retention
) -> set[RepositoryId]:
    """From which repositories. A copy that never arrived, or is spoiled, goes with the rest."""
    if any(each.why is WhyKept.UNDER_WAY for each in retention.kept.get(point.id, ())):
        return set()
    here = [each.repository for each in point.copies if _there(each)]
    lawful = {
        each
        for each in point.held_in()
        if each in estate.repositories
        and (backup.rule is None or backup.rule.allows(estate.repositories[each]))
    }
    goes: set[RepositoryId] = set()
    for id in here:
        place = backup.places.get(id)
        if place is None:
            continue  # What it is to the system can't be known, so it stays.
        unlawful = bool(lawful) and id not in lawful and id in point.held_in()
        if unlawful or not retention.stays(point.id, place):
            goes.add(id)
    return goes


def _busy(point: RecoveryPointRecord, target: Repository) -> bool:
    """It lies there whole, or is on its way out, which has to end first."""
    copy = point.copy_in(target.id)
    return copy is not None and isinstance(copy.standing, Held | Leaving)


def _there(copy: PointCopy) -> bool:
    return not isinstance(copy.standing, Gone | Leaving)


def _of_systems_gone(tx: Snapshot, estate: Estate, now: datetime) -> Iterable[Expiry]:
    for id, points in _by_system(tx.recovery_points(live=True)).items():
        if id in estate.systems:
            continue
        newest = max(point.taken_at for point in points)
        if now - newest < GONE_KEPT:
            continue
        first = points[0]
        held = [point.as_held({}) for point in points]
        pins = pinned(estate.disasters, first.tenant, first.region, held)
        for point in points:
            if point.id not in pins and (point.keep_until is None or point.keep_until <= now):
                here = tuple(each.repository for each in point.copies if _there(each))
                yield Expiry(point, here, last=True)
