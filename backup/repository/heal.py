"""Putting a damaged or lost object back from another repository, where the same bytes lie under the
same key: packs and recovery points are equal in every copy. An index is made anew from the packs.

Only what agrees with its name is put anywhere, so that damage never travels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backup.repository.errors import Damaged, Stray
from backup.repository.ids import object_id, read_id
from backup.repository.index import Index, listed_packs
from backup.repository.index_object import ITEMS_PER_INDEX, index_object, read_index, seal_index
from backup.repository.names import ObjectKind, check_form, kind_of
from backup.repository.pack import PackFacts, read_footer
from backup.repository.point import is_point_id
from backup.repository.sizes import read_whole
from backup.repository.vault import Vault
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectLocked,
    ObjectStore,
    ObjectStoreError,
)
from control_plane.model.operation import Severity

_ITEM_BYTES = 40


class HealOutcome(StrEnum):
    WHOLE = "whole"
    """It was not damaged at all, or somebody else has healed it."""
    HEALED = "healed"
    REMADE = "remade"
    """An index, from the packs: nothing of it lay elsewhere."""
    REWRITTEN = "rewritten"
    """The repository's description: it says again what it said."""
    SALVAGED = "salvaged"
    """A keyring: the damage was not in the sealed part, from which it was wrapped anew."""
    SUPERSEDED = "superseded"
    """A keyring: a later generation was read right, and holds all of its keys."""
    NO_COPY = "no-copy"
    """No other repository that answered has it whole."""
    STRAY = "stray"
    """Nothing of the repository's: somebody else put it there."""
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
        if self.outcome is HealOutcome.STRAY:
            return Severity.WARNING
        return Severity.INFO if self.well else Severity.CRITICAL

    @property
    def well(self) -> bool:
        """Nothing of it is damaged any more."""
        return self.outcome not in (HealOutcome.NO_COPY, HealOutcome.LOCKED, HealOutcome.STRAY)

    @property
    def en(self) -> str:
        silent = f" No answer came from {', '.join(self.silent)}." if self.silent else ""
        return {
            HealOutcome.WHOLE: f"{self.key} in {self.store} is whole.",
            HealOutcome.HEALED: f"{self.key} in {self.store} was damaged and is whole again: its bytes came from {self.source}.",
            HealOutcome.REMADE: f"{self.key} in {self.store} was damaged; another index was made from the packs in its place.",
            HealOutcome.REWRITTEN: f"{self.key} in {self.store} was damaged and says again what it said before.",
            HealOutcome.SALVAGED: f"{self.key} in {self.store} was damaged around its sealed part, which is whole: it was wrapped anew.",
            HealOutcome.SUPERSEDED: f"{self.key} in {self.store} was damaged; a later generation holds all of its keys and is whole.",
            HealOutcome.NO_COPY: f"{self.key} in {self.store} is damaged, and no other repository has it whole.{silent} Keep every copy that there is, and take a new backup of what needs it.",
            HealOutcome.STRAY: f"{self.key} in {self.store} is no part of the repository, and nothing needs it: find out who put it there, and delete it.",
            HealOutcome.LOCKED: f"{self.key} in {self.store} is damaged and under retention, and the store keeps no versions: {self._elsewhere_en} until the retention ends.",
        }[self.outcome]

    @property
    def ja(self) -> str:
        silent = f"応答のない保管先: {'、'.join(self.silent)}。" if self.silent else ""
        return {
            HealOutcome.WHOLE: f"{self.store} の {self.key} は正常です。",
            HealOutcome.HEALED: f"{self.store} の {self.key} が壊れていましたが、{self.source} の写しから修復しました。",
            HealOutcome.REMADE: f"{self.store} の {self.key} が壊れていたため、パックから索引を作り直しました。",
            HealOutcome.REWRITTEN: f"{self.store} の {self.key} が壊れていましたが、以前の内容に書き直しました。",
            HealOutcome.SALVAGED: f"{self.store} の {self.key} が壊れていましたが、封じられた部分は正常だったため、包み直しました。",
            HealOutcome.SUPERSEDED: f"{self.store} の {self.key} が壊れていましたが、後の世代の鍵束が正常で、同じ鍵をすべて含んでいます。",
            HealOutcome.NO_COPY: f"{self.store} の {self.key} が壊れており、ほかの保管先にも正常な写しがありません。{silent}今ある写しをすべて残し、これを必要とするサーバーのバックアップを取り直してください。",
            HealOutcome.STRAY: f"{self.store} の {self.key} はリポジトリの一部ではなく、必要とするものもありません。誰が置いたかを確認し、削除してください。",
            HealOutcome.LOCKED: f"{self.store} の {self.key} が壊れていますが、保持期間中で、この保管先は版を保存しないため置き換えられません。保持期間が終わるまでは、{self._elsewhere_ja}。",
        }[self.outcome]

    @property
    def _elsewhere_en(self) -> str:
        return (
            f"{self.source} has it whole. Restore from there"
            if self.source
            else "Restore from another repository"
        )

    @property
    def _elsewhere_ja(self) -> str:
        return (
            f"正常な写しのある {self.source} から復元してください"
            if self.source
            else "ほかの保管先から復元してください"
        )


