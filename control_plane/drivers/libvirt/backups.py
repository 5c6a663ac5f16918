"""Gives a server's disks to be read for a backup: see HostDriver.open_backup."""

from __future__ import annotations

import contextlib
import posixpath
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree.ElementTree import fromstring

import libvirt

from control_plane.drivers.backup_source import ROOT_DISK, BackupSource, Consistency
from control_plane.drivers.libvirt import (
    checkpoints,
    domains,
    kept_changes,
    reading_job,
    stopped_reader,
    storage,
)
from control_plane.drivers.libvirt.checkpoints import DiskFacts
from control_plane.drivers.libvirt.connection import SLOW, Connection
from control_plane.drivers.libvirt.disk_xml import data_name, target_of, volume_folder
from control_plane.drivers.libvirt.errors import sentence
from control_plane.drivers.libvirt.hypervisor import accelerated
from control_plane.drivers.libvirt.nbd_disk import NbdDisk, Served
from control_plane.drivers.libvirt.nbd_transport import Place, Transport
from control_plane.drivers.libvirt.qcow2_bitmaps import Marks
from control_plane.drivers.libvirt.quiesce import held_still, thaw
from control_plane.drivers.libvirt.reading_watch import Watch, require_room
from control_plane.drivers.protocol import (
    DriverError,
    HostUnreachable,
    ReadingBroken,
    RunState,
    ServerSpec,
    StorageUnavailable,
)
from control_plane.model.full_read import WhyFull
from control_plane.model.ids import ServerId

_ROOT_DEVICE = "vda"
_OTHER_PLACES = 8
"""How many more ports or sockets are tried where others have one."""
_TAKEN = "Address already in use"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reading is to be, and how its host is reached."""

    spec: ServerSpec
    checkpoint: str
    since: str | None
    quiesce: bool
    transport: Transport


@dataclass(frozen=True, slots=True)
class _Begun:
    place: Place
    token: str
    consistency: Consistency
    checkpoint: str | None
    why: Mapping[str, WhyFull]
    """By device; the others' changes are believed."""
    marks: Mapping[str, Marks]
    """By device, what has changed on the disks of a stopped server."""


@contextmanager
def open_backup(connection: Connection, asked: Asked, *, machine: str) -> Iterator[BackupSource]:
    checkpoints.require_name(asked.checkpoint)
    if asked.since is not None:
        checkpoints.require_name(asked.since)
    server = asked.spec.id

    def runs(libvirtd: libvirt.virConnect) -> bool:
        domain = domains.find(libvirtd, server)
        return domain is not None and domains.run_state(domain) is not RunState.STOPPED

    if connection.call(runs):
        with _running(connection, asked) as source:
            yield source
    else:
        # It goes with its connection, and ours may be closed and opened by anybody who asks.
        apart = Connection(connection.uri)
        try:
            with _stopped(apart, asked, machine=machine) as source:
                yield source
        finally:
            apart.close()


def end_backup(connection: libvirt.virConnect, server: ServerId) -> None:
    stopped_reader.remove(connection, server)
    domain = domains.find(connection, server)
    if domain is not None and domains.run_state(domain) is not RunState.STOPPED:
        thaw(domain)
        reading_job.make_way(domain)


@contextmanager
def _running(connection: Connection, asked: Asked) -> Iterator[BackupSource]:
    server = asked.spec.id
    begun = connection.call(lambda c: _begin(c, connection, asked), SLOW)

    def end(libvirtd: libvirt.virConnect) -> None:
        domain = domains.find(libvirtd, server)
        if domain is not None and domains.run_state(domain) is not RunState.STOPPED:
            reading_job.end(domain, begun.token)

    folders = [posixpath.dirname(file) for file in _files(asked.spec).values()]
    watch = Watch(connection, server, begun.token, folders)
    try:
        watch.start()
        with _served(connection, asked.spec, begun, watch) as source:
            yield source
    finally:
        watch.stop()
        with contextlib.suppress(DriverError):
            connection.call(end, SLOW)


