"""Recovery points of systems as they are on record, and each copy of one in each repository.

    point:  Taking → Complete ⇄ Damaged → Expired,  Taking → Abandoned
    copy:   Copying → Held ⇄ Spoiled → Leaving → Gone,  Copying → Gone

A step that is missing here can't be written: mypy refuses the call. What the bytes are is the
repositories' to say; without its manifest there a point does not exist, whatever stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.model.backup.dumps import HookRun
from control_plane.model.backup.ids import BackupRunId, RecoveryPointId, RepositoryId, RestoreTestId
from control_plane.model.backup.policy import BackupPlace
from control_plane.model.backup.retention import HeldPoint
from control_plane.model.ids import Generation, RegionId, ServerId, SystemId
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class Proof:
    """It was restored, started in isolation and found well."""

    test: RestoreTestId
    at: datetime


@dataclass(frozen=True, slots=True)
class Taking:
    since: datetime

    def complete(self, at: datetime) -> Complete:
        return Complete(at)

    def abandon(self, at: datetime, why: str) -> Abandoned:
        return Abandoned(at, why)


@dataclass(frozen=True, slots=True)
class Complete:
    """`proof` is the newest."""

    since: datetime
    proof: Proof | None = None

    def proved(self, proof: Proof) -> Complete:
        return Complete(self.since, proof)

    def damaged(self, at: datetime, what: str) -> Damaged:
        """No copy of it is whole any more, or it could not be restored."""
        return Damaged(at, what, self)

    def expire(self, at: datetime) -> Expired:
        return Expired(at)


@dataclass(frozen=True, slots=True)
class Damaged:
    """`before` is what it was; it is that again once a copy is whole."""

    since: datetime
    what: str
    before: Complete

    def healed(self) -> Complete:
        return self.before

    def expire(self, at: datetime) -> Expired:
        return Expired(at)


@dataclass(frozen=True, slots=True)
class Abandoned:
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Expired:
    """The last copy is on its way out, or gone."""

    since: datetime


PointStanding = Taking | Complete | Damaged | Abandoned | Expired


@dataclass(frozen=True, slots=True)
class Copying:
    """`done` of about `total` bytes have been sent."""

    since: datetime
    done: int = 0
    total: int = 0

    def arrived(self, at: datetime, stored_bytes: int) -> Held:
        """Verified, and its manifest written."""
        return Held(at, stored_bytes)

    def given_up(self, at: datetime) -> Gone:
        return Gone(at)


@dataclass(frozen=True, slots=True)
class Held:
    """`stored_bytes` is what it added to the repository."""

    since: datetime
    stored_bytes: int

    def spoil(self, at: datetime, what: str) -> Spoiled:
        return Spoiled(at, what, self)

    def let_go(self, at: datetime) -> Leaving:
        return Leaving(at)


@dataclass(frozen=True, slots=True)
class Spoiled:
    since: datetime
    what: str
    before: Held

    def heal(self) -> Held:
        return self.before

    def let_go(self, at: datetime) -> Leaving:
        return Leaving(at)


@dataclass(frozen=True, slots=True)
class Leaving:
    """It is to be removed; a lock may hold it for some days."""

    since: datetime

    def gone(self, at: datetime) -> Gone:
        return Gone(at)


@dataclass(frozen=True, slots=True)
class Gone:
    since: datetime


CopyStanding = Copying | Held | Spoiled | Leaving | Gone


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """`name` is `root` or a volume's id. `why`: why all of it was read although only what changed was
    asked for."""

    name: str
    bytes: int
    read_bytes: int
    changed_bytes: int
    how: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class ServerPoint:
    """One server's part: `point` is the id of its manifest. `consistency` is quiesced, stopped or crash.
    `hooks` are those that were run in its guest for it, in their order. With `container_group` it is one of
    those: `server` is its id, its disks are its volumes, of which `changed_files` were written while they
    were read."""

    server: ServerId
    name: str
    point: str
    consistency: str
    disks: tuple[DiskFacts, ...]
    hooks: tuple[HookRun, ...] = ()
    container_group: bool = False
    changed_files: int = 0

    @property
    def lacks_dump(self) -> bool:
        return any(hook.before and not hook.well for hook in self.hooks)


@dataclass(frozen=True, slots=True)
class PointCopy:
    repository: RepositoryId
    standing: CopyStanding

    @property
    def whole(self) -> bool:
        return isinstance(self.standing, Held)


@dataclass(frozen=True, slots=True)
class RecoveryPointRecord:
    """All servers of a system at one time. It outlives the system, whose name it therefore knows.
    `stored_bytes` is what it added where it was written first."""

    id: RecoveryPointId
    tenant: MunicipalityCode
    system: SystemId
    system_name: str
    region: RegionId
    run: BackupRunId
    taken_at: datetime
    standing: PointStanding
    servers: tuple[ServerPoint, ...] = ()
    copies: tuple[PointCopy, ...] = ()
    keep_until: datetime | None = None
    stored_bytes: int = 0
    generation: Generation = Generation(1)

    @property
    def whole(self) -> bool:
        return isinstance(self.standing, Complete)

    @property
    def proven_at(self) -> datetime | None:
        match self.standing:
            case Complete(proof=Proof(at=at)):
                return at
            case _:
                return None

    @property
    def bytes(self) -> int:
        """The disks' sizes together."""
        return sum(disk.bytes for server in self.servers for disk in server.disks)

    def copy_in(self, repository: RepositoryId) -> PointCopy | None:
        return next((each for each in self.copies if each.repository == repository), None)

    def held_in(self) -> tuple[RepositoryId, ...]:
        """Where it lies whole."""
        return tuple(each.repository for each in self.copies if each.whole)

    def as_held(self, places: Mapping[RepositoryId, BackupPlace]) -> HeldPoint:
        """For retention; `places` says what each repository is to its system."""
        return HeldPoint(
            self.id,
            self.taken_at,
            whole=self.whole,
            under_way=isinstance(self.standing, Taking),
            proven_at=self.proven_at,
            keep_until=self.keep_until,
            places=frozenset(places[each] for each in self.held_in() if each in places),
        )


@dataclass(frozen=True, slots=True)
class BackupStanding:
    """Of one system: when its newest whole point was taken, the newest that lies whole in each repository,
    the newest apart from its source, and when a restore was proven last. `under_way` is when the point was
    taken that is being written just now."""

    newest: datetime | None
    newest_away: datetime | None
    proven_at: datetime | None
    by_repository: Mapping[RepositoryId, datetime] = field(default_factory=dict)
    under_way: datetime | None = None


def standing_of(
    points: Iterable[RecoveryPointRecord], apart: frozenset[RepositoryId]
) -> BackupStanding:
    """`apart` are the repositories that stand apart from the source."""
    newest: datetime | None = None
    away: datetime | None = None
    proven: datetime | None = None
    under_way: datetime | None = None
    by: dict[RepositoryId, datetime] = {}
    for point in points:
        if isinstance(point.standing, Taking):
            under_way = _later(under_way, point.taken_at)
        if not point.whole:
            continue
        newest = _later(newest, point.taken_at)
        if point.proven_at is not None:
            proven = _later(proven, point.proven_at)
        for repository in point.held_in():
            by[repository] = _later(by.get(repository), point.taken_at)
            if repository in apart:
                away = _later(away, point.taken_at)
    return BackupStanding(newest, away, proven, by, under_way)


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None or other > one else one
