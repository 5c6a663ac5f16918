"""What every hypervisor driver offers, and how it says that something went wrong.

A driver object speaks to one host. Every call is idempotent and may be repeated after a crash: to
define what is defined, start what runs, or destroy what is gone is success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from control_plane.drivers.backup_source import BackupSource, Extent
from control_plane.drivers.disks import (
    Copying,
    DataVolumeSpec,
    DiskSink,
    SnapshotDiskSpec,
    SnapshotSpec,
    VolumeSpec,
)
from control_plane.drivers.guest import GuestHook, HookResult, HttpProbe, ProbeResult
from control_plane.model.ids import Generation, ServerId, VolumeId
from control_plane.model.image import Image
from control_plane.model.pool import Endpoint, Zone
from control_plane.model.units import Resources, Seconds


class DriverError(Exception):
    """A host answered, and could not do what was asked. One sentence, no secrets."""


class HostUnreachable(DriverError):
    """The host did not answer in time: whether the call took effect is unknown."""


class DiskLocked(DriverError):
    """Somebody else may be writing this disk, so the server was not started."""


class StorageFull(DriverError):
    """The storage pool has no room for the volume; nothing was left behind."""


class StorageUnavailable(DriverError):
    """The host cannot read or write the shared storage."""


class ImageCorrupt(DriverError):
    """The image's bytes on arrival do not have the catalogue's sha256; the copy was removed."""


class NoSuchServer(DriverError):
    """The host has no definition of this server."""


class NoSuchDisk(DriverError):
    """The storage answers, and has no such disk: it was never made, or has been removed."""


class NetworkNotReady(DriverError):
    """The host has not yet made the network that the server is plugged into: try again soon."""


class MovedOn(DriverError):
    """The host's definition of this server bears another generation than the one that was listed:
    somebody has decided anew since then, so nothing was done."""


class DisksBusy(DriverError):
    """Another task works on all of the server's disks just now: try again once it has ended."""


class ReadingBroken(DriverError):
    """The reading of a server's disks came to an end before its time, so what was read is worth
    nothing: begin anew."""


class ProbeImpossible(DriverError):
    """This server can't be asked over HTTP on this host, now or later."""


