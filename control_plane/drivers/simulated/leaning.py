"""Disks that take from a backup what they lack, and how a guest stands still when it can't be had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from control_plane.drivers.disk_exports import ServedDisk, Unreadable
from control_plane.drivers.disks import Copying, DataVolumeSpec, VolumeSpec
from control_plane.drivers.leaning import still_leaning
from control_plane.drivers.protocol import DriverError
from control_plane.drivers.simulated.disk_content import BLOCK
from control_plane.drivers.simulated.gate import Gate
from control_plane.drivers.simulated.made_disk import lay, made_of
from control_plane.drivers.simulated.storage import DataVolume, Leaning, Volume
from control_plane.model.ids import ServerId

if TYPE_CHECKING:
    from control_plane.drivers.simulated.machine import Guest
    from control_plane.drivers.simulated.premises import Premises
    from control_plane.drivers.simulated.surroundings import Surroundings

_GIB = 2**30
_PIECE = 2**20


class SimulatedExports:
    """See DiskExports. What a process serves ends with the process."""

    def __init__(self, world: Premises, gate: Gate) -> None:
        self._world = world
        self._gate = gate

    def place(self, name: str) -> str:
        return f"simulated:///{name}"

    @contextmanager
    def serve(self, backing: str, disk: ServedDisk) -> Iterator[None]:
        self._gate.leave("serve_disk")
        served = self._world.around.exports
        served[backing] = disk
        try:
            yield
        finally:
            if served.get(backing) is disk:
                del served[backing]
                self._starve(backing)

    def _starve(self, backing: str) -> None:
        """At the latest moment that a real guest would notice, and so the worst for whoever relies on it."""
        for machine in self._world.machines.values():
            for server, guest in machine.guests.items():
                for each in _leanings(guest):
                    if each.backing == backing:
                        each.looked_at = None
                        machine.pause_guest(server)


def bring(around: Surroundings, *disks: Volume | DataVolume) -> None:
    """Before a guest starts on them. Raises DriverError."""
    for disk in disks:
        if disk.leaning is not None and not _brought(around, disk, disk.leaning):
            raise DriverError("What the disk leans on can't be read.")


def may_go_on(around: Surroundings, guest: Guest) -> bool:
    """Whether a guest that stands still has room to write and is served all that it leans on."""
    served = all(each.backing in around.exports for each in _leanings(guest))
    return served and not around.pool_of(guest.volume).full


def require_whole(guest: Guest | None, server: ServerId) -> None:
    """Raises DisksBusy where it runs from a disk that leans on another."""
    if guest is not None and _leanings(guest):
        raise still_leaning(server)


def _leanings(guest: Guest) -> list[Leaning]:
    disks: list[Volume | DataVolume] = [guest.volume, *guest.disks.values()]
    return [each.leaning for each in disks if each.leaning is not None]


def copy_on(around: Surroundings, disks: Sequence[Volume | DataVolume]) -> Copying | None:
    """As much of them as there was time for since the last look; None where what they lack can't be had."""
    now, done, total = around.clock.monotonic(), 0, 0
    for disk in disks:
        size = disk.size * _GIB
        total += size
        leaning = disk.leaning
        if leaning is None:
            done += size
            continue
        if not _brought(around, disk, leaning):
            return None
        since = now if leaning.looked_at is None else leaning.looked_at
        leaning.looked_at = now
        before = leaning.copied
        step = int((now - since) * around.timing.bytes_read_a_second)
        leaning.copied = min(size, before + step)
        try:
            _take(around.exports[leaning.backing], leaning, before, leaning.copied)
        except Unreadable:
            leaning.copied = before
            return None
        done += leaning.copied
        if leaning.copied == size:
            disk.leaning = None
    return Copying(done, total, whole=done == total)


def _brought(around: Surroundings, disk: Volume | DataVolume, leaning: Leaning) -> bool:
    served = around.exports.get(leaning.backing)
    if served is None:
        return False
    if leaning.brought:
        return True
    try:
        blocks = _take(served, leaning, 0, served.size)
    except Unreadable:
        return False
    if isinstance(disk, Volume):
        spec = VolumeSpec(disk.pool, "", disk.size, disk.build)
        made = made_of(disk.server, spec, blocks)
        if isinstance(made, Volume):
            disk.records = made.records
    else:
        made = made_of(None, DataVolumeSpec(disk.id, disk.pool, "", disk.size), blocks)
    disk.notes, disk.blocks, disk.label = made.notes, made.blocks, made.label
    leaning.brought = True
    return True


def _take(served: ServedDisk, leaning: Leaning, begin: int, end: int) -> dict[int, bytes]:
    """What is data between these two, and was not told to be zeros. Raises Unreadable."""
    blocks: dict[int, bytes] = {}
    end = min(end, served.size)
    for extent in served.within(begin, end - begin) if begin < end else ():
        for at in range(extent.offset, extent.end, _PIECE) if extent.data else ():
            lay(blocks, at, served.read(at, min(_PIECE, extent.end - at)))
    for zeros in leaning.zeros:
        for number in [n for n in blocks if zeros.offset <= n * BLOCK < zeros.end]:
            del blocks[number]
    return blocks
