"""What a simulated host remembers of earlier backups, and who reads disks on it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from control_plane.drivers.simulated.disk_content import DiskContent
from control_plane.model.ids import ServerId

if TYPE_CHECKING:
    from control_plane.drivers.simulated.machine import Guest, Machine
    from control_plane.drivers.simulated.storage import DataVolume, Volume


@dataclass(frozen=True, slots=True)
class Moment:
    """One disk as it was: `name` as in SourceDisk."""

    name: str
    build: int
    content: DiskContent


@dataclass(slots=True)
class Checkpoint:
    """The disks at that moment, by name. `crashes`: how often the server's disks had been cut off by
    then. `lost`: what was kept of the changes since is worth nothing."""

    moments: Mapping[str, Moment]
    crashes: int
    lost: bool = False


@dataclass(slots=True, eq=False)
class Reading:
    """`guest` None: the server is stopped, and `locks` are its disks."""

    machine: Machine
    server: ServerId
    guest: Guest | None
    deaths: int
    locks: list[Volume | DataVolume] = field(default_factory=list)
    broken: str | None = None

    @property
    def why_broken(self) -> str | None:
        if self.broken is None and self.machine.deaths != self.deaths:
            return "its host lost its power"
        if self.broken is None and self.guest is not None:
            runs = self.machine.guests.get(self.server) is self.guest
            return None if runs else "it stopped or was moved"
        return self.broken

    def end(self, why: str) -> None:
        if self.broken is None:
            self.broken = why


@dataclass(slots=True)
class Backups:
    checkpoints: dict[ServerId, dict[str, Checkpoint]] = field(default_factory=dict)
    readings: dict[ServerId, Reading] = field(default_factory=dict)

    def make_way(self, server: ServerId) -> None:
        """What is to happen to a running server comes before its reading."""
        reading = self.readings.get(server)
        if reading is not None and reading.guest is not None:
            reading.end("something else was asked of it")

    def end(self, server: ServerId) -> None:
        reading = self.readings.pop(server, None)
        if reading is not None:
            reading.end("it was asked to end, or another reading has begun")

    def forget(self, server: ServerId) -> None:
        """The server has left the host."""
        self.make_way(server)
        self.checkpoints.pop(server, None)
