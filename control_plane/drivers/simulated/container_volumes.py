"""A region's simulated platform: container groups' volumes in memory (see drivers/container_volumes.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.container_volumes import (
    ClaimBusy,
    FileEntry,
    FileKind,
    FilePiece,
    GroupReading,
    HookFailed,
    VolumeClaim,
    VolumeReading,
    VolumeWriting,
)
from control_plane.drivers.protocol import HostUnreachable
from control_plane.drivers.simulated.gate import Gate
from control_plane.model.ids import ContainerGroupId
from control_plane.model.tenant import MunicipalityCode

_TOP = FileEntry(b"", FileKind.DIRECTORY, 0o755, 0, 0, 0)


@dataclass(slots=True)
class SimulatedFile:
    """`entry` without size and extents: `content` says them."""

    entry: FileEntry
    content: bytes = b""

    def told(self) -> FileEntry:
        if self.entry.kind is not FileKind.FILE:
            return self.entry
        size = len(self.content)
        return replace(self.entry, size=size, extents=((0, size),) if size else ())


@dataclass(slots=True)
class SimulatedVolume:
    """Files by path. Whatever runs in the group changes them here."""

    claim: VolumeClaim
    files: dict[bytes, SimulatedFile] = field(default_factory=lambda: {b"": SimulatedFile(_TOP)})
    changes: int = 0

    def put(self, path: bytes, content: bytes) -> None:
        """As a program in the group would: directories above it must be there."""
        self.changes += 1
        kept = self.files.get(path)
        entry = FileEntry(path, FileKind.FILE, 0o644, 0, 0, self.changes, self.changes)
        if kept is not None:
            entry = replace(kept.entry, modified_ns=self.changes, changed_ns=self.changes)
        self.files[path] = SimulatedFile(entry, content)


@dataclass(slots=True)
class SimulatedGroup:
    """`wants`: what it wants while it is read; a hook that fails is refused. `to_run_again`: it was stopped to be
    read."""

    volumes: dict[str, SimulatedVolume] = field(default_factory=dict)
    running: bool = True
    wants: Consistency = Consistency.CRASH
    hook_fails: bool = False
    to_run_again: bool = False


@dataclass(slots=True)
class SimulatedPlatform:
    """One region's. `silent`: it does not answer."""

    groups: dict[tuple[MunicipalityCode, ContainerGroupId], SimulatedGroup] = field(
        default_factory=dict
    )
    silent: bool = False

    def group(self, tenant: MunicipalityCode, group: ContainerGroupId) -> SimulatedGroup:
        return self.groups.setdefault((tenant, group), SimulatedGroup())


class SimulatedVolumes:
    """A ContainerVolumes."""

    def __init__(self, platform: SimulatedPlatform, gate: Gate) -> None:
        self._platform = platform
        self._gate = gate

    def claims(self, tenant: MunicipalityCode, group: ContainerGroupId) -> Sequence[VolumeClaim]:
        found = self._group(tenant, group)
        volumes = () if found is None else found.volumes.values()
        return sorted((each.claim for each in volumes), key=lambda claim: claim.name)

    @contextmanager
    def reading(
        self, tenant: MunicipalityCode, group: ContainerGroupId, *, quiesce: bool = True
    ) -> Iterator[GroupReading]:
        found = self._group(tenant, group) or SimulatedGroup(running=False)
        wants = found.wants if quiesce else Consistency.CRASH
        if found.running and wants is Consistency.QUIESCED and found.hook_fails:
            raise HookFailed("A command that the container group wants before it is read failed.")
        consistency = wants if found.running else Consistency.STOPPED
        ran = found.running or found.to_run_again
        if consistency is Consistency.STOPPED:
            found.running, found.to_run_again = False, ran
        try:
            names = sorted(found.volumes)
            yield GroupReading(
                consistency, [_Reading(found.volumes[name], self._gate) for name in names]
            )
        finally:
            if not self._gate.killed:
                found.running, found.to_run_again = ran, False

    def end_reading(self, tenant: MunicipalityCode, group: ContainerGroupId) -> None:
        found = self._group(tenant, group)
        if found is not None and found.to_run_again:
            found.running, found.to_run_again = True, False

    @contextmanager
    def writing(
        self,
        tenant: MunicipalityCode,
        group: ContainerGroupId,
        claim: VolumeClaim,
        *,
        replace: bool,
    ) -> Iterator[VolumeWriting]:
        self._group(tenant, group)
        found = self._platform.group(tenant, group)
        volume = found.volumes.setdefault(claim.name, SimulatedVolume(claim))
        if found.running:
            raise ClaimBusy(f"Volume {claim.name} is in use: stop the container group first.")
        if len(volume.files) > 1 and not replace:
            raise ClaimBusy(f"Volume {claim.name} is not empty, so nothing was written.")
        volume.files = {b"": SimulatedFile(_TOP)}
        yield _Writing(volume, self._gate)

    def _group(self, tenant: MunicipalityCode, group: ContainerGroupId) -> SimulatedGroup | None:
        self._gate.leave("volumes")
        if self._platform.silent:
            raise HostUnreachable("The platform does not answer.")
        return self._platform.groups.get((tenant, group))


@dataclass(slots=True)
class _Reading(VolumeReading):
    volume: SimulatedVolume
    gate: Gate

    @property
    def claim(self) -> VolumeClaim:
        return self.volume.claim

    def walk(self) -> Iterator[FileEntry]:
        self.gate.leave("volumes")
        for path in sorted(self.volume.files, key=_order):
            yield self.volume.files[path].told()

    def read(self, pieces: Iterable[tuple[FileEntry, int, int]]) -> Iterator[FilePiece]:
        for entry, offset, length in pieces:
            self.gate.leave("volumes")
            found = self.volume.files.get(entry.path)
            if found is None or found.entry.kind is not FileKind.FILE:
                yield FilePiece(b"", same=False)
            else:
                yield FilePiece(found.content[offset : offset + length], found.told() == entry)


@dataclass(slots=True)
class _Writing(VolumeWriting):
    volume: SimulatedVolume
    gate: Gate
    _last: SimulatedFile | None = None

    def put(self, entry: FileEntry) -> None:
        self.gate.leave("volumes")
        self._last = SimulatedFile(entry, bytes(entry.size))
        self.volume.files[entry.path] = self._last

    def write(self, offset: int, data: bytes) -> None:
        self.gate.leave("volumes")
        if self._last is None:
            raise ValueError("no file was put")
        content = self._last.content
        self._last.content = content[:offset] + data + content[offset + len(data) :]

    def finish(self) -> Sequence[bytes]:
        return ()


def _order(path: bytes) -> list[bytes]:
    return path.split(b"/") if path else []
