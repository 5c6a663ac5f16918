"""A server's placement as the database keeps it.

It takes three columns (its kind and the one or two hosts that hold room) so that the ledger and the
servers of one host are found by index; a stranded server keeps the evidence instead.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from control_plane.model.ids import HostId
from control_plane.model.workload import Moving, Placed, Placement, Shelved, Stranded
from control_plane.store.values import evidence_from_json, evidence_to_json


def hosts_of(placement: Placement) -> tuple[HostId, ...]:
    """The hosts that hold room for it."""
    match placement:
        case Placed(host=host):
            return (host,)
        case Moving(source=source, target=target):
            return (source, target)
        case Stranded() | Shelved():
            return ()


def placement_values(placement: Placement) -> dict[str, Any]:
    match placement:
        case Placed(host=host):
            return _placement("placed", host, None, None)
        case Moving(source=source, target=target):
            return _placement("moving", source, target, None)
        case Stranded(evidence=evidence):
            return _placement("stranded", None, None, evidence_to_json(evidence))
        case Shelved():
            return _placement("shelved", None, None, None)


def _placement(
    kind: str, host: HostId | None, target: HostId | None, evidence: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "placement_kind": kind,
        "host_id": host,
        "target_host_id": target,
        "stranded_by": evidence,
    }


def placement_of(row: Row[Any]) -> Placement:
    match row.placement_kind:
        case "placed":
            return Placed(HostId(row.host_id))
        case "moving":
            return Moving(HostId(row.host_id), HostId(row.target_host_id))
        case "stranded":
            return Stranded(evidence_from_json(row.stranded_by))
        case "shelved":
            return Shelved()
        case other:
            raise ValueError(f"no placement is called {other!r}")
