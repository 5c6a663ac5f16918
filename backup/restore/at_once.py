"""Starts servers on disks that still lie in a repository, and copies those under the running servers.

The disks are made at once: they hold nothing, and lean on the point, which this control plane serves to their
hosts. Where it is served is on record with each disk, so that whoever takes over serves it at the same place, and
a guest that has come to wait there goes on. From the moment that the servers are started nothing is ever taken
back: what they have written since lies nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from backup.keeper.sources import surroundings_of
from backup.records.restores import enter_phase
from backup.repository import Damaged
from backup.restore import telling
from backup.restore.disks import Disks, Target
from backup.restore.progress import Progress
from backup.restore.reading import PointSource
from backup.restore.selection import Chosen
from backup.restore.serving import Serving
from backup.restore.trouble import setback_of_restore
from control_plane.drivers.backup_source import ROOT_DISK, Extent
from control_plane.drivers.disks import Copying
from control_plane.drivers.protocol import DriverError, ServerSpec
from control_plane.journal.operations import draw
from control_plane.model.backing import Backing
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import RestorePhase
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Up
from control_plane.model.ids import ServerId, VolumeId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.model.volume import Volume
from control_plane.model.workload import Placed, Power, Seen, Server
from control_plane.store import Snapshot, Transaction

_LOOK = Seconds(2.0)
_FOR_ITS_START = Seconds(180.0)
"""So long a server is waited for that is to start; then its disks are copied while it stands."""
_GIB = 2**30
_NAME = 26
"""Characters of a disk's name, 130 bits: nobody guesses it."""