def _begin(libvirtd: libvirt.virConnect, connection: Connection, asked: Asked) -> _Begun:
    host, spec = connection.host, asked.spec
    for path in {spec.volume.pool_path, *(each.pool_path for each in spec.data_volumes)}:
        storage.require_storage(libvirtd, host, path)
    domain = domains.get(libvirtd, host, spec.id)
    disks, others = _open_disks(domain, host, spec)
    reading_job.end(domain)
    reading_job.require_idle(domain)
    reading_job.clear_scratch(libvirtd, host, disks, ours=True)
    require_room(libvirtd, host, [posixpath.dirname(each.file) for each in disks.values()])
    why = kept_changes.of_running(libvirtd, domain, disks, asked.since)
    written = checkpoints.checkpoint_xml(asked.checkpoint, disks, others)
    token = secrets.token_hex(8)

    def begin(place: Place) -> None:
        since = {device: checkpoints.known_as(asked.since or "") for device in disks.keys() - why}
        job = reading_job.job_xml(place, token, disks, others, since)
        try:
            domain.backupBegin(job, written, 0)
        except libvirt.libvirtError as error:
            if not since or not checkpoints.is_about_bitmaps(error):
                raise
            lost = checkpoints.is_lost(error)
            doubt = WhyFull.TRACKING_LOST if lost else WhyFull.DOUBTFUL
            why.update(dict.fromkeys(since, doubt))
            checkpoints.forget(domain, but=None)
            domain.backupBegin(reading_job.job_xml(place, token, disks, others, {}), written, 0)

    if asked.quiesce:
        with held_still(domain, connection.uri) as stillness:
            place = _somewhere(asked, begin)
        held = stillness.held
    else:
        place, held = _somewhere(asked, begin), False
    consistency = Consistency.QUIESCED if held else Consistency.CRASH
    return _Begun(place, token, consistency, asked.checkpoint, why, {})


@contextmanager
def _stopped(connection: Connection, asked: Asked, *, machine: str) -> Iterator[BackupSource]:
    host, spec = connection.host, asked.spec
    token = secrets.token_hex(8)

    def begin_reading(libvirtd: libvirt.virConnect) -> _Begun:
        disks = _files_there(libvirtd, host, spec)
        reader = stopped_reader.make(
            libvirtd, spec.id, disks, accelerated=accelerated(libvirtd), machine=machine
        )
        try:
            reading_job.clear_scratch(libvirtd, host, disks, ours=False)

            def begin(place: Place) -> None:
                reader.backupBegin(reading_job.job_xml(place, token, disks, [], {}), None, 0)

            place = _somewhere(asked, begin)
        except BaseException:
            stopped_reader.remove(libvirtd, spec.id)
            raise
        why, marks = kept_changes.of_stopped(libvirtd, spec.id, disks, asked.since)
        # No bitmap begins here: the last goes on to record what changes, and is named again.
        name = None if why else asked.since
        return _Begun(place, token, Consistency.STOPPED, name, why, marks)

    def end(libvirtd: libvirt.virConnect) -> None:
        reader = stopped_reader.find(libvirtd, spec.id)
        if reader is not None and reading_job.goes_on(reader, token):
            reading_job.end(reader)
            stopped_reader.remove(libvirtd, spec.id)

    begun = connection.call(begin_reading, SLOW)
    try:
        with _served(connection, spec, begun, None) as source:
            yield source
    finally:
        with contextlib.suppress(DriverError):
            connection.call(end, SLOW)


