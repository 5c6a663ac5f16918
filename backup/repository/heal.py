"""Putting a damaged or lost object back from another repository, where the same bytes lie under the
same key: packs, indexes and recovery points are equal in every copy.

Only what agrees with its name is put anywhere, so that damage never travels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backup.repository.ids import object_id
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectLocked,
    ObjectStore,
    ObjectStoreError,
)
from control_plane.model.operation import Severity


class HealOutcome(StrEnum):
    WHOLE = "whole"
    """It was not damaged at all, or somebody else has healed it."""
    HEALED = "healed"
    NO_COPY = "no-copy"
    """No other repository that answered has it whole."""
    LOCKED = "locked"
    """The damaged bytes are under retention in a store that keeps no versions."""


@dataclass(frozen=True, slots=True)
class Healing:
    """`source` is the name of the store that had it whole; `silent` are the stores that did not answer."""

    key: str
    store: str
    outcome: HealOutcome
    source: str | None = None
    silent: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        well = self.outcome in (HealOutcome.WHOLE, HealOutcome.HEALED)
        return Severity.INFO if well else Severity.CRITICAL

    @property
    def en(self) -> str:
        silent = f" No answer came from {', '.join(self.silent)}." if self.silent else ""
        return {
            HealOutcome.WHOLE: f"{self.key} in {self.store} is whole.",
            HealOutcome.HEALED: f"{self.key} in {self.store} was damaged and is whole again: its bytes came from {self.source}.",
            HealOutcome.NO_COPY: f"{self.key} in {self.store} is damaged, and no other repository has it whole.{silent} Keep every copy that there is, and take a new backup of what needs it.",
            HealOutcome.LOCKED: f"{self.key} in {self.store} is damaged and under retention, and the store keeps no versions: {self.source} has it whole. Restore from there until the retention ends.",
        }[self.outcome]

    @property
    def ja(self) -> str:
        silent = f"応答のない保管先: {'、'.join(self.silent)}。" if self.silent else ""
        return {
            HealOutcome.WHOLE: f"{self.store} の {self.key} は正常です。",
            HealOutcome.HEALED: f"{self.store} の {self.key} が壊れていましたが、{self.source} の写しから修復しました。",
            HealOutcome.NO_COPY: f"{self.store} の {self.key} が壊れており、ほかの保管先にも正常な写しがありません。{silent}今ある写しをすべて残し、これを必要とするサーバーのバックアップを取り直してください。",
            HealOutcome.LOCKED: f"{self.store} の {self.key} が壊れていますが、保持期間中で、この保管先は版を保存しないため置き換えられません。保持期間が終わるまでは、正常な写しのある {self.source} から復元してください。",
        }[self.outcome]


def heal(
    objects: ObjectStore,
    key: str,
    others: Sequence[ObjectStore],
    *,
    locked_until: datetime | None = None,
) -> Healing:
    """Make the object under `key` whole in `objects` from the first of `others` that has it so. What was
    under retention is so again, `locked_until` at least. Keyrings differ between repositories and are
    never healed so. Raises ObjectStoreError where `objects` itself does not work, ValueError for a key
    that tells no hash."""
    whole = _whole(objects, key)
    if whole is not None:
        return Healing(key, objects.name, HealOutcome.WHOLE)
    silent: list[str] = []
    for other in others:
        try:
            data = _whole(other, key)
        except ObjectStoreError:
            silent.append(other.name)
            continue
        if data is not None:
            return _put_back(objects, key, data, other.name, locked_until)
    return Healing(key, objects.name, HealOutcome.NO_COPY, silent=tuple(silent))


def _put_back(
    objects: ObjectStore, key: str, data: bytes, source: str, locked_until: datetime | None
) -> Healing:
    held = _retention(objects, key)
    ends = [until for until in (held, locked_until) if until is not None]
    try:
        # Over what is there: where the store keeps versions, the bad one stays below until its retention ends.
        objects.put(key, data, locked_until=max(ends) if ends else None)
    except ObjectLocked:
        return Healing(key, objects.name, HealOutcome.LOCKED, source)
    if _whole(objects, key) is None:
        return Healing(key, objects.name, HealOutcome.NO_COPY)
    return Healing(key, objects.name, HealOutcome.HEALED, source)


def _retention(objects: ObjectStore, key: str) -> datetime | None:
    try:
        return objects.stat(key).locked_until
    except NoSuchObject:
        return None


def _whole(objects: ObjectStore, key: str) -> bytes | None:
    """The object's bytes, where they agree with its name."""
    expected = hash_in(key)
    try:
        data = objects.get(key)
    except NoSuchObject:
        return None
    return data if object_id(data).hex() == expected else None


def hash_in(key: str) -> str:
    """The keyless hash that an object's key tells. Raises ValueError where it tells none."""
    name = key.rpartition("/")[2].rpartition(".")[2]
    if len(name) != 64 or len(bytes.fromhex(name)) != 32:
        raise ValueError(f"{key[:80]!r} tells no hash")
    return name
