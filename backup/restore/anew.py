"""Makes a system again beside whatever is left of it, in its own region or in another one.

Its servers are admitted as any others are, with quota, place and promise, and stay stopped. Then disk after
disk is filled as the first build and put on record; one that is on record is whole, so that whoever takes
over goes on at the next one. At last all are started, in the order that they always start in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from backup.keeper.trouble import NotWanted
from backup.records.restores import finish_restore, made_by_restore
from backup.restore import telling
from backup.restore.asking import PROVER
from backup.restore.at_once import AtOnce
from backup.restore.disks import Disks, Target, target
from backup.restore.progress import Progress
from backup.restore.reading import PointSource
from backup.restore.selection import Chosen
from backup.restore.side_by_side import AT_ONCE, side_by_side
from control_plane.admission import NewServer, admit
from control_plane.admission.disk import take_disk
from control_plane.drivers.backup_source import ROOT_DISK
from control_plane.model.backing import Backing
from control_plane.model.backup.ids import RestoreId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import RestoreJob, Trouble
from control_plane.model.blueprint import OWN, System
from control_plane.model.errors import YuiError
from control_plane.model.ids import (
    BlueprintId,
    FlavorId,
    GroupId,
    ImageId,
    RegionId,
    ServerId,
    SiteId,
    SystemId,
    VolumeId,
)
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB
from control_plane.model.volume import Attached, Volume
from control_plane.model.workload import Power, Seen, Server
from control_plane.store import Snapshot, Transaction

_GIB = 2**30


@dataclass(slots=True)
class Anew:
    """`region`: where the system is made. `isolated`: its servers are on no network."""

    disks: Disks
    source: PointSource
    progress: Progress
    point: RecoveryPointRecord
    chosen: Sequence[Chosen]
    region: RegionId
    isolated: bool = False
    at_once: AtOnce | None = None
    """Given: the servers start before their disks are copied."""

    def carry_out(self) -> None:
        for one in self.chosen:
            if not one.root:
                raise _without_root(one)
        self.progress.total = sum(one.bytes for one in self.chosen)
        if self.at_once is not None and self.at_once.started:
            self._go_on(self.at_once)
            return
        self._make()
        fills = [partial(self._fill, one, name) for one in self.chosen for name in one.disks]
        # What only leans on the point is made in a moment.
        most = AT_ONCE if self.at_once is None else 1
        side_by_side(self.disks.world, self.progress, fills, most)
        if self.at_once is None:
            self.progress.write(self._finish)
            return
        self.progress.write(self._start)
        self._copy(self.at_once)

    def _go_on(self, at_once: AtOnce) -> None:
        """With what another worker has started."""
        at_once.serve_again(
            self.chosen,
            lambda one: made_server_id(self._job, one),
            lambda name: made_volume_id(self._job, name),
        )
        self._copy(at_once)

    def _copy(self, at_once: AtOnce) -> None:
        at_once.copy([made_server_id(self._job, one) for one in self.chosen])
        self.progress.write(self._end)

    # The record

    @property
    def _job(self) -> RestoreJob:
        return self.progress.begun

    def _make(self) -> None:
        """Once: who comes later finds it made. Raises what admission raises."""
        system = made_system_id(self._job)
        at = self.disks.world.clock.now()
        with self.disks.store.read() as tx:
            if tx.restore(self._job.id).made is not None:
                return

        def prepare(tx: Transaction) -> Sequence[NewServer]:
            self.progress.insist(tx)
            tx.add_system(self._system(tx, system, at))
            names = _names(tx, self._job, self.chosen)
            return [self._server(tx, one, names[one.part.server]) for one in self.chosen]

        def finish(tx: Transaction, servers: Sequence[Server]) -> None:
            by_id = {server.id: server for server in servers}
            for one in self.chosen:
                server = by_id[made_server_id(self._job, one)]
                for order, name in enumerate(n for n in one.disks if n != ROOT_DISK):
                    volume = self._volume(tx, one, name, order, server)
                    take_disk(tx, self.region, volume.tenant, volume.storage, volume.size)
                    tx.add_volume(volume)
            made_by_restore(tx, self._job.id, system)

        admit(self.disks.store, self.region, prepare, finish)

    def _system(self, tx: Snapshot, id: SystemId, at: datetime) -> System:
        told = self.chosen[0].of("system")
        was = next((s for s in tx.systems(self._job.tenant) if s.id == self._job.system), None)
        zone = Zone(_text(told, "zone", Zone.LGWAN.value)) if was is None else was.zone
        return System(
            id=id,
            tenant=self._job.tenant,
            region=self.region,
            blueprint=BlueprintId(_text(told, "blueprint", OWN)) if was is None else was.blueprint,
            blueprint_version=_number(told, "blueprint_version", 0)
            if was is None
            else was.blueprint_version,
            tier=_number(told, "tier", 2) if was is None else was.tier,
            zone=zone,
            created_at=at,
            name=self._job.target.name or f"{self.point.system_name}-restored",
        )

    def _server(self, tx: Snapshot, one: Chosen, name: str) -> NewServer:
        told = one.of("server")
        system = made_system_id(self._job)
        group = told.get("group")
        same_region = one.of("system").get("region") == self.region
        flavor = _flavor(tx, one)
        return NewServer(
            id=made_server_id(self._job, one),
            system=system,
            name=name,
            role=_text(told, "role", one.part.name),
            flavor=flavor,
            image=_image(tx, one, self._job.tenant, tx.flavor(flavor).disk),
            start_order=_number(told, "start_order", 0),
            power=Power.STOPPED,
            group=GroupId(f"{system}-{group}") if isinstance(group, str) else None,
            traits=frozenset(_texts(told, "traits")),
            sites=frozenset(map(SiteId, _texts(told, "sites"))) if same_region else frozenset(),
            protected=told.get("protected") is True,
            user_data=_text(told, "user_data", ""),
            isolated=self.isolated,
        )

    def _volume(
        self, tx: Snapshot, one: Chosen, name: str, order: int, attached_to: Server
    ) -> Volume:
        called = _text(one.volume(name), "name", name)
        if tx.volumes_named(called, self._job.tenant):
            called = f"{called}-{_short(self._job.id, 4)}"
        return Volume(
            id=made_volume_id(self._job, name),
            tenant=self._job.tenant,
            region=self.region,
            name=called,
            size=GiB(-(-one.point.disk(name).size // _GIB)),
            storage=attached_to.storage,
            created_at=self.disks.world.clock.now(),
            attachment=Attached(attached_to.id, order),
            # Nobody else is to make an empty one in its place.
            made=True,
        )

    # The disks

    def _fill(self, one: Chosen, name: str) -> None:
        size = one.point.disk(name).size
        with self.disks.store.read() as tx:
            disk = self._target(tx, one, name)
        if disk.build == 0:
            backing = None
            if self.at_once is None:
                build = self.disks.fill(
                    disk,
                    self.progress.attempt,
                    lambda: self.progress.along(self.source.content(one.point, name), size),
                )
            else:
                backing = self.at_once.lean(one, name, disk)
                build = backing.build
            self.progress.write(lambda tx: self._put(tx, one, name, build, backing))
            self.disks.sweep(disk, self.progress.attempt, build)
        elif self.at_once is not None and disk.leans_on is not None:
            self.at_once.serve(one, name, disk.leans_on, 0)
        self.progress.behind(size)

    def _target(self, tx: Snapshot, one: Chosen, name: str) -> Target:
        server = self._still_stopped(tx, one)
        if name == ROOT_DISK:
            return target(tx, server, None)
        return target(tx, server, tx.volume(made_volume_id(self._job, name), self._job.tenant))

    def _put(
        self, tx: Transaction, one: Chosen, name: str, build: int, backing: Backing | None
    ) -> None:
        disk = self._target(tx, one, name)
        if disk.build != 0:
            raise _started(disk.server)
        if backing is not None and disk.volume is not None and not _held(disk.volume, disk.server):
            # Nobody would copy it.
            raise _taken_off(disk.volume, disk.server)
        if disk.volume is None:
            tx.save_server(replace(disk.server, disk_build=build, backing=backing))
        else:
            tx.save_volume(replace(disk.volume, build=build, backing=backing))

    def _still_stopped(self, tx: Snapshot, one: Chosen) -> Server:
        server = tx.server(made_server_id(self._job, one), self._job.tenant)
        if server.deleting or server.power is Power.RUNNING or server.seen is Seen.RUNNING:
            raise _started(server)
        return server

    def _start(self, tx: Transaction) -> None:
        self._let_start(tx)
        if self.at_once is not None:
            self.at_once.start(tx, made_system_id(self._job))

    def _finish(self, tx: Transaction) -> None:
        self._let_start(tx)
        self._end(tx)

    def _let_start(self, tx: Transaction) -> None:
        for one in self.chosen:
            server = self._still_stopped(tx, one)
            ran = one.of("server").get("power") != Power.STOPPED.value
            if self._job.target.start and ran:
                tx.save_server(replace(server, power=Power.RUNNING))

    def _end(self, tx: Transaction) -> None:
        now = self.disks.world.clock.now()
        job = finish_restore(tx, self._job.id, now)
        if job.asked_by != PROVER:
            made = made_system_id(job)
            tx.add_event(telling.restored(job, self.point, self.source.used, now, made))


def unmake(tx: Transaction, job: RestoreJob) -> None:
    """What a restore had made that is not to be finished goes, disks and all."""
    if job.made is None:
        return
    if not any(system.id == job.made for system in tx.systems(job.tenant)):
        return
    tx.begin_removing_system(job.made)
    for server in tx.servers(system=job.made):
        for volume in tx.volumes(server=server.id):
            tx.save_volume(replace(volume, deleting=True, protected=False, trouble=None))
        if not server.deleting:
            tx.save_server(replace(server, deleting=True))
    tx.remove_emptied_system(job.made)


# The same whoever carries it out


def made_system_id(job: RestoreJob) -> SystemId:
    return SystemId(f"{job.system[:48]}-{_short(job.id)}")


def made_server_id(job: RestoreJob, one: Chosen) -> ServerId:
    return ServerId(f"{one.part.name[:40]}-{_short(f'{job.id}/{one.part.server}')}")


def made_volume_id(job: RestoreJob, name: str) -> VolumeId:
    return VolumeId(f"vol-{_short(f'{job.id}/{name}', 12)}")


def _short(text: RestoreId | str, length: int = 8) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _names(tx: Snapshot, job: RestoreJob, chosen: Sequence[Chosen]) -> Mapping[ServerId, str]:
    """Their own, where nobody has them."""
    taken = tx.server_names_taken(job.tenant, [one.part.name for one in chosen])
    return {
        one.part.server: f"{one.part.name}-{_short(job.id, 4)}"
        if one.part.name in taken
        else one.part.name
        for one in chosen
    }


def _flavor(tx: Snapshot, one: Chosen) -> FlavorId:
    """What it had, or else the smallest that is no smaller. Raises `restore-no-flavor`."""
    told = one.of("server")
    disk = -(-one.point.disk(ROOT_DISK).size // _GIB)
    vcpu, memory = _number(told, "vcpu", 1), _number(told, "memory_mib", 1)
    fitting = [
        flavor
        for flavor in tx.flavors()
        if flavor.disk >= disk and flavor.size.vcpu >= vcpu and flavor.size.memory >= memory
    ]
    had = told.get("flavor")
    fitting.sort(key=lambda f: (f.id != had, f.size.vcpu, f.size.memory, f.disk, f.id))
    if not fitting:
        raise YuiError(
            "restore-no-flavor",
            en=f"No flavor is as large as server {one.part.name} was ({vcpu} vCPU, {memory} MiB of memory, {disk} GiB of disk): ask the operators for one.",
            ja=f"サーバー {one.part.name} の当時の大きさ(vCPU {vcpu}、メモリ {memory} MiB、ディスク {disk} GiB)以上のフレーバーがありません。運用担当者に追加を依頼してください。",
            status=409,
        )
    return fitting[0].id


def _image(tx: Snapshot, one: Chosen, tenant: MunicipalityCode, disk: GiB) -> ImageId:
    """What it was once made from; where that is no more, any that fits, since nothing is made from it.
    Raises `restore-no-image`."""
    had = one.of("server").get("image")
    images = [each for each in tx.images(tenant) if each.virtual_size <= disk]
    images.sort(key=lambda image: (image.id != had, image.virtual_size, image.id))
    if not images:
        raise YuiError(
            "restore-no-image",
            en=f"There is no image that server {one.part.name} could be said to be made from: register one.",
            ja=f"サーバー {one.part.name} に対応付けられるイメージがありません。イメージを登録してください。",
            status=409,
        )
    return images[0].id


def _without_root(one: Chosen) -> YuiError:
    return YuiError(
        "restore-without-root",
        en=f"A new system needs the root disk of server {one.part.name}: name it too, or restore the disk in place or to a file.",
        ja=f"新しいシステムにはサーバー {one.part.name} のルートディスクが必要です。ルートディスクも指定するか、元の場所またはファイルに復元してください。",
        fields={"server": one.part.server},
    )


def _started(server: Server) -> NotWanted:
    return NotWanted(
        Trouble(
            f"Server {server.name} was started or deleted before its disks were restored.",
            f"サーバー {server.name} が、ディスクの復元が終わる前に起動または削除されました。",
        )
    )


def _held(volume: Volume, server: Server) -> bool:
    at = volume.attachment
    return isinstance(at, Attached) and at.server == server.id


def _taken_off(volume: Volume, server: Server) -> NotWanted:
    return NotWanted(
        Trouble(
            f"Volume {volume.name} was detached from server {server.name} before it was restored.",
            f"ボリューム {volume.name} が、復元の前にサーバー {server.name} から切り離されました。",
        )
    )


def _text(told: Mapping[str, Any], name: str, otherwise: str) -> str:
    found = told.get(name)
    return found if isinstance(found, str) else otherwise


def _number(told: Mapping[str, Any], name: str, otherwise: int) -> int:
    found = told.get(name)
    return found if isinstance(found, int) else otherwise


def _texts(told: Mapping[str, Any], name: str) -> list[str]:
    found = told.get(name)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
