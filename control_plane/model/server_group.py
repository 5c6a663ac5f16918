"""Servers that a member wants to be kept apart from each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.model.ids import GroupId
from control_plane.model.tenant import MunicipalityCode

_BEGINNING = "grp-"


def group_id(drawn: str) -> GroupId:
    """Of one that is on record, from characters drawn at random."""
    return GroupId(f"{_BEGINNING}{drawn}")


def on_record(id: str | None) -> bool:
    """Whether a server's group is one of these: blueprints, and servers' makers, have others, which are
    kept nowhere but at the servers."""
    return id is not None and id.startswith(_BEGINNING)


@dataclass(frozen=True, slots=True)
class ServerGroup:
    """Its servers never share a host, nor meet at a refuge, whichever of the member's systems they belong
    to. `made_by` is the service account, the user or the token that made it."""

    id: GroupId
    tenant: MunicipalityCode
    name: str
    made_by: str
    created_at: datetime
