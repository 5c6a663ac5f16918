"""What applying a pool description would change, so that people see it before it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from control_plane.pool_file.description import PoolDescription
from control_plane.pool_file.writing import to_json


class ChangeKind(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """`thing` is `region`, `site`, `host` or `flavor`. `before` and `after` hold the keys of the
    pool file that differ, with their values; a key that is missing on one side is left out there."""

    kind: ChangeKind
    thing: str
    id: str
    before: Mapping[str, object]
    after: Mapping[str, object]


_THINGS = {"regions": "region", "sites": "site", "hosts": "host", "flavors": "flavor"}


def compare(current: PoolDescription, wanted: PoolDescription) -> tuple[Change, ...]:
    """The changes from `current` to `wanted`, by thing and id; empty where they say the same. The
    order in which things are written down makes no difference."""
    changes: list[Change] = []
    before_all, after_all = to_json(current), to_json(wanted)
    for key, thing in _THINGS.items():
        before, after = _by_id(before_all[key]), _by_id(after_all[key])
        for name in sorted({*before, *after}):
            if name not in before:
                changes.append(Change(ChangeKind.ADDED, thing, name, {}, after[name]))
            elif name not in after:
                changes.append(Change(ChangeKind.REMOVED, thing, name, before[name], {}))
            elif before[name] != after[name]:
                old, new = before[name], after[name]
                differing = [k for k in {**old, **new} if old.get(k) != new.get(k)]
                changes.append(
                    Change(
                        ChangeKind.CHANGED,
                        thing,
                        name,
                        {k: old[k] for k in differing if k in old},
                        {k: new[k] for k in differing if k in new},
                    )
                )
    return tuple(changes)


def _by_id(things: object) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    if isinstance(things, list):
        for thing in things:
            found[str(thing["id"])] = thing
    return found
