"""One restore, from its begin to the record: what is submitted to the World's lane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from backup.keeper.lines import FIRST_OF_ALL, LAST_OF_ALL, Lines
from backup.keeper.timings import Timings
from backup.keeper.vaults import Vaults
from backup.keeper.writing import written
from backup.records.damage import found_damage
from backup.records.restores import begin_restore
from backup.repository import Damaged
from backup.restore.anew import Anew
from backup.restore.asking import PROVER
from backup.restore.at_once import AtOnce
from backup.restore.disks import Disks
from backup.restore.files import ToFiles, folder_of
from backup.restore.group_volumes import GroupVolumes
from backup.restore.in_place import InPlace
from backup.restore.progress import Progress
from backup.restore.reading import PointSource, holders
from backup.restore.selection import chosen
from control_plane.drivers.world import World
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import RestoreJob, RestoreTo
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.store import Lease, Snapshot, Store, Transaction


@dataclass(slots=True)
class Restore:
    """`begun` is the job on record once this worker has begun it."""

    store: Store
    world: World
    vaults: Vaults
    timings: Timings
    lease: Lease
    worker: str
    job: RestoreJob
    lines: Lines
    exports: Path | None
    begun: RestoreJob | None = None
    _streams: Iterator[int] = field(default_factory=count)
    """What goes over one line at a time has a name of its own."""
    _at_once: AtOnce | None = None

    @property
    def only_copies(self) -> bool:
        """Its servers have been started, and their disks come while they work."""
        return self._at_once is not None and self._at_once.started

    def carry_out(self) -> None:
        """Raises NotWanted, StepRefused, DriverError, ObjectStoreError, YuiError, OSError, LeaseLost."""
        begun = self.begun = self._begin()
        with self.store.read() as tx:
            point = tx.recovery_point(begun.point)
            region = _region(tx, begun, point)
            repositories = holders(tx, point, region)
        progress = Progress(self.store, self.world.clock, self.timings, self.lease, begun)
        source = PointSource(
            self.vaults,
            repositories,
            point.tenant,
            lambda r, e: self._note_damage(point, r, e),
            over=lambda repository: self._over(repository, region or point.region, progress),
        )
        disks = Disks(self.store, self.world)
        if begun.target.to is RestoreTo.FILE:
            folder_of(self.exports, begun)
        with source, ExitStack() as served:
            selected = chosen(source, point, begun.target)
            at_once = None
            if begun.target.at_once:
                at_once = self._at_once = AtOnce(disks, source, progress, point, served)
            match begun.target.to:
                case RestoreTo.IN_PLACE:
                    groups = [each for each in selected if each.part.container_group]
                    servers = [each for each in selected if not each.part.container_group]
                    in_place = InPlace(disks, source, progress, point, servers, at_once)
                    if not in_place.started:
                        # What is in groups' volumes goes first, so all else has to be ready for it.
                        in_place.insist()
                        GroupVolumes(self.store, self.world, source, progress, groups).carry_out()
                    in_place.carry_out()
                case RestoreTo.NEW | RestoreTo.REGION:
                    Anew(
                        disks, source, progress, point, selected, region, at_once=at_once
                    ).carry_out()
                case RestoreTo.FILE:
                    ToFiles(disks, source, progress, point, selected, self.exports).carry_out()
                case RestoreTo.ISOLATED:
                    Anew(
                        disks,
                        source,
                        progress,
                        point,
                        selected,
                        region,
                        isolated=True,
                        at_once=at_once,
                    ).carry_out()

    def _begin(self) -> RestoreJob:
        begun: list[RestoreJob] = []

        def write(tx: Transaction) -> None:
            begun.append(begin_restore(tx, self.job.id, self.world.clock.now(), self.worker))

        written(self.store, self.lease, write)
        return begun[-1]

    def _over(
        self, repository: Repository, to: RegionId, progress: Progress
    ) -> Callable[[int], None]:
        """What is read goes over the line between the regions, and keeps to its budget."""
        tier = LAST_OF_ALL if self.job.asked_by == PROVER else FIRST_OF_ALL
        ends = (repository.region, to)

        def ask(read: int) -> None:
            name = f"{self.job.id}/{repository.id}/{next(self._streams)}"
            with self.lines.stream(name, ends, member=self.job.tenant.text, tier=tier) as stream:
                stream.ask(read, progress.still_wanted)

        return ask

    def _note_damage(
        self, point: RecoveryPointRecord, repository: Repository, error: Damaged
    ) -> None:
        def write(tx: Transaction) -> None:
            found_damage(
                tx,
                repository.id,
                point.tenant,
                self.world.clock.now(),
                key=error.object,
                what=error.what,
                points=[point.id],
            )

        written(self.store, self.lease, write)


def _region(tx: Snapshot, job: RestoreJob, point: RecoveryPointRecord) -> RegionId:
    """Where what is restored comes to stand: the system's own region, if nothing else was said."""
    if job.target.region is not None:
        if job.target.region != point.region:
            _insist_on_rule(tx, job, job.target.region)
        return job.target.region
    system = next((s for s in tx.systems(job.tenant) if s.id == job.system), None)
    return point.region if system is None else system.region


def _insist_on_rule(tx: Snapshot, job: RestoreJob, id: RegionId) -> None:
    """Raises `place-forbidden` where the member's data must not come to stand there. Which members a region
    serves says nothing of where it stands, so that the rule must name the region itself."""
    rule = tx.location_rule(job.tenant)
    if rule is None or id in rule.regions:
        return
    raise YuiError(
        "place-forbidden",
        en=f"The data-location rule of {rule.tenant} ({rule.basis}) keeps its data out of region '{id}': restore elsewhere, or record the region in the rule.",
        ja=f"参加団体 {rule.tenant} のデータ所在地の定め({rule.basis})では、リージョン「{id}」にデータを置けません。別の場所に復元するか、定めにこのリージョンを記録してください。",
        status=409,
        fields={"region": id},
    )
