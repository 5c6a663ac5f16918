"""Which servers a list shows, and in which order (Compute API, "List Servers"). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from control_plane.model.errors import YuiError
from control_plane.store.server_cards import ServerCard
from tenants.openstack_api.compute.server_states import State, state_of
from tenants.openstack_api.compute.text_filter import text_filter
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.microversions import Version
from tenants.openstack_api.times import seconds

Keep = Callable[[ServerCard, State], bool]
Query = Sequence[tuple[str, str]]

_PAGING = frozenset({"limit", "marker", "sort_key", "sort_dir"})

_STATUSES = frozenset(
    [
        "ACTIVE",
        "BUILD",
        "DELETED",
        "ERROR",
        "HARD_REBOOT",
        "MIGRATING",
        "PASSWORD",
        "PAUSED",
        "REBOOT",
        "REBUILD",
        "RESCUE",
        "RESIZE",
        "REVERT_RESIZE",
        "SHELVED",
        "SHELVED_OFFLOADED",
        "SHUTOFF",
        "SOFT_DELETED",
        "SUSPENDED",
        "UNKNOWN",
        "VERIFY_RESIZE",
    ]
)
_YES, _NO = (
    frozenset({"true", "1", "yes", "on", "t", "y"}),
    frozenset({"false", "0", "no", "off", "f", "n"}),
)

_OPERATORS_ONLY = frozenset({"all_tenants", "all_projects"})
_EVERYTHING = frozenset({"project_id", "tenant_id"})
_IGNORED = frozenset(
    {
        "host", "node", "deleted", "soft_deleted", "reservation_id", "access_ip_v4", "access_ip_v6",
        "auto_disk_config", "kernel_id", "ramdisk_id", "root_device_name", "launch_index", "locked_by",
        "hostname", "ip6", "display_description", "config_drive", "launched_at", "terminated_at", "progress",
    }
)  # fmt: skip
"""What Nova takes from everybody and heeds from operators, or what no server here differs by."""

_SINCE_83: Mapping[str, Callable[[ServerCard, State], object]] = {
    "availability_zone": lambda card, _: card.site,
    "user_id": lambda card, _: card.made_by,
    "task_state": lambda _, state: state.task,
    "vm_state": lambda _, state: state.vm,
    "power_state": lambda _, state: state.power,
    "created_at": lambda card, _: seconds(card.made_at),
}
"""Heeded from everybody since 2.83."""

_SORT_KEYS: Mapping[str, Callable[[ServerCard], Any]] = {
    "created_at": lambda card: card.made_at,
    "updated_at": lambda card: card.changed_at,
    "display_name": lambda card: card.name,
    "hostname": lambda card: card.name,
    "display_description": lambda card: card.description or "",
    "uuid": lambda card: card.id,
    "instance_type_id": lambda card: card.flavor,
    "image_ref": lambda card: card.image,
    "availability_zone": lambda card: card.site,
    "user_id": lambda card: card.made_by or "",
    "locked": lambda card: card.protected,
}
_BY_STATE: Mapping[str, Callable[[State], Any]] = {
    "power_state": lambda state: state.power,
    "task_state": lambda state: state.task or "",
    "vm_state": lambda state: state.vm or "",
}
_SAME_FOR_ALL = frozenset(
    {
        "access_ip_v4", "access_ip_v6", "auto_disk_config", "config_drive", "kernel_id", "key_name",
        "launch_index", "launched_at", "progress", "project_id", "ramdisk_id", "root_device_name",
        "terminated_at",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters and order as a query says them; `keys` names servers' key pairs."""

    filters: tuple[Keep, ...]
    order: tuple[tuple[str, bool], ...]

    def of(self, cards: Sequence[ServerCard], now: datetime) -> list[ServerCard]:
        found = [card for card in cards if self._keeps(card, now)]
        for key, falls in reversed(self.order):
            by_state = _BY_STATE.get(key)
            if by_state is None:
                found.sort(key=_SORT_KEYS[key], reverse=falls)
            else:
                found.sort(key=_read_at(by_state, now), reverse=falls)
        return found

    def _keeps(self, card: ServerCard, now: datetime) -> bool:
        if not self.filters:
            return True
        state = state_of(card, now)
        return all(keep(card, state) for keep in self.filters)


def wanted_of(query: Query, keys: Mapping[str, str], version: Version) -> Wanted:
    """`keys` are the names of servers' key pairs. Raises `filter-unsupported`, `filter-unclear`,
    `sort-key-unknown` (400), `all-projects-refused` (403)."""
    filters: list[Keep] = []
    statuses: set[str] = set()
    for name, text in query:
        match name:
            case "status":
                statuses.add(_status(text, version))
            case "key_name" if since(version, 83):
                filters.append(_key_is(keys, text))
            case _:
                keep = _filter(name, text, version)
                if keep is not None:
                    filters.append(keep)
    if statuses:
        filters.append(lambda _, state: state.status in statuses)
    return Wanted(tuple(filters), _order(query, version))


