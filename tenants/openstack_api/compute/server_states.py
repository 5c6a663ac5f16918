"""How far a server is, in Nova's words (API guide, "Server concepts"), from Yui's."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from control_plane.model.workload import Power, Seen, ServerStatus
from control_plane.store.server_cards import ServerCard


class State(NamedTuple):
    """`power`: 0 unknown or none, 1 running, 4 shut down (Nova's `power_state`)."""

    status: str
    vm: str | None
    task: str | None
    power: int


def state_of(card: ServerCard, now: datetime) -> State:
    power = _POWERS.get(card.seen, 0)
    status, vm, task = _told(card)
    if card.resize_until is not None and now < card.resize_until:
        resized = card.flavor != card.flavor_before
        if resized and task is None and vm in {"active", "stopped"}:
            return State("VERIFY_RESIZE", "resized", None, power)
        if not resized and task == "migrating":
            return State("RESIZE", "active", "resize_migrating", power)
    return State(status, vm, task, power)


_POWERS = {Seen.RUNNING.value: 1, Seen.STOPPED.value: 4}

_ACTIVE = ServerStatus.ACTIVE.value
_SETTLED = {
    ServerStatus.STOPPED.value: ("SHUTOFF", "stopped", None),
    ServerStatus.MIGRATING.value: ("MIGRATING", "active", "migrating"),
    ServerStatus.STRANDED.value: ("ERROR", "error", None),
    ServerStatus.SHELVED.value: ("SHELVED_OFFLOADED", "shelved_offloaded", None),
    ServerStatus.UNKNOWN.value: ("UNKNOWN", None, None),
}


def _told(card: ServerCard) -> tuple[str, str | None, str | None]:
    settled = _SETTLED.get(card.status)
    if settled is not None:
        return settled
    if card.status == _ACTIVE and not card.outdated:
        return "ACTIVE", "active", None
    runs = card.seen == Seen.RUNNING.value
    match card.status:
        case ServerStatus.DELETING.value:
            return *(("ACTIVE", "active") if runs else ("SHUTOFF", "stopped")), "deleting"
        case ServerStatus.SHELVING.value:
            return *(("ACTIVE", "active") if runs else ("SHUTOFF", "stopped")), "shelving"
        case ServerStatus.STOPPING.value:
            return "ACTIVE", "active", "powering-off"
    if card.outdated and card.power == Power.RUNNING.value:
        if card.rebuilt or card.seen == Seen.NOWHERE.value:
            return "REBUILD", "active", "rebuilding"
        if card.boot_hard:
            return "HARD_REBOOT", "active", "rebooting_hard"
        return "REBOOT", "active", "rebooting"
    if runs:
        return "ACTIVE", "active", None
    if card.seen == Seen.STOPPED.value:
        return "SHUTOFF", "stopped", "powering-on"
    return "BUILD", "building", "spawning"
