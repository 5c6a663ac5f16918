"""Puts a point's disks in the place of those that the system's own stopped servers have.

All are filled beside the old ones first; then one transaction puts every new build on record and ends the
restore. Until then the old disks are what the servers start from, and nothing has been lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from backup.keeper.trouble import NotWanted
from backup.records.restores import finish_restore
from backup.restore import telling
from backup.restore.at_once import AtOnce
from backup.restore.disks import Disks, Target, target
from backup.restore.progress import Progress
from backup.restore.reading import PointSource
from backup.restore.selection import Chosen
from backup.restore.side_by_side import side_by_side
from control_plane.admission.standing import refuse_while_copied
from control_plane.drivers.backup_source import ROOT_DISK
from control_plane.model.backing import Backing
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import Trouble
from control_plane.model.errors import YuiError
from control_plane.model.ids import ServerId, VolumeId
from control_plane.model.volume import Attached, Volume
from control_plane.model.workload import Moving, Power, Seen, Server
from control_plane.store import Snapshot, Transaction


@dataclass(slots=True)
class InPlace:
    disks: Disks
    source: PointSource
    progress: Progress
    point: RecoveryPointRecord
    chosen: Sequence[Chosen]
    at_once: AtOnce | None = None
    """Given: the servers start before their disks are copied."""
    _filled: list[tuple[Target, int]] = field(default_factory=list)
    _backings: dict[int, Backing] = field(default_factory=dict)
    """By the place in what was filled."""

    @property
    def started(self) -> bool:
        """Whether its servers have been started already, and only copying is left."""
        return self.at_once is not None and self.at_once.started

    def insist(self) -> None:
        """Raises NotWanted, YuiError where disks can't be replaced as things are."""
        self._wanted()

    def carry_out(self) -> None:
        if self.at_once is not None and self.at_once.started:
            self.at_once.serve_again(self.chosen, lambda one: one.part.server, VolumeId)
            self._copy(self.at_once)
            return
        wanted = self._wanted()
        self.progress.total = sum(one.point.disk(name).size for one, name, _ in wanted)
        if self.at_once is None:
            fills = [partial(self._fill, one, name, disk) for one, name, disk in wanted]
            builds = side_by_side(self.disks.world, self.progress, fills)
            self._filled = [
                (disk, build) for (_, _, disk), build in zip(wanted, builds, strict=True)
            ]
        else:
            for place, (one, name, disk) in enumerate(wanted):
                backing = self._backings[place] = self.at_once.lean(one, name, disk)
                self._filled.append((disk, backing.build))
                self.progress.behind(one.point.disk(name).size)
        self.progress.write(self._switch)
        for disk, build in self._filled:
            self.disks.sweep(disk, self.progress.attempt, build)
        if self.at_once is not None:
            self._copy(self.at_once)

    def _wanted(self) -> list[tuple[Chosen, str, Target]]:
        with self.disks.store.read() as tx:
            return [
                (one, name, self._target(tx, one, name))
                for one in self.chosen
                for name in one.disks
            ]

    def _fill(self, one: Chosen, name: str, disk: Target) -> int:
        size = one.point.disk(name).size
        build = self.disks.fill(
            disk,
            self.progress.attempt,
            lambda: self.progress.along(self.source.content(one.point, name), size),
        )
        self.progress.behind(size)
        return build

    def _copy(self, at_once: AtOnce) -> None:
        at_once.copy([one.part.server for one in self.chosen])
        self.progress.write(self._end)

    def _end(self, tx: Transaction) -> None:
        now, job = self.disks.world.clock.now(), self.progress.begun
        finish_restore(tx, job.id, now)
        tx.add_event(telling.restored(job, self.point, self.source.used, now, job.system))

    def _target(self, tx: Snapshot, one: Chosen, name: str) -> Target:
        server = _stopped(tx, one.part.server, self.point)
        refuse_while_copied(tx, server)
        volume = None if name == ROOT_DISK else _attached(tx, server, VolumeId(name))
        found = target(tx, server, volume)
        if found.size * 2**30 < one.point.disk(name).size:
            raise YuiError(
                "restore-disk-smaller",
                en=f"Disk {name} of server {server.name} is smaller now than it was: restore it to a new system.",
                ja=f"サーバー {server.name} のディスク {name} は当時より小さいため、元の場所には復元できません。新しいシステムとして復元してください。",
                status=409,
            )
        return found

    def _switch(self, tx: Transaction) -> None:
        """Raises NotWanted where somebody has started, moved or rebuilt a server meanwhile, and YuiError where its
        disks are at something else."""
        for id in {disk.server.id for disk, _ in self._filled}:
            refuse_while_copied(tx, tx.server(id, self.point.tenant))
        roots: Mapping[ServerId, tuple[int, Backing | None]] = {
            disk.server.id: (build, self._backings.get(place))
            for place, (disk, build) in enumerate(self._filled)
            if disk.volume is None
        }
        for place, (disk, build) in enumerate(self._filled):
            if disk.volume is not None:
                volume = _attached(tx, disk.server, disk.volume.id)
                if volume.build != disk.volume.build:
                    raise _in_the_way(disk.server)
                leans = self._backings.get(place)
                # It may have been asked to grow since the new build was begun.
                growing = volume.growing or volume.size != disk.volume.size
                tx.save_volume(replace(volume, build=build, backing=leans, growing=growing))
        job = self.progress.begun
        for before in {disk.server.id: disk.server for disk, _ in self._filled}.values():
            server = _stopped(tx, before.id, self.point)
            if (server.disk_build, server.placement) != (before.disk_build, before.placement):
                raise _in_the_way(server)
            root, backing = roots.get(server.id, (server.disk_build, server.backing))
            starts = job.target.start and server.power is Power.STOPPED
            tx.save_server(
                replace(
                    server,
                    disk_build=root,
                    backing=backing,
                    power=Power.RUNNING if starts else server.power,
                )
            )
        if self.at_once is None:
            self._end(tx)
        else:
            self.at_once.start(tx, job.system)


def _stopped(tx: Snapshot, id: ServerId, point: RecoveryPointRecord) -> Server:
    server = tx.server(id, point.tenant)
    at_rest = server.power is not Power.RUNNING and server.seen in (Seen.STOPPED, Seen.NOWHERE)
    if not at_rest or server.deleting or isinstance(server.placement, Moving):
        raise _in_the_way(server)
    return server


def _attached(tx: Snapshot, server: Server, id: VolumeId) -> Volume:
    found = next((v for v in tx.volumes(server=server.id) if v.id == id), None)
    held = found is not None and isinstance(found.attachment, Attached)
    if found is None or found.deleting or not found.made or not held:
        raise YuiError(
            "restore-volume-gone",
            en=f"Server {server.name} has no volume {id} any more: restore its other disks by name, or all to a new system.",
            ja=f"サーバー {server.name} にはもうボリューム {id} がありません。ほかのディスクを指定して復元するか、新しいシステムとして復元してください。",
            status=409,
            fields={"server": server.id, "volume": id},
        )
    return found


def _in_the_way(server: Server) -> NotWanted:
    return NotWanted(
        Trouble(
            f"Server {server.name} is not stopped any more, or was moved or rebuilt meanwhile, so its disks stay what they are: stop it, and ask again.",
            f"サーバー {server.name} が停止中でないか、その間に移動・再構築されたため、ディスクは元のままです。停止してから、もう一度依頼してください。",
        )
    )
