"""How far a member has come on its way in or out, step by step, read off what is wanted and what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from control_plane.journal.member_steps import StepName, Unit
from control_plane.journal.server_progress import done, superseded
from control_plane.model.ids import ServerId
from control_plane.model.membership import (
    Applied,
    Approved,
    Connected,
    Departing,
    Exported,
    Hosted,
    LeaveAsked,
    Left,
    Membership,
    Rejected,
    Withdrawn,
)
from control_plane.model.operation import Operation
from control_plane.model.workload import (
    Power,
    Seen,
    Server,
    ServerStatus,
    Shelved,
    Stranded,
    status_of,
)
from control_plane.store import Snapshot

MEMBER_LEAVE = "member.leave"


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `total`, in `unit`; `of` names the part that it speaks of, such as a system or a file.
    A step whose size is not known yet has total 0 until it begins."""

    name: StepName
    done: int
    total: int
    unit: Unit = "steps"
    of: str | None = None
    ended: bool = False

    @property
    def weight(self) -> int:
        """For how many steps of an operation it counts: a file for one, however long it is."""
        return self.total if self.unit == "servers" else 1

    @property
    def weight_done(self) -> int:
        if self.unit == "servers":
            return self.done
        return int(self.ended)


def steps_of(tx: Snapshot, membership: Membership) -> list[Step]:
    """In the order in which they come. Empty for an application that came to nothing."""
    match membership.standing:
        case Rejected() | Withdrawn():
            return []
        case Applied() | Approved() | Connected() | Hosted():
            return _joining(tx, membership)
        case _:
            return _leaving(tx, membership)


def leaving_progress(tx: Snapshot, operation: Operation) -> Operation:
    membership = tx.find_membership(str(operation.tenant))
    if membership is None or membership.operation != operation.id:
        return superseded(operation)
    if isinstance(membership.standing, Left):
        return done(operation, operation.total)
    steps = steps_of(tx, membership)
    total = sum(step.weight for step in steps)
    return replace(operation, done=sum(step.weight_done for step in steps), total=total)


def is_off(server: Server) -> bool:
    """Nothing writes its disks, and nobody means to."""
    return server.power is not Power.RUNNING and (
        isinstance(server.placement, Stranded | Shelved)
        or server.seen in (Seen.STOPPED, Seen.NOWHERE)
    )


def _joining(tx: Snapshot, membership: Membership) -> list[Step]:
    let_in = not isinstance(membership.standing, Applied)
    steps = [_single("approved", let_in)]
    servers = tx.servers(membership.tenant.code)
    for system in tx.systems(membership.tenant.code) if let_in else ():
        own = [server for server in servers if server.system == system.id]
        up = [
            server
            for server in own
            if status_of(server) is ServerStatus.ACTIVE or server.power is not Power.RUNNING
        ]
        steps.append(
            Step("built", len(up), len(own), "servers", system.id, ended=len(up) == len(own))
        )
    if membership.own_site is not None:
        steps.append(_single("connected", isinstance(membership.standing, Connected | Hosted)))
    steps.append(_single("hosted", isinstance(membership.standing, Hosted)))
    return steps


def _leaving(tx: Snapshot, membership: Membership) -> list[Step]:
    standing, code = membership.standing, membership.tenant.code
    operation = None if membership.operation is None else tx.operation(membership.operation)
    asked = [] if operation is None else _servers(operation)
    exported = isinstance(standing, Exported | Departing | Left)
    gone = isinstance(standing, Left)
    present = {server.id: server for server in tx.servers(code)}
    # Servers that came or went between the question and the answer to it.
    known = list(dict.fromkeys([*asked, *present])) if not exported else asked
    off = [id for id in known if exported or id not in present or is_off(present[id])]
    steps = [
        _single("approved", not isinstance(standing, LeaveAsked)),
        Step("stopped", len(off), len(known), "servers", ended=len(off) == len(known)),
    ]
    for disk in () if operation is None else tx.exported_disks(operation.id):
        length = disk.length or 0
        steps.append(Step("exported", disk.done, length, "bytes", disk.path, ended=disk.whole))
    removed = len(known) if gone else sum(id not in present for id in known)
    return [
        *steps,
        _single("described", exported),
        _single("confirmed", isinstance(standing, Departing | Left)),
        Step(
            "removed",
            removed if isinstance(standing, Departing | Left) else 0,
            len(known),
            "servers",
            ended=gone,
        ),
        _single("left", gone),
    ]


def _single(name: StepName, ended: bool) -> Step:
    return Step(name, int(ended), 1, ended=ended)


def _servers(operation: Operation) -> list[ServerId]:
    found = (operation.fields or {}).get("servers", [])
    return [ServerId(id) for id in cast(Sequence[str], found)]