def _read_at(read: Callable[[State], Any], now: datetime) -> Callable[[ServerCard], Any]:
    return lambda card: read(state_of(card, now))


def _filter(name: str, text: str, version: Version) -> Keep | None:
    """None where it filters nothing."""
    match name:
        case "name":
            names = text_filter(name, text)
            return lambda card, _: names.matches(card.name)
        case "ip":
            ips = text_filter(name, text)
            return lambda card, _: not card.isolated and ips.matches(card.address.partition("/")[0])
        case "image":
            return lambda card, _: card.image == text
        case "flavor":
            return lambda card, _: card.flavor == text
        case "uuid":
            return lambda card, _: card.id == text
        case "description" if since(version, 19):
            return lambda card, _: card.description == text
        case "locked" if since(version, 73):
            locked = _truth(name, text)
            return lambda card, _: card.protected is locked
        case "tags" | "tags-any" | "not-tags" | "not-tags-any" if since(version, 26):
            return _tagged(name, frozenset(text.split(",")))
        case "changes-since" | "changes-before":
            raise YuiError(
                "filter-unsupported",
                en=f"'{name}' can't be had, since servers that are gone are not kept: list them all and compare 'updated'.",
                ja=f"削除されたサーバーは残らないため「{name}」は使えません。すべて一覧して updated を比べてください。",
                status=400,
                fields={"filter": name},
            )
    if name in _OPERATORS_ONLY:
        _refuse_everybodys(name, text)
        return None
    if name in _SINCE_83:
        return _is(_SINCE_83[name], text) if since(version, 83) else None
    known = name in _PAGING or name in _IGNORED or name in _EVERYTHING or name == "key_name"
    if not known and since(version, 75):
        raise _unclear(name)
    return None


def _refuse_everybodys(name: str, text: str) -> None:
    if _truth(name, text or "1"):
        raise YuiError(
            "all-projects-refused",
            en="Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed: a member sees its own servers alone.",
            ja="他の団体のサーバーは表示できません。all_tenants を外してください。",
            status=403,
        )


def _is(read: Callable[[ServerCard, State], object], text: str) -> Keep:
    return lambda card, state: str(read(card, state)) == text


def _key_is(keys: Mapping[str, str], text: str) -> Keep:
    return lambda card, _: keys.get(card.id) == text


def _tagged(name: str, tags: frozenset[str]) -> Keep:
    match name:
        case "tags":
            return lambda card, _: tags <= set(card.tags)
        case "tags-any":
            return lambda card, _: not tags.isdisjoint(card.tags)
        case "not-tags":
            return lambda card, _: not tags <= set(card.tags)
        case _:
            return lambda card, _: tags.isdisjoint(card.tags)


def _status(text: str, version: Version) -> str:
    status = text.upper()
    if status not in _STATUSES and since(version, 38):
        raise _unclear("status")
    return status


def _order(query: Query, version: Version) -> tuple[tuple[str, bool], ...]:
    """Newest first where nothing is said."""
    keys = [text for name, text in query if name == "sort_key"]
    directions = [text for name, text in query if name == "sort_dir"]
    if any(each not in ("asc", "desc") for each in directions):
        raise _unclear("sort_dir")
    falls = directions or ["desc"]
    falls += falls[-1:] * (len(keys) - len(falls))
    order: list[tuple[str, bool]] = []
    for key, direction in zip(keys, falls, strict=False):
        if key in {*_SORT_KEYS, *_BY_STATE} and (key != "locked" or since(version, 73)):
            order.append((key, direction == "desc"))
        elif key not in _SAME_FOR_ALL:
            raise _unclear("sort_key")
    for last in ("created_at", "uuid"):
        if last not in {key for key, _ in order}:
            order.append((last, falls[-1] == "desc"))
    return tuple(order)


def _truth(name: str, text: str) -> bool:
    lowered = text.lower()
    if lowered not in _YES and lowered not in _NO:
        raise _unclear(name)
    return lowered in _YES


def _unclear(name: str) -> YuiError:
    shown = "".join(c if c.isprintable() else "?" for c in name[:40])
    return YuiError(
        "filter-unclear",
        en=f"Invalid filters are specified: '{shown}' is not known here, or not with that value.",
        ja=f"一覧の条件「{shown}」は使えないか、値が正しくありません。",
        status=400,
        fields={"filter": shown},
    )