@contextmanager
def _served(
    connection: Connection, spec: ServerSpec, begun: _Begun, watch: Watch | None
) -> Iterator[BackupSource]:
    """The disks of a reading that has begun, connected to."""

    def lost() -> Exception:
        if watch is not None and watch.ended is not None:
            return watch.ended

        def look(libvirtd: libvirt.virConnect) -> str:
            domain = domains.find(libvirtd, spec.id)
            if begun.consistency is Consistency.STOPPED:
                return "what read it while it is stopped was removed"
            if domain is None or domains.run_state(domain) is RunState.STOPPED:
                return "it stopped or was moved"
            if not reading_job.goes_on(domain, begun.token):
                return "something else was asked of it, or another reading has begun"
            return "its hypervisor no longer serves them"

        try:
            why = connection.call(look)
        except HostUnreachable as error:
            return error
        except DriverError as error:
            why = str(error)
        return ReadingBroken(f"The reading of the disks of server {spec.id} broke off: {why}")

    with contextlib.ExitStack() as opened:
        disks = []
        for device, name in _names(spec).items():
            why = begun.why.get(device)
            marks = begun.marks.get(device)
            bitmap = reading_job.bitmap_of(device) if why is None and marks is None else None
            export = reading_job.export_of(device, begun.token)
            disk = NbdDisk(begun.place, Served(name, export, bitmap, why, lost, marks))
            opened.callback(disk.close)
            disks.append(disk)
        yield BackupSource(begun.consistency, begun.checkpoint, tuple(disks))


def _somewhere(asked: Asked, begin: Callable[[Place], None]) -> Place:
    """Begin at a place that nobody else has."""
    for attempt in range(_OTHER_PLACES):
        place = asked.transport.place(asked.spec.id, attempt)
        try:
            begin(place)
            return place
        except libvirt.libvirtError as error:
            if _TAKEN not in sentence(error) or attempt == _OTHER_PLACES - 1:
                raise
    raise AssertionError


def _names(spec: ServerSpec) -> dict[str, str]:
    """The disks' names by their device on the machine, in their order."""
    volumes = sorted(spec.data_volumes, key=lambda each: each.order)
    return {_ROOT_DEVICE: ROOT_DISK} | {target_of(each.order): str(each.id) for each in volumes}


def _files(spec: ServerSpec) -> dict[str, str]:
    """By device, in the same order."""
    volumes = sorted(spec.data_volumes, key=lambda each: each.order)
    return {_ROOT_DEVICE: storage.root_path(spec.id, spec.volume)} | {
        target_of(each.order): posixpath.join(volume_folder(each), data_name(each))
        for each in volumes
    }


def _open_disks(
    domain: libvirt.virDomain, host: str, spec: ServerSpec
) -> tuple[dict[str, DiskFacts], list[str]]:
    """Those to be read, as the running machine has them open, and the names of its other devices."""
    described = fromstring(domain.XMLDesc(0))  # noqa: S314 — from our own host's libvirt
    files = {}
    for disk in described.findall("devices/disk"):
        target, source = disk.find("target"), disk.find("source")
        if target is not None:
            files[target.get("dev", "")] = "" if source is None else source.get("file", "")
    wanted = _files(spec)
    for device, file in wanted.items():
        if files.get(device) != file:
            raise StorageUnavailable(
                f"Server {spec.id} on host {host} has not got {file} as its disk just now"
            )
    facts = {
        device: DiskFacts(file, domain.blockInfo(device)[0]) for device, file in wanted.items()
    }
    return facts, [device for device in files if device not in wanted]


def _files_there(libvirtd: libvirt.virConnect, host: str, spec: ServerSpec) -> dict[str, DiskFacts]:
    """Raises StorageUnavailable where one of them is not there or not whole."""
    for path in {spec.volume.pool_path, *(each.pool_path for each in spec.data_volumes)}:
        storage.require_storage(libvirtd, host, path)
    facts = {}
    for device, file in _files(spec).items():
        folder, name = posixpath.split(file)
        try:
            found = storage.whole_root(storage.open_folder(libvirtd, folder), name)
        except libvirt.libvirtError:
            if not libvirtd.isAlive():
                raise
            found = None
        if found is None:
            raise StorageUnavailable(f"Host {host} finds no whole {name} in {folder}")
        facts[device] = DiskFacts(file, found.info()[1])
    return facts
