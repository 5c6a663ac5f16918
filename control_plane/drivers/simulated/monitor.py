"""Watches what must never happen: two writers of one disk, and records that are gone.

It is told of every disk that is opened or closed for writing, by the simulated hardware and not by
the drivers, so that no mistake of the control plane can hide from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from control_plane.model.ids import HostId, ServerId, VolumeId
from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Violation:
    at: Seconds
    server: ServerId
    text: str

    def __str__(self) -> str:
        return f"{self.at:.1f}s {self.text}"


@dataclass(slots=True)
class InvariantMonitor:
    """`violations` in the order they happened. `double_started` are the servers that two hosts had
    open for writing at one instant."""

    violations: list[Violation] = field(default_factory=list)
    double_started: set[ServerId] = field(default_factory=set)
    _writers: dict[ServerId, set[HostId]] = field(default_factory=dict)
    _acknowledged: dict[ServerId, int] = field(default_factory=dict)
    _volume_writers: dict[VolumeId, set[tuple[ServerId, HostId]]] = field(default_factory=dict)

    def opened(self, at: Seconds, server: ServerId, host: HostId, records: int) -> bool:
        """`host` opens the disk for writing and finds `records` on it. False when another host has
        it open: what is on that disk is worth nothing from now on."""
        writers = self._writers.setdefault(server, set())
        others = sorted(writers - {host})
        writers.add(host)
        self.recorded(at, server, records)
        if others:
            self.double_started.add(server)
            self.violations.append(
                Violation(
                    at, server, f"{host} writes to the disk of {server} while {others[0]} does too"
                )
            )
        return not others

    def closed(self, server: ServerId, host: HostId) -> None:
        self._writers.get(server, set()).discard(host)

    def opened_volume(self, at: Seconds, volume: VolumeId, server: ServerId, host: HostId) -> None:
        """`server` opens a data volume on `host`; nobody else, and itself nowhere else, may have it
        open."""
        writers = self._volume_writers.setdefault(volume, set())
        others = sorted(writers - {(server, host)})
        writers.add((server, host))
        if others:
            other, elsewhere = others[0]
            text = f"{server} on {host} writes to {volume} while {other} on {elsewhere} does too"
            self.violations.append(Violation(at, server, text))

    def closed_volume(self, volume: VolumeId, server: ServerId, host: HostId) -> None:
        self._volume_writers.get(volume, set()).discard((server, host))

    def volume_writers(self, volume: VolumeId) -> frozenset[tuple[ServerId, HostId]]:
        return frozenset(self._volume_writers.get(volume, ()))

    def replaced(self, server: ServerId, records: int) -> None:
        """Its disk was made anew, as was asked for, and holds `records` from now on."""
        self._acknowledged[server] = records

    def recorded(self, at: Seconds, server: ServerId, records: int) -> None:
        """The disk holds `records` durable records now; there may never be fewer."""
        before = self._acknowledged.get(server, 0)
        if records < before:
            self.violations.append(
                Violation(
                    at, server, f"{server} had {before} records on its disk and has {records} now"
                )
            )
        self._acknowledged[server] = records

    def writers(self, server: ServerId) -> frozenset[HostId]:
        return frozenset(self._writers.get(server, ()))

    def acknowledged(self, server: ServerId) -> int:
        return self._acknowledged.get(server, 0)
