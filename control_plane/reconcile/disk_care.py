"""Makes, grows and removes volumes and snapshots that no server waits for, and records what became of disks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from control_plane.drivers.disks import DataVolumeSpec, SnapshotDiskSpec
from control_plane.drivers.protocol import DriverError, HostDriver
from control_plane.drivers.world import World
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, HostId, StoragePoolId, VolumeId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.model.volume import (
    Attached,
    ClosedOnHost,
    Detaching,
    RunsNowhere,
    ServerSnapshot,
    Unattached,
    Volume,
)
from control_plane.model.workload import Moving, Placed, Server
from control_plane.reconcile import disk_narration as narration
from control_plane.reconcile.convergence import Listings
from control_plane.reconcile.disk_errands import DisksDone
from control_plane.reconcile.disks import (
    FitVolumes,
    GrowVolumes,
    RestoreSnapshot,
    TakeSnapshot,
)
from control_plane.reconcile.health_record import insist
from control_plane.reconcile.leadership import still_held
from control_plane.reconcile.spec import Surroundings
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease, LostRace, Snapshot, Store, Transaction

_Thing = Volume | ServerSnapshot


class _Overtaken(Exception):
    """What was to be done is not wanted any more."""


@dataclass(slots=True)
class DiskCare:
    """At most one errand per volume or snapshot is under way; what failed is tried again ever later."""

    store: Store
    world: World
    timings: Timings
    _under_way: UnderWay[str, _Thing, None] = field(init=False)
    _not_before: dict[str, Seconds] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)
    _disturbed: bool = False

    def __post_init__(self) -> None:
        self._under_way = UnderWay(self.world)

    @property
    def busy(self) -> int:
        return len(self._under_way)

    def take_disturbed(self) -> bool:
        """True once after room on the storage came free."""
        disturbed, self._disturbed = self._disturbed, False
        return disturbed

    def advance(
        self,
        servers: Sequence[Server],
        surroundings: Surroundings,
        pool_hosts: Mapping[StoragePoolId, HostId],
        hosts: Mapping[HostId, Host],
        lease: Lease,
    ) -> int:
        changes = self._settle(lease)
        disks = surroundings.disks
        changes += self._free_of_placeless(servers, surroundings, lease)
        held = [volume for those in disks.volumes.values() for volume in those]
        wanted: list[_Thing] = [v for v in held if not v.made]
        wanted += [v for v in disks.free if v.deleting or not v.made]
        growing = [v for v in (*held, *disks.free) if _is_to_grow(v)]
        if growing:
            # Those of others are grown on their server's host, which may have them open.
            placed = {s.id for s in servers if isinstance(s.placement, Placed | Moving)}
            wanted += [v for v in growing if v.server not in placed]
        wanted += disks.unwanted
        for thing in wanted:
            if thing.storage in pool_hosts and self._may_try(thing.id):
                self._begin(thing, hosts[pool_hosts[thing.storage]], surroundings, lease)
                changes += 1
        return changes + self._settle(lease)

    def note_plugged(
        self,
        servers: Sequence[Server],
        observed: Listings,
        surroundings: Surroundings,
        lease: Lease,
    ) -> int:
        """Write down which volumes hypervisors have, where their servers are at home."""
        noted: dict[VolumeId, bool] = {}
        events = []
        at = self.world.clock.now()
        for server in servers:
            for volume in surroundings.disks.volumes.get(server.id, ()):
                seen = _seen_plugged(server, volume, observed)
                if seen is not None and seen is not volume.plugged:
                    noted[volume.id] = seen
                    if seen and isinstance(volume.attachment, Attached):
                        events.append(narration.attached(volume, server, at))
        if not noted:
            return 0
        with self.store.write(lease) as tx:
            tx.note_plugged(noted)
            tx.add_events(events)
        return len(noted)

    def record(self, action: object, done: DisksDone, error: str | None, lease: Lease) -> None:
        """What an errand about a server's disks came to. Where another process was ahead, the next tick
        finds out what is left to do."""
        at = self.world.clock.now()

        def write(tx: Transaction) -> int:
            match action:
                case FitVolumes():
                    for volume in sorted(done.closed):
                        self._closed(tx, action, volume)
                    for held in tx.volumes(server=action.server.id):
                        if held.id in done.held:
                            tx.add_event(narration.held(held, action.server.name, at))
                case GrowVolumes():
                    self._after_growth(tx, action, done, error)
                case TakeSnapshot():
                    self._taken(tx, action, done, error)
                case RestoreSnapshot():
                    self._restored(tx, action, error)
            return 1

        insist(self.store, lease, write)

    def _taken(
        self, tx: Transaction, action: TakeSnapshot, done: DisksDone, error: str | None
    ) -> None:
        """Unless it is there, or not wanted any more. It outlives its server, and so does what was copied."""
        current = _current_snapshot(tx, action.snapshot)
        if current is None or current.taken_at is not None or current.deleting:
            return
        server = tx.servers_among({action.server.id}).get(action.server.id)
        if server is not None and server.disk_build != action.server.disk_build:
            return
        if error is not None:
            self._snapshot_trouble(tx, current, error)
            return
        kept = replace(current, taken_at=done.taken_at, quiesced=done.quiesced, trouble=None)
        tx.save_server_snapshot(kept)
        tx.add_event(narration.taken(kept, self.world.clock.now()))

    def _restored(self, tx: Transaction, action: RestoreSnapshot, error: str | None) -> None:
        """Only what was asked for: each time that it is asked for, the disks become another build, and the
        one that the server is to have is made from the snapshot, or from the image by whoever takes it for made."""
        current = _current_snapshot(tx, action.snapshot)
        if current is None or not current.restoring or not is_same(tx, action.server):
            return
        if error is not None:
            self._snapshot_trouble(tx, current, error)
            return
        tx.save_server_snapshot(replace(current, restoring=False, trouble=None))
        tx.add_event(narration.restored(current, self.world.clock.now()))

    def _snapshot_trouble(self, tx: Transaction, snapshot: ServerSnapshot, why: str) -> None:
        tx.save_server_snapshot(replace(snapshot, trouble=why))
        tx.add_event(narration.snapshot_trouble(snapshot, why, self.world.clock.now()))

    def _after_growth(
        self, tx: Transaction, action: GrowVolumes, done: DisksDone, error: str | None
    ) -> None:
        grown = {each.id: each for each in done.grown}
        for volume in tx.volumes(server=action.server.id):
            if volume.id in grown:
                self._grown(tx, volume, grown[volume.id])
            elif volume.id in action.grow and error is not None:
                self._trouble(tx, volume, error)

    def _grown(self, tx: Transaction, volume: Volume, now: Volume | DataVolumeSpec) -> None:
        """It is so large `now`; more may have been asked for since, or another build be in its place."""
        if volume.growing and volume.size <= now.size and volume.build == now.build:
            grown = tx.save_volume(replace(volume, growing=False, trouble=None))
            tx.add_event(narration.grown(grown, self.world.clock.now()))

    def _trouble(self, tx: Transaction, volume: Volume, why: str) -> None:
        """Unless what failed has been done by another since."""
        settled = volume.made and not volume.growing and not volume.deleting
        if volume.trouble != why and not settled:
            tx.save_volume(replace(volume, trouble=why))
            tx.add_event(narration.volume_trouble(volume, why, self.world.clock.now()))

    def _closed(self, tx: Transaction, action: FitVolumes, id: VolumeId) -> None:
        """Free, if it is still this server's to let go and nothing was decided about the server since."""
        at = self.world.clock.now()
        server = tx.servers_among({action.server.id}).get(action.server.id)
        volume = next((v for v in tx.volumes(server=action.server.id) if v.id == id), None)
        if volume is None or not isinstance(volume.attachment, Detaching):
            if volume is None:
                tx.add_event(narration.taken_back(action.server, id, action.host, at))
            return
        if (
            server is None
            or server.generation != action.server.generation
            or server.placement != Placed(action.host)
        ):
            return
        free = volume.attachment.let_go(ClosedOnHost(server.id, action.host))
        tx.save_volume(replace(volume, attachment=free, plugged=False))
        tx.add_event(narration.detached(volume, server.name, at))

    def _free_of_placeless(
        self, servers: Sequence[Server], surroundings: Surroundings, lease: Lease
    ) -> int:
        """Servers that are on no host hold nothing open."""
        waiting = [
            server.id
            for server in servers
            if not isinstance(server.placement, Placed | Moving)
            and surroundings.disks.leaving(server.id)
        ]
        if not waiting:
            return 0
        changes = 0
        with self.store.write(lease) as tx:
            for server in tx.servers_among(waiting).values():
                if isinstance(server.placement, Placed | Moving):
                    continue
                for volume in tx.volumes(server=server.id):
                    if isinstance(volume.attachment, Detaching):
                        free = volume.attachment.let_go(RunsNowhere.of(server))
                        tx.save_volume(replace(volume, attachment=free, plugged=False))
                        at = self.world.clock.now()
                        tx.add_event(narration.detached(volume, server.name, at))
                        changes += 1
        return changes

    def _may_try(self, id: str) -> bool:
        now = self.world.clock.monotonic()
        return id not in self._under_way and now >= self._not_before.get(id, now)

    def _begin(self, thing: _Thing, host: Host, surroundings: Surroundings, lease: Lease) -> None:
        work = self._work(thing, surroundings)

        def task() -> None:
            self._insist(thing, lease)
            work(self.world.driver(host))

        self._under_way.begin(thing.id, thing, task, lease)

    def _work(self, thing: _Thing, surroundings: Surroundings) -> Callable[[HostDriver], None]:
        if isinstance(thing, ServerSnapshot):
            snapshot = surroundings.snapshot_spec(thing)
            return lambda driver: driver.remove_snapshot(snapshot)
        volume = surroundings.volume_spec(thing)
        if thing.deleting:
            return lambda driver: driver.remove_data_volume(volume)
        if thing.made:
            # No copy of a server is listed: whoever has it open on a host has its lock.
            return lambda driver: driver.grow_data_volume(volume, None, Generation(0))
        return lambda driver: driver.ensure_data_volume(volume, self._source(thing, surroundings))

    def _source(self, volume: Volume, surroundings: Surroundings) -> SnapshotDiskSpec | None:
        if volume.source is None:
            return None
        with self.store.read() as tx:
            snapshot = tx.server_snapshot(volume.source.snapshot)
        return SnapshotDiskSpec(surroundings.snapshot_spec(snapshot), volume.source.volume)

    def _insist(self, thing: _Thing, lease: Lease) -> None:
        with self.store.read() as tx:
            current = _current(tx, thing)
            if current is None or current.generation != thing.generation:
                raise _Overtaken
            if not still_held(tx, lease):
                raise _Overtaken

    def _settle(self, lease: Lease) -> int:
        changes = 0
        for id, thing, pending in self._under_way.ended(lease):
            try:
                pending.result()
            except _Overtaken:
                continue
            except Exception as error:  # one disk's trouble must not stop the care for the others
                known = isinstance(error, DriverError | TimeoutError)
                self._set_back(
                    thing, str(error) if known else f"{type(error).__name__}: {error}", lease
                )
                continue
            self._failures.pop(id, None)
            self._not_before.pop(id, None)
            try:
                self._done(thing, lease)
            except LostRace:
                # The next tick does it again, and finds it done.
                continue
            changes += 1
        return changes

    def _done(self, thing: _Thing, lease: Lease) -> None:
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            current = _current(tx, thing)
            match current:
                case None:
                    return
                case ServerSnapshot():
                    tx.remove_server_snapshot(current.id)
                    tx.add_event(narration.snapshot_removed(current, at))
                    self._disturbed = True
                case Volume() if thing.deleting:
                    if isinstance(current.attachment, Unattached):
                        tx.remove_volume(current.id)
                        tx.add_event(narration.removed(current, at))
                        self._disturbed = True
                case Volume() if isinstance(thing, Volume) and thing.made:
                    self._grown(tx, current, thing)
                case Volume():
                    tx.save_volume(replace(current, made=True, source=None, trouble=None))
                    tx.add_event(narration.made(current, at))

    def _set_back(self, thing: _Thing, why: str, lease: Lease) -> None:
        times = self._failures[thing.id] = self._failures.get(thing.id, 0) + 1
        wait = min(self.timings.retry_first * 2 ** (times - 1), self.timings.retry_most)
        self._not_before[thing.id] = Seconds(self.world.clock.monotonic() + wait)
        try:
            with self.store.write(lease) as tx:
                current = _current(tx, thing)
                if current is None or current.trouble == why:
                    return
                if isinstance(current, Volume):
                    self._trouble(tx, current, why)
                else:
                    self._snapshot_trouble(tx, current, why)
        except LostRace:
            return


def is_same(tx: Snapshot, server: Server) -> bool:
    """Whether nothing was decided about it since, not even that it goes."""
    current = tx.servers_among({server.id}).get(server.id)
    return current is not None and current.generation == server.generation


def _is_to_grow(volume: Volume) -> bool:
    return volume.growing and volume.made and not volume.deleting and volume.leans_on is None


def _current(tx: Snapshot, thing: _Thing) -> _Thing | None:
    try:
        if isinstance(thing, Volume):
            return tx.volume(thing.id)
        return tx.server_snapshot(thing.id)
    except YuiError:
        return None


def _current_snapshot(tx: Transaction, snapshot: ServerSnapshot) -> ServerSnapshot | None:
    current = _current(tx, snapshot)
    return current if isinstance(current, ServerSnapshot) else None


def _seen_plugged(server: Server, volume: Volume, observed: Listings) -> bool | None:
    """Whether its server's host has it for the server; None where that host did not answer."""
    match server.placement:
        case Placed(host=host) if host in observed:
            machine = observed[host].get(server.id)
            return None if machine is None else volume.id in machine.volumes
        case _:
            return None
