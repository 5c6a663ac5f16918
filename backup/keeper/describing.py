"""What a recovery point says of its server beside its disks, sealed: all that it takes to make the server
anew where nothing else is left of it, and what the next backup goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backup.keeper.sources import ReadableServer
from control_plane.model.blueprint import System
from control_plane.model.ids import ServerId

_DESCRIBED = 1


@dataclass(frozen=True, slots=True)
class PointDetails:
    """`servers` are all of the set. `checkpoint` is the hypervisor's, from which on it keeps track; None:
    it doesn't."""

    servers: tuple[ServerId, ...]
    checkpoint: str | None
    description: Mapping[str, Any]

    def document(self) -> dict[str, object]:
        return {
            "described": _DESCRIBED,
            "servers": list(self.servers),
            "checkpoint": self.checkpoint,
            **self.description,
        }

    @staticmethod
    def of(document: Mapping[str, Any]) -> PointDetails:
        """Of what somebody else wrote no more is believed than is there."""
        servers = document.get("servers")
        checkpoint = document.get("checkpoint")
        return PointDetails(
            tuple(map(ServerId, servers)) if isinstance(servers, list) else (),
            checkpoint if isinstance(checkpoint, str) else None,
            {k: v for k, v in document.items() if k not in ("described", "servers", "checkpoint")},
        )


def describe(system: System, readable: ReadableServer) -> dict[str, Any]:
    """In JSON's types."""
    server, spec = readable.server, readable.spec
    return {
        "system": {
            "id": system.id,
            "name": system.name,
            "blueprint": system.blueprint,
            "blueprint_version": system.blueprint_version,
            "region": system.region,
            "zone": system.zone.value,
            "tier": system.tier,
        },
        "server": {
            "id": server.id,
            "name": server.name,
            "role": server.role,
            "flavor": server.flavor,
            "vcpu": server.size.vcpu,
            "memory_mib": server.size.memory,
            "disk_gib": server.disk,
            "image": server.image,
            "zone": server.zone.value,
            "tier": server.tier,
            "start_order": server.start_order,
            "address": server.address,
            "power": server.power.value,
            "group": server.group,
            "traits": sorted(server.traits),
            "sites": sorted(server.sites),
            "protected": server.protected,
            "user_data": spec.user_data,
        },
        "volumes": [
            {"id": each.id, "name": each.name, "size_gib": each.size, "order": order}
            for order, each in enumerate(readable.volumes)
        ],
    }
