"""Takes one recovery point of a system: all disks of all its servers, begun together, and its container
groups' volumes, written to one repository. Its manifests come last of all, one after another under one name of their set; whoever finds
less than all of them has found nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from backup.keeper.copying import copy_disk
from backup.keeper.describing import PointDetails, describe
from backup.keeper.group_parts import held_group, volumes_of
from backup.keeper.hooks import Hooks
from backup.keeper.pace import Pace
from backup.keeper.sets import forget_set, server_point
from backup.keeper.sources import Readable, ReadableServer
from backup.keeper.vaults import OpenVault
from backup.repository import PointWriter, RecoveryPoint
from control_plane.drivers.backup_source import BackupSource, Consistency, SourceDisk
from control_plane.drivers.objects import ObjectStoreError
from control_plane.drivers.protocol import DriverError
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.dumps import Dump, HookRun
from control_plane.model.backup.ids import RecoveryPointId
from control_plane.model.backup.points import ServerPoint
from control_plane.model.blueprint import System
from control_plane.model.container_group import ContainerGroup
from control_plane.model.errors import YuiError
from control_plane.model.ids import ServerId


class BaseDoubted(DriverError):
    """What a host tells of changes does not go with the point that it was asked about."""


@dataclass(frozen=True, slots=True)
class Taken:
    """`stored_bytes` is what all of them added to the repository."""

    servers: tuple[ServerPoint, ...]
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class _Base:
    """What a server's backup goes on from: a point that could be read, and the checkpoint that goes with
    it, if any does."""

    point: RecoveryPoint | None = None
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """What is to be said of one server, or container group, whose disks are written."""

    id: ServerId
    name: str
    consistency: Consistency
    checkpoint: str | None
    description: Mapping[str, object]
    hooks: tuple[HookRun, ...] = ()
    container_group: bool = False
    changed_files: int = 0


@dataclass(slots=True)
class Taking:
    """`bases` are manifests of earlier points, by server. `quiesce`: guests are asked to hold still.
    `dumps`: what guests run before they are held and after. `locked_until`: what is written can't be removed before. `distrusted` packs are known to be damaged.
    `pulse` is called again and again with how
    many bytes are behind and how many there are, and raises what ends it."""

    world: World
    open: OpenVault
    system: System
    readable: Readable
    bases: Mapping[ServerId, str]
    quiesce: bool
    dumps: Sequence[Dump]
    most_mbit_per_s: int | None
    locked_until: datetime | None
    distrusted: frozenset[bytes]
    pulse: Callable[[int, int], None]
    _done: int = 0
    _total: int = 0
    _pace: Pace = field(init=False)
    _hooks: Hooks = field(init=False)

    def __post_init__(self) -> None:
        self._hooks = Hooks(self.world, self.readable, self.dumps, self._go_on)
        self._pace = Pace(self.world.clock, self.most_mbit_per_s, self.open.objects.sent)

    def take(self, id: RecoveryPointId, taken_at: datetime) -> Taken:
        """`id` names the set, and what hosts keep track of from now on. Raises DumpFailed, DriverError,
        ObjectStoreError, YuiError, and what `pulse` raises; nothing that counts is left then."""
        bases = {each.server.id: self._base(each.server.id) for each in self.readable.servers}
        writers: list[PointWriter] = []
        groups: list[_Part] = []
        self._hooks.before()
        try:
            with ExitStack() as held:
                try:
                    sources = self._hold(id, bases, held)
                finally:
                    self._hooks.begin_after()
                self._total = sum(disk.size for source in sources for disk in source.disks)
                for group in self.readable.groups:
                    groups += self._take_group(group, taken_at, writers)
                for each, source in zip(self.readable.servers, sources, strict=True):
                    base = bases[each.server.id]
                    writer = self._begin(each.server.id, base, taken_at, writers)
                    for disk in source.disks:
                        self._copy(disk, writer, base)
                    # What servers have in common is stored once, and memory does not grow with them.
                    writer.rest()
            self._hooks.settle()
            # Only now is it known that no reading broke.
            self.pulse(self._total, self._total)
            servers = map(self._part, self.readable.servers, sources)
            return self._commit(id, [*groups, *servers], writers)
        except Exception:
            for writer in writers:
                writer.abandon()
            raise

    def _take_group(
        self, group: ContainerGroup, taken_at: datetime, writers: list[PointWriter]
    ) -> list[_Part]:
        """Nothing where it keeps nothing."""
        volumes = volumes_of(self.world, group)
        if volumes is None:
            return []
        id = ServerId(group.id)
        base = self._base(id)
        with held_group(volumes, group, quiesce=self.quiesce) as held:
            self._total += sum(disk.size for disk in held.disks)
            writer = self._begin(id, base, taken_at, writers)
            for disk in held.disks:
                self._copy(disk, writer, base)
            writer.rest()
        return [
            _Part(
                id,
                group.name,
                held.consistency,
                None,
                held.described(self.system),
                container_group=True,
                changed_files=held.changed_files,
            )
        ]

    def _part(self, each: ReadableServer, source: BackupSource) -> _Part:
        hooks = self._hooks.of(each.server.id)
        described = describe(self.system, each, hooks)
        return _Part(
            each.server.id,
            each.server.name,
            source.consistency,
            source.checkpoint,
            described,
            hooks,
        )

    def _begin(
        self, id: ServerId, base: _Base, taken_at: datetime, writers: list[PointWriter]
    ) -> PointWriter:
        writer = self.open.vault.begin(
            id,
            self.system.id,
            base=base.point,
            taken_at=taken_at,
            locked_until=self.locked_until,
        )
        writers.append(writer)
        writer.distrust(self.distrusted)
        return writer

    def _go_on(self) -> None:
        """While guests are waited for."""
        self.pulse(self._done, max(self._total, self._done + 1))

    def _base(self, server: ServerId) -> _Base:
        """Raises Damaged."""
        id = self.bases.get(server)
        if id is None:
            return _Base()
        try:
            point = self.open.vault.point(id)
            details = PointDetails.of(self.open.vault.details(point))
        except YuiError as error:
            if error.type != "recovery-point-not-found":
                raise
            return _Base()
        return _Base(point, details.checkpoint)

    def _hold(
        self, id: RecoveryPointId, bases: Mapping[ServerId, _Base], held: ExitStack
    ) -> Sequence[BackupSource]:
        """All servers' disks at one moment, as near as hosts can: none waits for another."""

        def hold(each: ReadableServer, stack: ExitStack) -> BackupSource:
            opening = self.world.driver(each.host).open_backup(
                each.spec,
                checkpoint=id,
                since=bases[each.server.id].checkpoint,
                quiesce=self.quiesce,
            )
            return stack.enter_context(opening)

        pending = [
            self.world.submit(partial(hold, each, held.enter_context(ExitStack())), Lane.HOLD)
            for each in self.readable.servers
        ]
        sources: list[BackupSource] = []
        failures: list[Exception] = []
        # All are waited for, so that none is opened behind the back of whoever has given up.
        for one in pending:
            try:
                sources.append(one.result())
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return sources

    def _copy(self, disk: SourceDisk, writer: PointWriter, base: _Base) -> None:
        before = None
        if base.point is not None:
            before = next((each for each in base.point.disks if each.name == disk.name), None)
        if disk.changed_only and (before is None or before.size != disk.size):
            # What is not told would be taken from a disk that is another.
            raise BaseDoubted(
                f"Only changes of disk {disk.name} were told, and there is no earlier point of it."
            )
        into = writer.disk(
            disk.name,
            disk.size,
            base_disk=None if before is None else before.name,
            how="changed" if disk.changed_only else "full",
            why=None if disk.why is None else disk.why.value,
        )
        behind = self._done

        def moved(position: int) -> None:
            self._done = behind + position
            self.pulse(self._done, self._total)
            self._pace.keep(lambda: self.pulse(self._done, self._total))

        copy_disk(disk, into, moved)
        into.close()

    def _commit(
        self,
        id: RecoveryPointId,
        parts: Sequence[_Part],
        writers: Sequence[PointWriter],
    ) -> Taken:
        servers = tuple(each.id for each in parts)
        points: list[ServerPoint] = []
        stored = 0
        try:
            for each, writer in zip(parts, writers, strict=True):
                details = PointDetails(servers, each.checkpoint, each.description)
                point = writer.commit(
                    consistency=each.consistency.value, set=id, details=details.document()
                )
                points.append(
                    server_point(
                        point,
                        each.name,
                        each.hooks,
                        container_group=each.container_group,
                        changed_files=each.changed_files,
                    )
                )
                stored += point.stored_bytes
        except Exception:
            # What is in the way of this is not why it came to it.
            with suppress(ObjectStoreError):
                forget_set(self.open.vault, [each.point for each in points])
            raise
        return Taken(tuple(points), stored)
