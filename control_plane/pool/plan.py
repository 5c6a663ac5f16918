"""What a rehearsal answers: what would change, what becomes of the promise, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from typing_extensions import TypedDict

from control_plane.http.bounds import ResponseBody
from control_plane.model.workload import Server

Difference = TypedDict(
    "Difference",
    {"op": Literal["add", "remove", "replace"], "path": str, "from": Any, "to": Any},
)
"""One change, in the words of JSON Patch (RFC 6902): `path` points into what the API shows, such as
`/servers/web-1`. `from` is null for what is added, `to` for what is removed."""


class CertificateChange(ResponseBody):
    """Whether the region's promise holds afterwards (also for what comes next, where a failure is under
    way already), how many refuges change for it, and the room that
    is kept free for failures, in hosts of the region's average size."""

    valid: bool
    refuges_changed: int
    reserve_hosts_before: float
    reserve_hosts_after: float


class Cost(ResponseBody):
    """What the change takes of the region's capacity; below zero for what it gives back."""

    vcpus: int
    memory_mib: int
    disk_gib: int

    def negative(self) -> Cost:
        return Cost(vcpus=-self.vcpus, memory_mib=-self.memory_mib, disk_gib=-self.disk_gib)


class Rehearsal(ResponseBody):
    """What a request would do; nothing of it is written."""

    dry_run: Literal[True] = True
    diff: list[Difference]


class ChangePlan(Rehearsal):
    """What a request would do; nothing of it is written."""

    certificate: CertificateChange
    capacity: Cost


FREE = Cost(vcpus=0, memory_mib=0, disk_gib=0)


def cost_of(servers: Sequence[Server]) -> Cost:
    return Cost(
        vcpus=sum(server.size.vcpu for server in servers),
        memory_mib=sum(server.size.memory for server in servers),
        disk_gib=sum(server.disk for server in servers),
    )


def growth(before: Server, after: Server) -> Cost:
    return Cost(
        vcpus=after.size.vcpu - before.size.vcpu,
        memory_mib=after.size.memory - before.size.memory,
        disk_gib=after.disk - before.disk,
    )


def given_back(servers: Sequence[Server]) -> Cost:
    return cost_of(servers).negative()


def room_of(server: Server) -> Cost:
    """What it takes of hosts alone."""
    return Cost(vcpus=server.size.vcpu, memory_mib=server.size.memory, disk_gib=0)


def added(path: str, what: Mapping[str, Any]) -> Difference:
    return {"op": "add", "path": path, "from": None, "to": dict(what)}


def removed(path: str) -> Difference:
    return {"op": "remove", "path": path, "from": None, "to": None}


def replaced(path: str, before: Any, to: Any) -> Difference:
    return {"op": "replace", "path": path, "from": before, "to": to}