def heal(
    objects: ObjectStore,
    key: str,
    others: Sequence[ObjectStore],
    *,
    locked_until: datetime | None = None,
) -> Healing:
    """Make the object under `key` whole in `objects` from the first of `others` that has it so. What was
    under retention is so again, `locked_until` at least. Keyrings differ between repositories and are
    healed by heal_keyring, `repository.json` by heal_description, and indexes by heal_index. Raises
    ObjectStoreError where `objects` itself does not work, ValueError for a recovery point of which the hash
    is not known."""
    found = as_stray(objects, key)
    if found is not None:
        return found
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


def heal_index(vault: Vault, key: str, *, locked_until: datetime | None = None) -> Healing:
    """Name the packs that only the damaged or lost index under `key` named in a new one, and take the
    damaged one away; where retention keeps it, it is in nobody's way. Raises ObjectStoreError."""
    objects, tenant = vault.objects, vault.tenant
    found = None if kind_of(key, tenant) is ObjectKind.INDEX else as_stray(objects, key)
    if found is not None:
        return found
    with contextlib.suppress(Damaged, NoSuchObject):
        read_index(objects, vault.keyring, read_id(hash_in(key)), objects.stat(key).size)
        return Healing(key, objects.name, HealOutcome.WHOLE)
    index = Index(objects, vault.keyring, None)
    try:
        named = {id for id, _ in index.packs()}
    finally:
        index.close()
    facts: list[PackFacts] = []
    for id, length in listed_packs(objects, tenant):
        if id not in named:
            # A pack that is damaged, too, is a finding of its own.
            with contextlib.suppress(Damaged):
                facts.append(read_footer(objects, vault.keyring, id, length))
        if sum(len(each.footer) for each in facts) >= ITEMS_PER_INDEX * _ITEM_BYTES:
            _put_index(vault, facts, locked_until)
            facts = []
    if facts:
        _put_index(vault, facts, locked_until)
    with contextlib.suppress(ObjectLocked):
        objects.delete(key)
    return Healing(key, objects.name, HealOutcome.REMADE)


def as_stray(objects: ObjectStore, key: str) -> Healing | None:
    """None: it is an object of the repository's, or a recovery point of which only the id is known. What is
    none is to be gone, whatever it holds, and so are marks: a collector makes them. Raises
    ObjectStoreError."""
    kind = kind_of(key, key.split("/")[1]) if "/" in key else None
    if kind in (ObjectKind.PACK, ObjectKind.INDEX, ObjectKind.POINT):
        return _formless(objects, key, kind)
    if kind is ObjectKind.KEYRING:
        return None
    try:
        objects.stat(key)
    except NoSuchObject:
        if is_point_id(key.rpartition("/")[2]):
            return None
        return Healing(key, objects.name, HealOutcome.WHOLE)
    return Healing(key, objects.name, HealOutcome.STRAY)


def _formless(objects: ObjectStore, key: str, kind: ObjectKind) -> Healing | None:
    try:
        check_form(key, _read(objects, key, kind), key.split("/")[1])
    except Stray:
        return Healing(key, objects.name, HealOutcome.STRAY)
    except (Damaged, NoSuchObject):
        pass
    return None


def _put_index(vault: Vault, facts: Sequence[PackFacts], until: datetime | None) -> None:
    id, data = seal_index(facts, vault.keyring)
    vault.objects.put(index_object(vault.tenant, id), data, only_new=True, locked_until=until)


def _put_back(
    objects: ObjectStore, key: str, data: bytes, source: str, locked_until: datetime | None
) -> Healing:
    held = retention(objects, key)
    ends = [until for until in (held, locked_until) if until is not None]
    try:
        # Over what is there: where the store keeps versions, the bad one stays below until its retention ends.
        objects.put(key, data, locked_until=max(ends) if ends else None)
    except ObjectLocked:
        return Healing(key, objects.name, HealOutcome.LOCKED, source)
    if _whole(objects, key) is None:
        return Healing(key, objects.name, HealOutcome.NO_COPY)
    return Healing(key, objects.name, HealOutcome.HEALED, source)


def retention(objects: ObjectStore, key: str) -> datetime | None:
    """Until when the object is held; None where it is not, or not there."""
    try:
        return objects.stat(key).locked_until
    except NoSuchObject:
        return None


def _whole(objects: ObjectStore, key: str) -> bytes | None:
    """The object's bytes, where they agree with its name."""
    expected = hash_in(key)
    kind = kind_of(key, key.split("/")[1])
    try:
        data = b"" if kind is None else _read(objects, key, kind)
    except (Damaged, NoSuchObject):
        return None
    return data if object_id(data).hex() == expected else None


def _read(objects: ObjectStore, key: str, kind: ObjectKind) -> bytes:
    return read_whole(objects, key, kind.largest, objects.stat(key).size)


def hash_in(key: str) -> str:
    """The keyless hash that an object's key tells. Raises ValueError where it tells none."""
    return read_id(key.rpartition("/")[2].rpartition(".")[2]).hex()
