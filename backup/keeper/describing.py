"""What a recovery point says of its server beside its disks, sealed: all that it takes to make the server
anew where nothing else is left of it, and what the next backup goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from backup.keeper.sources import ReadableServer
from control_plane.model.backup.dumps import HookEnd, HookRun
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


def hooks_of(document: Mapping[str, Any]) -> tuple[HookRun, ...]:
    """What was run in the guest for it, as far as it is told."""
    found = []
    told = document.get("hooks")
    for each in told if isinstance(told, list) else ():
        with suppress(KeyError, TypeError, ValueError):
            found.append(
                HookRun(
                    str(each["hook"]),
                    bool(each["before"]),
                    HookEnd(each["end"]),
                    float(each["seconds"]),
                    each["exit_status"],
                    str(each["said"]),
                )
            )
    return tuple(found)


def describe(system: System, readable: ReadableServer, hooks: Sequence[HookRun]) -> dict[str, Any]:
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
        "hooks": [
            {
                "hook": each.hook,
                "before": each.before,
                "end": each.end.value,
                "seconds": round(each.seconds, 1),
                "exit_status": each.exit_status,
                "said": each.said,
            }
            for each in hooks
        ],
    }