@dataclass(slots=True)
class AtOnce:
    """`served` lasts as long as any of the disks is served."""

    disks: Disks
    source: PointSource
    progress: Progress
    point: RecoveryPointRecord
    served: ExitStack
    _servings: list[Serving] = field(default_factory=list)
    _phase: RestorePhase = field(init=False)
    _stuck: bool = False
    _begun: Seconds = field(init=False)

    def __post_init__(self) -> None:
        self._phase = self.progress.phase
        self._begun = self.disks.world.clock.monotonic()

    @property
    def started(self) -> bool:
        """Whether the servers have been started already."""
        return self._phase is not RestorePhase.FILLING

    def lean(self, one: Chosen, name: str, disk: Target) -> Backing:
        """Raises DriverError, YuiError, and what reading raises."""
        uri = self.disks.world.disk_exports().place(f"{self.progress.begun.id}.{draw(_NAME)}")
        zeros = self.serve(one, name, uri, disk.size * _GIB)
        return Backing(self.disks.lean(disk, self.progress.attempt, uri, zeros), uri)

    def serve(self, one: Chosen, name: str, uri: str, size: int) -> Sequence[Extent]:
        """What of a disk of `size` bytes is zeros."""
        serving = self.source.serving(one.point, name)
        disk = serving.disk()
        self.served.enter_context(self.disks.world.disk_exports().serve(uri, disk))
        self._servings.append(serving)
        zeros = [each for each in disk.extents if not each.data]
        if size > disk.size:
            zeros.append(Extent(disk.size, size - disk.size, False))
        return zeros

    def start(self, tx: Transaction, made: str) -> None:
        """With whatever starts the servers, in the same transaction."""
        enter_phase(tx, self.progress.begun.id, RestorePhase.RUNNING)
        now = self.disks.world.clock.now()
        tx.add_event(telling.started(self.progress.begun, self.point, now, made))
        self._phase = RestorePhase.RUNNING

    def serve_again(
        self,
        chosen: Sequence[Chosen],
        server_of: Callable[[Chosen], ServerId],
        volume_of: Callable[[str], VolumeId],
    ) -> None:
        """After another worker has started the servers."""
        for one in chosen:
            with self.disks.store.read() as tx:
                found = _of(tx, server_of(one))
            if found is None:
                continue
            server, volumes = found
            places = {ROOT_DISK: server.leans_on} | {each.id: each.leans_on for each in volumes}
            for name in one.disks:
                uri = places.get(name if name == ROOT_DISK else volume_of(name))
                if uri is not None:
                    self.serve(one, name, uri, 0)

    def copy(self, servers: Sequence[ServerId]) -> None:
        """Until all of them hold all of their disks, or are no more. Raises StepRefused, LeaseLost."""
        clock = self.disks.world.clock
        while True:
            found = [self._look_at(server) for server in servers]
            self._tell(found)
            if all(each.whole for each in found):
                return
            clock.sleep(_LOOK)

    def _look_at(self, id: ServerId) -> Copying:
        with self.disks.store.read() as tx:
            found = _of(tx, id)
            if found is None:
                return Copying(whole=True)
            server, volumes = found
            leaning = [each for each in volumes if each.leans_on is not None]
            size = (server.disk + sum(each.size for each in volumes)) * _GIB
            if server.leans_on is None and not leaning:
                return Copying(size, size, whole=True)
            host = _home(tx.hosts(), server)
            spec = surroundings_of(tx, [server]).spec_of(server)
        if host is None or not self._may_copy(server):
            return Copying(0, size)
        try:
            copying = self.disks.world.driver(host).copy_in(spec)
        except DriverError:
            # It is being started or moved, or the host is silent: others look after that.
            return Copying(0, size)
        if copying.whole:
            self.progress.write(lambda tx: _on_its_own(tx, server, spec))
            return Copying(size, size)
        return copying

    def _may_copy(self, server: Server) -> bool:
        """Its start comes first."""
        if server.power is not Power.RUNNING or server.seen is Seen.RUNNING:
            return True
        return self.disks.world.clock.monotonic() - self._begun > _FOR_ITS_START

    def _tell(self, found: Sequence[Copying]) -> None:
        for serving in self._servings:
            for repository, damaged in serving.take_damaged():
                self.source.damaged(repository, damaged)
        if self._phase is RestorePhase.RUNNING and any(each.done for each in found):
            self._phase = RestorePhase.COPYING
            id = self.progress.begun.id
            self.progress.write(lambda tx: enter_phase(tx, id, RestorePhase.COPYING))
        self.progress.show(sum(each.done for each in found), sum(each.total for each in found))
        trouble = next((s.trouble for s in self._servings if s.trouble is not None), None)
        if (trouble is not None) is self._stuck:
            return
        self._stuck = trouble is not None
        job, now = self.progress.begun, self.disks.world.clock.now()
        if trouble is None:
            event = telling.readable_again(job, self.point, now)
        else:
            why = setback_of_restore(trouble)
            event = telling.unreadable(
                job, self.point, why, now, for_good=isinstance(trouble, Damaged)
            )
        self.progress.write(lambda tx: tx.add_event(event))


def _of(tx: Snapshot, id: ServerId) -> tuple[Server, tuple[Volume, ...]] | None:
    """None: it is to be no more."""
    try:
        server = tx.server(id)
    except YuiError:
        return None
    return None if server.deleting else (server, tx.volumes(server=id))


def _home(hosts: Sequence[Host], server: Server) -> Host | None:
    match server.placement:
        case Placed(host=at):
            return next((h for h in hosts if h.id == at and isinstance(h.health, Up)), None)
        case _:
            return None


def _on_its_own(tx: Transaction, before: Server, spec: ServerSpec) -> None:
    """Those disks that were copied, and no other builds that may have come since."""
    found = _of(tx, before.id)
    if found is None:
        return
    server, volumes = found
    copied = {each.id: each.backing for each in spec.data_volumes if each.backing is not None}
    for volume in volumes:
        if volume.leans_on is not None and copied.get(volume.id) == volume.leans_on:
            tx.save_volume(replace(volume, backing=None))
    if server.leans_on is not None and spec.volume.backing == server.leans_on:
        server = replace(server, backing=None)
    # Also where only a volume was copied: its definition is to be written down again.
    tx.save_server(server)
