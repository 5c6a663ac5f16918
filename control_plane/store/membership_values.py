"""What a member's state says beside its name and date, as it is kept.

A state from before a field existed lacks it, so what may be missing is read so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from control_plane.model.allotment import Capacity
from control_plane.model.ids import ServerId
from control_plane.model.membership import (
    Applied,
    Approved,
    Connected,
    Departing,
    Exported,
    FirstUser,
    Hosted,
    LeaveAsked,
    Leaving,
    Left,
    MembershipState,
    OwnSite,
    Person,
    Rejected,
    Standing,
    Wanted,
    Withdrawn,
    Within,
    state_of,
)
from control_plane.model.units import GiB, MiB, VCpu

_STAGE = "stage"
"""Where a member that leaves stands, which its state alone does not say."""


def particulars_of(standing: Standing) -> dict[str, Any]:
    said = asdict(standing)
    del said["since"]
    match standing:
        case LeaveAsked(before=before) | Leaving(before=before) | Exported(before=before):
            said["before"] = {
                "state": state_of(before).value,
                "since": before.since.isoformat(),
                **particulars_of(before),
            }
        case _:
            pass
    match standing:
        case Leaving():
            said[_STAGE] = "exporting"
        case Exported(leaving_since=since):
            said[_STAGE] = "exported"
            said["leaving_since"] = since.isoformat()
        case Departing():
            said[_STAGE] = "departing"
        case _:
            pass
    return said


def standing_of(state: MembershipState, since: datetime, said: Mapping[str, Any]) -> Standing:
    match state:
        case MembershipState.APPLIED:
            return Applied(since, _person(said["by"]), _own_site(said))
        case MembershipState.APPROVED | MembershipState.CONNECTED | MembershipState.HOSTED:
            return _within(state, since, said)
        case MembershipState.REJECTED:
            return Rejected(since, _person(said["by"]), said["reason"])
        case MembershipState.WITHDRAWN:
            return Withdrawn(since, _person(said["by"]))
        case MembershipState.LEAVE_ASKED:
            return LeaveAsked(
                since, _person(said["by"]), _before(said), said["reason"], said["destroy_keys"]
            )
        case MembershipState.LEAVING:
            return _leaving(since, said)
        case MembershipState.LEFT:
            return Left(since, _person(said["by"]), said["statement"])


def wanted_values(wanted: Wanted) -> dict[str, Any]:
    quota = None if wanted.quota is None else dict(wanted.quota)
    return {"admins": [asdict(each) for each in wanted.admins], "quota": quota}


def wanted_of(kept: Mapping[str, Any] | None) -> Wanted:
    said = kept or {}
    quota = said.get("quota")
    return Wanted(
        tuple(FirstUser(**each) for each in said.get("admins", ())),
        None
        if quota is None
        else Capacity(VCpu(quota["vcpus"]), MiB(quota["memory_mib"]), GiB(quota["disk_gib"])),
    )


def _within(state: MembershipState, since: datetime, said: Mapping[str, Any]) -> Within:
    own_site = _own_site(said)
    match state:
        case MembershipState.APPROVED:
            return Approved(since, _person(said["applied_by"]), _person(said["by"]), own_site)
        case MembershipState.CONNECTED:
            return Connected(since, _person(said["by"]), cast(OwnSite, own_site))
        case _:
            return Hosted(since, own_site)


def _leaving(since: datetime, said: Mapping[str, Any]) -> Leaving | Exported | Departing:
    by = _person(said["by"])
    if said[_STAGE] == "departing":
        return Departing(since, by, said["statement"], said["destroy_keys"], said["waived"])
    asked_by, before = _person(said["asked_by"]), _before(said)
    stopped = tuple(ServerId(server) for server in said["stopped"])
    if said[_STAGE] == "exporting":
        return Leaving(since, asked_by, by, before, said["destroy_keys"], stopped)
    leaving_since = datetime.fromisoformat(said["leaving_since"])
    return Exported(since, asked_by, by, before, said["destroy_keys"], stopped, leaving_since)


def _before(said: Mapping[str, Any]) -> Within:
    before = said["before"]
    return _within(
        MembershipState(before["state"]), datetime.fromisoformat(before["since"]), before
    )


def _own_site(said: Mapping[str, Any]) -> OwnSite | None:
    return OwnSite(**said["own_site"]) if said.get("own_site") else None


def _person(said: Mapping[str, str]) -> Person:
    return Person(**said)
