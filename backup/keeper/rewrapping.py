"""Wraps every member's keys in a repository by its new key, once an operator has named one.

What is done is known by the keyrings themselves, so that whoever takes over goes on where it broke off. The
key before stays on record, and is needed, until nothing is wrapped by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from backup.keeper.key_telling import moment, rewrapped_entry, rewrapped_keys, rewrapping_done
from backup.keeper.keyrings import NO_REPOSITORY, NOTHING_THERE
from backup.keeper.telling import PRINCIPAL
from backup.keeper.vaults import Vaults
from backup.key_refs import key_at
from backup.repository import RepositoryKey
from backup.repository.keyrings import locked_until
from control_plane.drivers.objects import ObjectLocked
from control_plane.drivers.world import World
from control_plane.model.access import AuditEntry
from control_plane.model.backup.places import Repository
from control_plane.model.backup.work import Agreed, KeyErrand
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Lease, LeaseLost, LostRace, Snapshot, Store


def repositories_to_rewrap(tx: Snapshot) -> Sequence[Repository]:
    return [each for each in tx.repositories() if each.former_key_ref is not None]


@dataclass(frozen=True, slots=True)
class Rewrapping:
    """Runs while nothing else is done with anybody's keys (backup/keeper/key_errands.py)."""

    store: Store
    world: World
    vaults: Vaults

    def carry_out(self, repository: Repository, lease: Lease) -> None:
        """Raises YuiError and ObjectStoreError for what has to wait; all else is done."""
        key = key_at(repository.key_ref, repository.id)
        failed: list[Exception] = []
        locked: dict[MunicipalityCode, datetime] = {}
        for member in self._members(repository):
            try:
                until = self._rewrap(repository, member, key, lease)
            except (LeaseLost, LostRace):
                raise
            except YuiError as error:
                failed.append(error)
            else:
                if until is not None:
                    locked[member] = until
        if failed:
            raise failed[0]
        if locked:
            raise _old_ones_locked(repository, locked)
        self._finish(repository, key, lease)

    def _members(self, repository: Repository) -> Sequence[MunicipalityCode]:
        """Of whom anything is there."""
        try:
            codes = self.vaults.tenants(repository)
        except YuiError as error:
            with self.store.read() as tx:
                if error.type != NO_REPOSITORY or tx.points_in(repository.id):
                    raise
            return []  # Nothing was ever written there.
        found: list[MunicipalityCode] = []
        for code in codes:
            with suppress(YuiError):
                found.append(MunicipalityCode(code))
        return found

    def _rewrap(
        self, repository: Repository, tenant: MunicipalityCode, key: RepositoryKey, lease: Lease
    ) -> datetime | None:
        """Until when what is left of the old can't be deleted."""
        with self.store.write(lease) as tx:
            # What is being destroyed is not put anew, nor are keys that are half changed.
            _insist_on_no_errand(tx, tenant)
        try:
            opened = self.vaults.open(repository, tenant)
        except YuiError as error:
            if error.type not in NOTHING_THERE:
                raise
            return None
        until: datetime | None = None
        with opened.vault as vault:
            before = vault.keyring.generation
            try:
                vault.rewrap(key)
            except ObjectLocked:
                until = locked_until(vault.objects, vault.tenant)
        with self.vaults.open(repository, tenant).vault as vault:
            put = vault.keyring.generation != before
        if put:
            at = self.world.clock.now()
            with self.store.write(lease) as tx:
                tx.add_event(rewrapped_keys(tenant, repository, at))
                tx.add_audit(rewrapped_entry(tenant, repository, key.id, at))
        return until

    def _finish(self, repository: Repository, key: RepositoryKey, lease: Lease) -> None:
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            kept = tx.repository(repository.id)
            if kept.former_key_ref is None or kept.key_ref != repository.key_ref:
                return
            former = kept.former_key_ref
            tx.save_repository(replace(kept, former_key_ref=None))
            tx.add_event(rewrapping_done(kept, former, at))
            tx.add_audit(
                AuditEntry(
                    at=at,
                    principal=PRINCIPAL,
                    role=None,
                    tenant=None,
                    action="repository.rewrapped",
                    subject=f"repository:{kept.id}",
                    outcome="done",
                    fields={"key_ref": kept.key_ref, "former": former, "key": key.id},
                )
            )


def _insist_on_no_errand(tx: Snapshot, tenant: MunicipalityCode) -> None:
    for task in tx.key_tasks(tenant, open_only=True):
        if isinstance(task.standing, Agreed) and (
            task.errand is KeyErrand.DESTROY or task.standing.steps
        ):
            raise YuiError(
                "backup-keys-busy",
                en=f"The keys of member {tenant} are being changed or destroyed ({task.id}), which comes first.",
                ja=f"参加団体 {tenant} の鍵の更新または破棄({task.id})を先に行います。",
                status=409,
            )


def _old_ones_locked(
    repository: Repository, until: Mapping[MunicipalityCode, datetime]
) -> YuiError:
    last = moment(max(until.values()))
    return YuiError(
        "backup-keys-locked",
        en=f"All keyrings in repository '{repository.id}' are wrapped by the new key; those of {len(until)} members that the old key opens are under object lock until {last} (Japan time), and are deleted then. Keep the old key where it is until that is done.",
        ja=f"リポジトリ「{repository.id}」の鍵束はすべて新しい鍵で包み直しました。古い鍵で開ける {len(until)} 団体分の鍵束はオブジェクトロックで {last} まで保護されており、その後に削除します。それまで古い鍵を今の場所に残してください。",
        status=409,
        fields={"repository": repository.id},
    )
