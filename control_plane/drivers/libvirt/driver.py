"""One host behind the driver protocol: each method is one conversation with its libvirt."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import libvirt

from control_plane.drivers.disks import VolumeSpec
from control_plane.drivers.libvirt import domains, lone_card, storage
from control_plane.drivers.libvirt.connection import LONG, QUICK, SLOW, Connection
from control_plane.drivers.libvirt.copying import go_on, leave_off, require_whole
from control_plane.drivers.libvirt.disks import LibvirtDisks
from control_plane.drivers.libvirt.domain_xml import (
    Platform,
    domain_xml,
    resized,
)
from control_plane.drivers.libvirt.errors import is_code
from control_plane.drivers.libvirt.guests import LibvirtGuests
from control_plane.drivers.libvirt.hypervisor import accelerated, version
from control_plane.drivers.libvirt.images import IMAGE_CACHE, ImageCache
from control_plane.drivers.libvirt.migration import migrate
from control_plane.drivers.libvirt.nbd_transport import Transport
from control_plane.drivers.libvirt.reading_job import make_way
from control_plane.drivers.libvirt.reading_watch import hold_no_more
from control_plane.drivers.libvirt.seed import seed_image
from control_plane.drivers.protocol import (
    DriverError,
    HostFacts,
    ObservedServer,
    RunState,
    ServerSpec,
)
from control_plane.model.ids import Generation, ServerId
from control_plane.model.image import Image
from control_plane.model.pool import Endpoint
from control_plane.model.units import MiB, Resources, Seconds, VCpu

T = TypeVar("T")

_GIB = 2**30
_ROOT_DEVICE = "vda"
_POLL = Seconds(0.2)
_ASK_AGAIN = Seconds(5.0)
"""A guest that is still booting hears no power button, so it is pressed again."""
_GOING_AWAY = Seconds(30.0)
_LONGEST_TAIL = 2**20


class LibvirtDriver(LibvirtDisks, LibvirtGuests):
    """The driver of one libvirt host; safe to use from several threads.

    Nothing is connected until the first call, and a lost connection is made anew by the next one.
    `machine` is QEMU's machine type; `pc` boots fastest where the processor is emulated.
    `image_cache` is the folder for images on the host's own disk. A host that leaves a simple question
    unanswered for `patience` is unreachable; starting and stopping a machine may take a minute,
    copies and migrations an hour, as long as the host's keepalive is heard. `transport` is how disks are
    read; None: as well protected as the endpoint's `uri`."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        machine: str = "pc",
        image_cache: str = IMAGE_CACHE,
        patience: Seconds = QUICK,
        transport: Transport | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._machine = machine
        self._connection = Connection(endpoint.uri, patience)
        self._transport = Transport.of(endpoint.uri) if transport is None else transport
        self._images = ImageCache(self._connection.host, image_cache)

    def facts(self) -> HostFacts:
        """`capacity` is the whole machine's: processors, and memory as the kernel counts it."""

        def ask(connection: libvirt.virConnect) -> HostFacts:
            total_kib = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)["total"]
            _, _, processors = connection.getCPUMap()
            _, foreign = domains.observe(connection)
            return HostFacts(
                hypervisor=str(connection.getType()),
                version=version(connection.getVersion()),
                capacity=Resources(VCpu(processors), MiB(total_kib // 1024)),
                accelerated=accelerated(connection),
                foreign=tuple(foreign),
            )

        return self._call(ask)

    def list_servers(self) -> Sequence[ObservedServer]:
        return self._call(lambda connection: domains.observe(connection)[0])

    def ensure_image(self, image: Image) -> None:
        """Send the file at `image.location`, which the control plane reads, to the host's cache, and
        believe it once its bytes, read back from the host, have the right sha256. A cached image is
        read back once in the life of this driver."""
        self._call(lambda connection: self._images.ensure(connection, image), LONG)

    def ensure_volume(self, spec: ServerSpec) -> None:
        """A full copy of the image, made by the host; see `storage` for why and where."""
        if spec.volume.size < spec.image.virtual_size:
            raise DriverError(
                f"Server {spec.id} has a disk of {spec.volume.size} GiB, and its image {spec.image.id} needs {spec.image.virtual_size} GiB"
            )

        def make(connection: libvirt.virConnect) -> None:
            storage.require_storage(connection, self._host, spec.volume.pool_path)
            path = storage.server_folder(spec.id, spec.volume)
            folder = storage.open_folder(connection, path, make=True)
            name, size = storage.root_name(spec.volume), spec.volume.size * _GIB
            if storage.whole_root(folder, name) is not None:
                storage.grow_root(folder, name, size)
                return
            try:
                storage.require_latest(self._host, folder, name)
                image = self._images.ensure(connection, spec.image)
                storage.remove_earlier_roots(self._host, folder, name)
                storage.make_root(self._host, folder, image, name, size)
            except (DriverError, libvirt.libvirtError):
                # It goes only if it is empty.
                if connection.isAlive():
                    storage.remove_folder(connection, path)
                raise

        self._call(make, LONG)

    def grow_volume(self, spec: ServerSpec) -> None:
        """A running server's disk is grown by its QEMU, which has the volume open and tells the guest."""
        size = spec.volume.size * _GIB

        def grow(connection: libvirt.virConnect) -> None:
            domain = domains.get(connection, self._host, spec.id)
            label = domains.label(domain)
            if label is not None and label.volume.size >= spec.volume.size:
                return
            if domains.run_state(domain) is not RunState.STOPPED:
                make_way(domain)
                require_whole(domain)
                if domain.blockInfo(_ROOT_DEVICE)[0] < size:
                    domain.blockResize(_ROOT_DEVICE, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
                return
            storage.require_storage(connection, self._host, spec.volume.pool_path)
            path = storage.server_folder(spec.id, spec.volume)
            folder = storage.open_folder(connection, path)
            storage.grow_root(folder, storage.root_name(spec.volume), size)

        self._call(grow, SLOW)

    def remove_volume(self, server: ServerId, volume: VolumeSpec) -> None:
        """Remove the server's folder on the storage: volume, seed and console log."""

        def remove(connection: libvirt.virConnect) -> None:
            storage.require_storage(connection, self._host, volume.pool_path)
            leave_off(connection, server)
            path = storage.server_folder(server, volume)
            try:
                folder = storage.open_folder(connection, path)
            except libvirt.libvirtError:
                if connection.isAlive():
                    return
                raise
            storage.remove_files(self._host, folder)
            storage.remove_folder(connection, path)

        self._call(remove, SLOW)

    def define(self, spec: ServerSpec) -> None:
        """The seed is written too, except under a running server. Raises StorageUnavailable where
        `ensure_volume` has not made the server's folder."""

        def write_down(connection: libvirt.virConnect) -> None:
            existing = domains.find(connection, spec.id)
            running = existing is not None and domains.run_state(existing) is not RunState.STOPPED
            booted: Generation | None = None
            if existing is not None and running:
                label = domains.label(existing)
                booted = Generation(0) if label is None else label.booted
            else:
                self._write_seed(connection, spec)
            platform = Platform(
                accelerated(connection),
                self._machine,
                self._endpoint.bridge,
                lone_cards=lone_card.possible(connection),
            )
            domain = connection.defineXMLFlags(
                domain_xml(spec, platform, booted), libvirt.VIR_DOMAIN_DEFINE_VALIDATE
            )
            domain.setAutostart(0)
            if running:
                domains.relabel(domain, spec, booted)

        self._call(write_down, SLOW)

    def _write_seed(self, connection: libvirt.virConnect, spec: ServerSpec) -> None:
        content = seed_image(spec)
        folder = storage.open_folder(connection, storage.server_folder(spec.id, spec.volume))
        storage.replace_file(connection, folder, storage.SEED, content)

    def start(self, server: ServerId) -> None:
        """A paused server goes on, except one that is being moved."""

        def begin(connection: libvirt.virConnect) -> None:
            domain = domains.get(connection, self._host, server)
            state, reason = domain.state()
            if state in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED):
                return
            if state == libvirt.VIR_DOMAIN_PAUSED:
                if reason == libvirt.VIR_DOMAIN_PAUSED_MIGRATION:
                    raise DriverError(f"Server {server} on host {self._host} is being moved")
                if not hold_no_more(domain):
                    go_on(domain)
                return
            leave_off(connection, server)
            try:
                lone_card.create(domain)
            except libvirt.libvirtError:
                # Another call may have been faster.
                if domains.run_state(domain) is not RunState.RUNNING:
                    raise

        self._call(begin, SLOW)

    def shut_down(self, server: ServerId, grace: Seconds, listed: Generation) -> bool:
        """Ask by the guest agent where it answers, else by the ACPI power button, again every few
        seconds; the label is read before each time."""
        deadline = time.monotonic() + grace
        ask_at = time.monotonic()
        while True:
            now = time.monotonic()
            press = now >= ask_at
            if press:
                ask_at = now + _ASK_AGAIN
            if self._has_stopped(server, listed, press=press):
                return True
            if now >= deadline:
                return False
            time.sleep(min(_POLL, max(0.0, deadline - now)))

    def _has_stopped(self, server: ServerId, listed: Generation, *, press: bool) -> bool:
        def look(connection: libvirt.virConnect) -> bool:
            domain = domains.find(connection, server)
            if domain is None:
                return True
            stopped = domains.run_state(domain) is RunState.STOPPED
            domains.insist(domain, self._host, listed)
            if press and not stopped:
                try:
                    domain.shutdown()
                except libvirt.libvirtError as error:
                    # It stopped just now, or is in no state to hear.
                    if not is_code(error, libvirt.VIR_ERR_OPERATION_INVALID):
                        raise
            return stopped

        return self._call(look)

    def destroy(self, server: ServerId, listed: Generation) -> None:
        """libvirt can't compare and cut in one call: the label is the last thing read before the cut.
        A machine that another control plane defines and starts between these two calls, or relabels,
        is cut all the same and has to be started again; that takes a process that stands still just
        there, where anywhere before it would do no harm."""

        def cut(connection: libvirt.virConnect) -> bool:
            """True once it no longer runs."""
            domain = domains.find(connection, server)
            if domain is None:
                return True
            stopped = domains.run_state(domain) is RunState.STOPPED
            domains.insist(domain, self._host, listed)
            if stopped:
                return True
            try:
                domain.destroy()
            except libvirt.libvirtError as error:
                if not is_code(error, libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
                    raise
            return False

        deadline = time.monotonic() + _GOING_AWAY
        while not self._call(cut, SLOW):
            if time.monotonic() > deadline:
                raise DriverError(f"Server {server} on host {self._host} does not die")
            time.sleep(_POLL)

    def undefine(self, server: ServerId, listed: Generation) -> None:
        """As narrow as with `destroy`. A machine that was started in between goes on to run: libvirt
        only forgets how to start it again."""

        def forget(connection: libvirt.virConnect) -> None:
            domain = domains.find(connection, server)
            if domain is None:
                return
            stopped = domains.run_state(domain) is RunState.STOPPED
            label = domains.insist(domain, self._host, listed)
            leave_off(connection, server)
            if not stopped:
                raise DriverError(
                    f"Server {server} still runs on host {self._host}, so it is not forgotten there: stop it first"
                )
            domain.undefineFlags(
                libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
            )
            if label is not None:
                storage.close_folder(connection, storage.server_folder(server, label.volume))

        self._call(forget)

    def resize(self, server: ServerId, size: Resources) -> None:
        """At once: more vCPUs up to the definition's ceiling (8, or the server's own number where
        that is larger), and memory up to what the server was started with (by balloon, which the
        guest follows as far as it can). From the next start: everything else, also fewer vCPUs where
        the guest does not give them back."""

        def change(connection: libvirt.virConnect) -> None:
            domain = domains.get(connection, self._host, server)
            if domains.run_state(domain) is not RunState.STOPPED:
                _try_now(lambda: domain.setVcpusFlags(size.vcpu, libvirt.VIR_DOMAIN_AFFECT_LIVE))
                memory_kib = size.memory * 1024
                if memory_kib <= domain.maxMemory():
                    _try_now(
                        lambda: domain.setMemoryFlags(memory_kib, libvirt.VIR_DOMAIN_AFFECT_LIVE)
                    )
            written = domain.XMLDesc(
                libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
            )
            connection.defineXMLFlags(resized(written, size), 0)

        self._call(change, SLOW)

    def migrate(self, server: ServerId, target: Endpoint) -> None:
        """Peer to peer over shared storage; a stopped server's definition moves as it is."""
        there = Connection(target.uri)
        try:
            migrate(self._connection, there, target, server)
        finally:
            there.close()

    def console(self, server: ServerId, tail_bytes: int) -> str:
        """The log lies on shared storage beside the volume, so it can be read from any host of the
        pool and outlives the one that wrote it; it is read through libvirt, because the control
        plane need not reach that storage. virtlogd on the host keeps it from growing without end.
        Bytes that are not UTF-8 come as U+FFFD."""
        length = max(0, min(tail_bytes, _LONGEST_TAIL))

        def read(connection: libvirt.virConnect) -> bytes:
            label = domains.label(domains.get(connection, self._host, server))
            if label is None or not length:
                return b""
            path = storage.server_folder(server, label.volume)
            folder = storage.open_folder(connection, path)
            return storage.tail(connection, folder, storage.CONSOLE, length)

        return self._call(read).decode("utf-8", errors="replace")

    def close(self) -> None:
        self._connection.close()

    @property
    def _host(self) -> str:
        return self._connection.host

    def _call(self, work: Callable[[libvirt.virConnect], T], patience: Seconds | None = QUICK) -> T:
        return self._connection.call(work, patience)


def _try_now(change: Callable[[], object]) -> None:
    """A guest that can't take the change while it runs gets it from the definition when it starts."""
    with contextlib.suppress(libvirt.libvirtError):
        change()