class RunState(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    """It stands still where it ran, as one does whose write found no room: all that it holds in memory is good, and it
    goes on once it is started."""
    PAUSED = "paused"
    """An incoming migration that has not finished, or what is left of one: nobody can say what it holds in memory."""


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """Everything a host needs to run a server. `mac` and `address` (IPv4 with prefix length) are
    given, so that the guest is the same on every host. `segment` is the number of its member's network
    in its zone, 0 where it has none; `gateway` the router of its subnet. `user_data` reaches the guest on
    its NoCloud seed disk and must hold no secret; `public_keys`, lines as OpenSSH writes them, reach it beside. The network card of an `isolated` one leads to no
    network: at most its driver talks to it, by `probe`."""

    id: ServerId
    name: str
    generation: Generation
    size: Resources
    volume: VolumeSpec
    image: Image
    zone: Zone
    mac: str
    address: str
    gateway: str | None = None
    user_data: str = ""
    segment: int = 0
    data_volumes: tuple[DataVolumeSpec, ...] = ()
    isolated: bool = False
    public_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObservedServer:
    """A server that Yui defined on the host. Machines that others defined are not listed here.
    `booted` is the generation with which it was last started, which a migration carries along.
    `volumes` are those that it has open while it runs or is paused, and would open while it is stopped."""

    id: ServerId
    generation: Generation
    state: RunState
    booted: Generation = Generation(0)
    volumes: frozenset[VolumeId] = frozenset()


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the hypervisor says of its machine. `foreign` names running machines that Yui did not
    define. `accelerated` is False where only emulation works."""

    hypervisor: str
    version: str
    capacity: Resources
    accelerated: bool
    foreign: tuple[str, ...] = ()


class HostDriver(Protocol):
    """One host. Every method raises `HostUnreachable` when the host does not answer in time and
    `DriverError` for any other failure of the platform.

    What takes a server away is decided by a listing, and whoever decided may have slept since. So it
    takes the generation that was `listed`, and refuses with `MovedOn` where the definition now bears
    another. A copy that was wanted later always bears a higher one: each decision raises the server's
    generation, and a host is told it before the server starts there or comes there by migration."""

    def facts(self) -> HostFacts: ...

    def list_servers(self) -> Sequence[ObservedServer]: ...

    def ensure_image(self, image: Image) -> None:
        """Have the image in this host's cache, its sha256 checked on arrival.

        Raises ImageCorrupt, StorageFull."""
        ...

    def ensure_volume(self, spec: ServerSpec) -> None:
        """Make the root volume from the image where there is none, fetching the image as
        `ensure_image` does. One of the same build is never touched but to grow it to its size, and
        needs no image. One of an earlier build is removed, once the image is on the host.

        Raises MovedOn where a later build is there, DiskLocked where a running server holds what is to be
        removed, ImageCorrupt, StorageFull, StorageUnavailable."""
        ...

    def grow_volume(self, spec: ServerSpec) -> None:
        """Grow the root volume to its size, also under a running server, which sees the larger disk at
        once. One that is large enough is left alone. Raises NoSuchServer, StorageFull,
        StorageUnavailable."""
        ...

    def remove_volume(self, server: ServerId, volume: VolumeSpec) -> None:
        """Remove the root volume. Raises DiskLocked when a running server holds it."""
        ...

    def ensure_data_volume(
        self, volume: DataVolumeSpec, source: SnapshotDiskSpec | None = None
    ) -> None:
        """Make an empty volume, or a copy of a snapshot's disk grown to its size. One that is there is
        never touched. Raises DiskLocked where it is being made already, StorageFull,
        StorageUnavailable, also where the snapshot has no such disk."""
        ...

    def remove_data_volume(self, volume: DataVolumeSpec) -> None:
        """Remove it. Raises DiskLocked while any server has it open."""
        ...

    def grow_data_volume(
        self, volume: DataVolumeSpec, server: ServerId | None, listed: Generation
    ) -> None:
        """Grow a volume to its size, also under `server` that runs with it, which sees the larger disk at
        once. One that is large enough is left alone. Raises MovedOn where the running server is not as
        `listed`, StorageUnavailable where the volume is not there, DiskLocked while anybody else has it
        open or reads it, DisksBusy, StorageFull."""
        ...

    def attach(self, server: ServerId, volume: DataVolumeSpec, listed: Generation) -> None:
        """Give the volume to a server, at once where it runs. Raises MovedOn, NoSuchServer,
        StorageUnavailable where the volume is not there, and DiskLocked while any other server has it
        open."""
        ...

    def detach(self, server: ServerId, volume: VolumeId, listed: Generation) -> bool:
        """Take it out of the definition, and ask a running guest to let it go. True once no hypervisor
        has it open for this server; False while the guest holds on to it, and the disk is open. A
        server that is not defined has none. Raises MovedOn."""
        ...

    def snapshot(self, spec: ServerSpec, snapshot: SnapshotSpec) -> bool:
        """Copy the server's disks as they are at one point in time, while it runs or not; one that is
        whole is left as it is. True where nothing was being written just then, because the guest held
        still or did not run; False where it is as after a power cut. Raises DiskLocked where the server
        runs elsewhere, NoSuchServer, StorageFull, StorageUnavailable."""
        ...

    def remove_snapshot(self, snapshot: SnapshotSpec) -> None: ...

    def restore_snapshot(self, spec: ServerSpec, snapshot: SnapshotSpec) -> None:
        """Make the root disk, and those data volumes of `spec` that the snapshot has, in their builds
        from the snapshot; their earlier builds are removed once all are made, and a build that is whole is
        left as it is. Raises MovedOn where a later build is there, DiskLocked while a running server holds one of them, StorageFull,
        StorageUnavailable."""
        ...

    def export_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec | SnapshotDiskSpec,
        sink: DiskSink,
    ) -> None:
        """Give a disk that nobody has open to `sink`, which may have begun earlier: the root volume of
        `server`, a data volume, whoever it belongs to, or a disk of a snapshot. Comes back once every byte was given and the disk was seen to be unused before and after.

        Raises DiskLocked where somebody may be writing it, NoSuchDisk, StorageUnavailable, and
        DriverError where it changed meanwhile: what was given is worth nothing then."""
        ...

    def fill_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec,
        content: Iterable[tuple[int, bytes]],
    ) -> None:
        """Make a disk of `volume`'s size and build from bytes with their offsets, no byte twice and zeros
        where none are told: the root volume of `server`, or a data volume. Other builds stay as they are,
        in use or not; it counts once all of it is there, and whatever `content` raises leaves nothing.

        Not to be repeated: raises DiskLocked where there is anything of this build already, whole or
        not, so that no two ever write it. Raises StorageFull, StorageUnavailable, and DriverError for
        bytes outside of the disk."""
        ...

    def lean_disk(
        self,
        server: ServerId | None,
        volume: VolumeSpec | DataVolumeSpec,
        zeros: Iterable[Extent],
    ) -> None:
        """Make a disk of `volume`'s size and build that holds nothing but `zeros`, and leans for all else on
        `volume.backing`: a server can be started on it at once, which writes into it and never into what it
        leans on. Otherwise as `fill_disk`."""
        ...

    def copy_in(self, spec: ServerSpec) -> Copying:
        """Have those disks of `spec` that lean on others come to hold all themselves, under the running
        guest or while it is stopped, and say how far that is: to be called again and again. It ends with the machine
        that does it, and what was copied by then stays.

        Until they are whole the server is neither moved while it runs, nor copied or read for a backup, nor are these
        disks made larger under it: that raises DisksBusy. A guest that wants what can't be had stands still, SUSPENDED, and
        goes on where `start` finds that it can be had again. Raises DiskLocked where it runs
        elsewhere, NoSuchServer, StorageUnavailable."""
        ...

    def remove_build(self, server: ServerId | None, volume: VolumeSpec | DataVolumeSpec) -> None:
        """Remove this build of the disk, whole or not; others stay. Raises DiskLocked while somebody has it
        open."""
        ...

    def open_backup(
        self, spec: ServerSpec, *, checkpoint: str, since: str | None, quiesce: bool
    ) -> AbstractContextManager[BackupSource]:
        """Hold fast the root disk and the data volumes of `spec` as they are at one point in time, and
        give them to be read while the guest goes on, or while nothing starts it: a server that the host
        does not run is read without being started.

        The host keeps track from that point on under the name `checkpoint`: 1 to 64 letters, digits,
        dots, hyphens; never used before for this server. With `since`, a checkpoint of an earlier
        backup that was secured, only what changed since then is told of those disks where that is beyond
        doubt; other checkpoints are forgotten. `quiesce` asks the guest's agent to hold its file systems
        still for that moment.

        What is asked of the server itself comes first: a migration, a snapshot, a larger disk, a volume
        that is taken away end the reading, and so does the next `open_backup`, whoever began this one.
        Its start is refused with DiskLocked while it is read stopped.

        Raises DiskLocked where it runs elsewhere or is read stopped already, DisksBusy, StorageFull
        where the pool lacks room for what the guest overwrites meanwhile, StorageUnavailable where a
        disk is not there or the guest has not got it yet."""
        ...

    def end_backup(self, server: ServerId) -> None:
        """End what is left on this host of a reading whose reader is gone, or is to be gone; nothing
        where there is none."""
        ...

    def run_hook(self, server: ServerId, hook: GuestHook, wanted: Callable[[], bool]) -> HookResult:
        """Have the guest's agent run the program of that name in its HOOKS_FOLDER, without arguments, and
        wait for its end. Once its time is over, or `wanted` (asked every few seconds) says no, it is told
        to stop together with all that it has begun. Not to be repeated: each call runs it anew.

        Raises NoSuchServer, and DriverError for what can't be a hook's name."""
        ...

    def probe(self, server: ServerId, probe: HttpProbe) -> ProbeResult:
        """Ask an isolated server over HTTP, as its only neighbour on a network of two that is made for that
        and reaches nothing else. What asks is the driver; nobody on the host can.

        Raises NoSuchServer, and ProbeImpossible where the server is not isolated, or its host can't do
        that."""
        ...

    def define(self, spec: ServerSpec) -> None:
        """Write down the server with its generation and data volumes; on a running one, the generation
        and name are updated in place and the rest holds from its next start."""
        ...

    def start(self, server: ServerId) -> None:
        """Start a stopped server; a paused one goes on. Raises DiskLocked, NoSuchServer,
        StorageUnavailable."""
        ...

    def shut_down(self, server: ServerId, grace: Seconds, listed: Generation) -> bool:
        """Ask the guest to stop; True when it has stopped within `grace`. Raises MovedOn."""
        ...

    def destroy(self, server: ServerId, listed: Generation) -> None:
        """Cut the server's power and wait until it no longer runs. Its definition stays. Raises
        MovedOn."""
        ...

    def undefine(self, server: ServerId, listed: Generation) -> None:
        """Forget a stopped server; its volume stays. Raises MovedOn, and DriverError while it runs."""
        ...

    def resize(self, server: ServerId, size: Resources) -> None:
        """Change vCPU and memory, at once where the guest can take it, else from its next start."""
        ...

    def migrate(self, server: ServerId, target: Endpoint) -> None:
        """Live-migrate to `target` and forget it here once it runs there. On an error it still runs
        here, unless the error is HostUnreachable."""
        ...

    def console(self, server: ServerId, tail_bytes: int) -> str:
        """The last bytes of the serial console's log, at most 1 MiB."""
        ...

    def close(self) -> None: ...
