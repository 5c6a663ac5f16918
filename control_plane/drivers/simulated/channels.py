"""How simulated hosts are heard over the management network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from control_plane.drivers.simulated.gate import Gate
from control_plane.drivers.simulated.premises import Premises
from control_plane.drivers.world import LivenessChannel, Sign
from control_plane.model.ids import HostId
from control_plane.model.pool import Host


@dataclass(frozen=True, slots=True)
class ManagementNetwork:
    """`answered` is told of every host that is heard."""

    world: Premises
    gate: Gate
    answered: Callable[[HostId], None]
    name: str = "management-network"

    def listen(self, host: Host) -> Sign:
        self.gate.leave("listen")
        if not self.gate.uplink:
            return Sign.UNKNOWN
        if not self.world.machine(host).answers:
            return Sign.SILENT
        self.answered(host.id)
        return Sign.ALIVE


@dataclass(frozen=True, slots=True)
class Gated:
    """Another channel, listened to by a process that can be stopped."""

    channel: LivenessChannel
    gate: Gate

    @property
    def name(self) -> str:
        return self.channel.name

    def listen(self, host: Host) -> Sign:
        self.gate.leave("listen")
        return self.channel.listen(host)
