"""Reading a simulated server's disks for a backup: see HostDriver.open_backup."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from control_plane.drivers.backup_source import ROOT_DISK, BackupSource, Consistency, Extent
from control_plane.drivers.extents import aligned, pieces
from control_plane.drivers.leaning import require_whole
from control_plane.drivers.protocol import (
    DiskLocked,
    DisksBusy,
    ReadingBroken,
    ServerSpec,
    StorageFull,
    StorageUnavailable,
)
from control_plane.drivers.simulated.disk_content import DiskContent
from control_plane.drivers.simulated.gate import Gate
from control_plane.drivers.simulated.machine import Machine
from control_plane.drivers.simulated.premises import Premises
from control_plane.drivers.simulated.storage import DataVolume, Volume
from control_plane.drivers.simulated.tracking import Checkpoint, Moment, Reading
from control_plane.model.full_read import WhyFull
from control_plane.model.ids import ServerId

_GIB = 2**30
Call = Callable[[str, ServerId], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    spec: ServerSpec
    checkpoint: str
    since: str | None
    quiesce: bool


@contextmanager
def open_backup(
    world: Premises, machine: Machine, gate: Gate, call: Call, asked: Asked
) -> Iterator[BackupSource]:
    server = asked.spec.id
    with call("open_backup", server):
        if world.migrations.moves(server):
            raise DisksBusy(f"{server} is being moved.")
        reading, disks = _begin(machine, call, asked)
        machine.around.tell(machine.host.id, f"begin to read the disks of {server}")
    if reading.guest is None:
        believed = all(disk.changed_only for disk in disks)
        source = BackupSource(Consistency.STOPPED, asked.since if believed else None, disks)
    else:
        held = asked.quiesce and server not in world.deaf_guests and machine.guest_answers(server)
        consistency = Consistency.QUIESCED if held else Consistency.CRASH
        source = BackupSource(consistency, asked.checkpoint, disks)
    try:
        yield source
    finally:
        # Who is killed ends nothing, but what reads a stopped server goes with its maker.
        if reading.guest is None or not gate.killed:
            reading.end("it has been closed")
            if machine.backups.readings.get(server) is reading:
                del machine.backups.readings[server]
            machine.around.tell(machine.host.id, f"end reading the disks of {server}")


def _begin(machine: Machine, call: Call, asked: Asked) -> tuple[Reading, tuple[_Disk, ...]]:
    spec, backups = asked.spec, machine.backups
    require_whole(spec)
    pools = [
        machine.reached(pool)
        for pool in {spec.volume.pool, *(each.pool for each in spec.data_volumes)}
    ]
    guest = machine.guests.get(spec.id)
    root = machine.reached(spec.volume.pool).root(spec.id, spec.volume.build)
    if root is None or root.build != spec.volume.build:
        raise StorageUnavailable(f"{machine} finds no disk of {spec.id} as it should be.")
    if guest is None:
        volumes = _unused(machine, spec, root)
    else:
        backups.end(spec.id)
        if any(each.full for each in pools):
            raise StorageFull(f"A storage pool of {spec.id} has no room for what it overwrites.")
        missing = [each.id for each in spec.data_volumes if each.id not in guest.disks]
        if missing:
            raise StorageUnavailable(f"{spec.id} on {machine} has not got {missing[0]} just now.")
        volumes = [guest.disks[each.id] for each in spec.data_volumes]
        machine.count_records(spec.id)
    moments = {ROOT_DISK: Moment(ROOT_DISK, root.build, content_of(root))}
    moments |= {each.id: Moment(each.id, each.build, content_of(each)) for each in volumes}
    known = backups.checkpoints.setdefault(spec.id, {})
    since = known.get(asked.since or "")
    reading = Reading(machine, spec.id, guest, machine.deaths)
    disks = []
    for name, moment in moments.items():
        why = _doubt(asked.since, since, moment, root.crashes)
        before = since.moments[name].content if since is not None and why is None else None
        disks.append(_Disk(call, reading, moment, before, why))
    if guest is None:
        reading.locks = [root, *volumes]
        for each in reading.locks:
            each.reading = reading
    else:
        for forgotten in known.keys() - {asked.since}:
            del known[forgotten]
        known[asked.checkpoint] = Checkpoint(moments, root.crashes)
    backups.readings[spec.id] = reading
    return reading, tuple(disks)


def _unused(machine: Machine, spec: ServerSpec, root: Volume) -> list[DataVolume]:
    """The volumes of a server that runs nowhere."""
    if root.holder is not None:
        raise DiskLocked(f"The disk of {spec.id} is locked by {root.holder}.")
    volumes = []
    for wanted in spec.data_volumes:
        found = machine.reached(wanted.pool).data_of(wanted.id, wanted.build)
        if found is None or found.build != wanted.build:
            raise StorageUnavailable(f"{machine} finds no volume {wanted.id} as it should be.")
        if found.holder is not None:
            raise DiskLocked(f"The volume {wanted.id} is locked by {found.holder}.")
        volumes.append(found)
    return volumes


def _doubt(
    named: str | None, since: Checkpoint | None, now: Moment, crashes: int
) -> WhyFull | None:
    if named is None:
        return WhyFull.FIRST
    if since is None:
        return WhyFull.UNKNOWN_HERE
    if since.lost or since.crashes != crashes:
        return WhyFull.TRACKING_LOST
    before = since.moments.get(now.name)
    if before is None:
        return WhyFull.NEW_DISK
    if before.build != now.build:
        return WhyFull.MADE_ANEW
    return None if before.content.size == now.content.size else WhyFull.RESIZED


def content_of(disk: Volume | DataVolume) -> DiskContent:
    """As it is now, as far as its guest has flushed."""
    if isinstance(disk, Volume):
        label = f"{disk.server} of {disk.image} build {disk.build}"
        records = disk.records
    else:
        label, records = f"{disk.id} build {disk.build}", 0
    label = label if disk.label is None else disk.label
    return DiskContent(disk.size * _GIB, label, records, tuple(disk.notes), dict(disk.blocks))


class _Disk:
    """See SourceDisk."""

    def __init__(
        self,
        call: Call,
        reading: Reading,
        moment: Moment,
        before: DiskContent | None,
        why: WhyFull | None,
    ) -> None:
        self.name = moment.name
        self.size = moment.content.size
        self.changed_only = before is not None
        self.why = why
        self._call = call
        self._reading = reading
        self._content = moment.content
        self._before = before

    def extents(self, align: int = 1) -> Iterator[Extent]:
        with self._call("read_backup", self._reading.server):
            self._insist()
        if self._before is None:
            told = self._content.extents()
        else:
            told = self._content.changes_since(self._before)
        return aligned(told, align, self.size)

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ValueError("beyond the disk")
        return b"".join(piece for _, piece in self.stream([Extent(offset, length, True)]))

    def stream(self, extents: Iterable[Extent]) -> Iterator[tuple[int, bytes]]:
        around = self._reading.machine.around
        for offset, length in pieces(extents):
            with self._call("read_backup", self._reading.server):
                self._insist()
                around.clock.sleep(around.timing.reading(length))
                self._insist()
            yield offset, self._content.read(offset, length)

    def _insist(self) -> None:
        why = self._reading.why_broken
        if why is not None:
            server = self._reading.server
            raise ReadingBroken(f"The reading of the disks of {server} broke off: {why}.")
