"""Does with members' keys what was asked for, and agreed to where it takes two people."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from backup.keeper.errands import Errands
from backup.keeper.keyrings import keyrings
from backup.keeper.telling import keys_done, keys_entry
from backup.keeper.timings import Timings
from backup.keeper.trouble import setback_of
from backup.keeper.vaults import Vaults
from backup.records.agenda import Expiry, key_tasks_waiting
from backup.records.restores import fail_key_task, finish_key_task
from backup.records.runs import copy_removed, expire, fail_run, runs_under_way
from backup.repository import DestructionRecord, Keyring
from control_plane.drivers.objects import ObjectLocked
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.ids import KeyTaskId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Gone, Leaving
from control_plane.model.backup.work import KeyErrand, KeyTask, Trouble
from control_plane.model.errors import YuiError
from control_plane.store import Lease, Store, Transaction

_NO_KEYS = Trouble(
    "The member has no backup keys: nothing of it was ever backed up, or they are destroyed.",
    "この団体のバックアップ鍵はありません。まだバックアップがないか、すでに破棄されています。",
)
_DESTROYED = Trouble(
    "The member's backup keys were destroyed meanwhile.",
    "実行中に団体のバックアップ鍵が破棄されました。",
)


@dataclass(slots=True)
class KeyErrands:
    store: Store
    world: World
    vaults: Vaults
    timings: Timings
    _errands: Errands[KeyTask, None] = field(init=False)
    _rotated: set[KeyTaskId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.HOLD)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands))

    def settle(self) -> list[Exception]:
        """What could not be done now is tried again: a repository that is away comes back."""
        failures = []
        for each in self._errands.settle():
            if each.error is not None:
                self._errands.leave_alone(each.name)
                failures.append(each.error)
        return failures

    def look(self, lease: Lease) -> int:
        with self.store.read() as tx:
            waiting = key_tasks_waiting(tx)
        begun = 0
        for task in waiting:
            if self._errands.may_begin(task.id):
                self._errands.begin(task.id, task, partial(self._carry_out, task, lease))
                begun += 1
        return begun

    def _carry_out(self, task: KeyTask, lease: Lease) -> None:
        """Raises ObjectStoreError, and YuiError where a repository's own key is not at hand."""
        with self.store.read() as tx:
            among = tx.repositories(task.tenant)
        found = list(keyrings(self.vaults, among, task.tenant))
        named = [each for each in found if task.repository in (None, each[0].id)]
        try:
            if not named:
                raise KeysRefused("backup-keys-absent", en=_NO_KEYS.en, ja=_NO_KEYS.ja)
            match task.errand:
                case KeyErrand.ESCROW:
                    self._finish(task, [r.id for r, _ in named], self._escrow(task, named), lease)
                case KeyErrand.ROTATE:
                    # Everywhere, whatever was named: there is one keyring.
                    self._rotate(task, found)
                    self._finish(task, [r.id for r, _ in found], None, lease)
                case KeyErrand.DESTROY:
                    self._insist_on_no_disaster(task)
                    self._destroy(task, [r for r, _ in named], lease)
        except (KeysRefused, ObjectLocked) as error:
            why = setback_of(error).full
            with self.store.write(lease) as tx:
                fail_key_task(tx, tx.key_task(task.id), self.world.clock.now(), why)

    def _escrow(self, task: KeyTask, among: Sequence[tuple[Repository, Keyring]]) -> str:
        repository, _ = max(among, key=lambda each: each[1].generation)
        with self.vaults.open(repository, task.tenant).vault as vault:
            return base64.b64encode(vault.escrow(_recipient(task))).decode()

    def _rotate(self, task: KeyTask, among: Sequence[tuple[Repository, Keyring]]) -> None:
        repository, keyring = max(among, key=lambda each: each[1].generation)
        if task.id not in self._rotated:
            # Else it was done when this was tried before, and not received everywhere.
            with self.vaults.open(repository, task.tenant).vault as vault:
                vault.rotate()
                keyring = vault.keyring
            self._rotated.add(task.id)
        for other, _ in among:
            if other.id != repository.id:
                self.vaults.open_copy(other, keyring, lambda: False).vault.close()

    def _insist_on_no_disaster(self, task: KeyTask) -> None:
        """One may have been declared since it was asked for."""
        with self.store.read() as tx:
            declared = [each for each in tx.disasters(in_force=True) if each.names(task.tenant)]
        if declared:
            raise KeysRefused(
                "disaster-declared",
                en=f"A disaster is declared ({declared[0].id}), so nothing is destroyed: revoke it first, then ask again.",
                ja=f"災害宣言({declared[0].id})が出ているため、何も破棄しません。解除してから、もう一度依頼してください。",
                status=409,
            )

    def _destroy(self, task: KeyTask, among: Sequence[Repository], lease: Lease) -> None:
        records: dict[RepositoryId, DestructionRecord] = {}
        for repository in among:
            with self.vaults.open(repository, task.tenant).vault as vault:
                records[repository.id] = vault.destroy()
        told = {id: _told(record) for id, record in records.items()}
        result = json.dumps(told, ensure_ascii=False, sort_keys=True)
        self._finish(task, list(records), result, lease)

    def _finish(
        self, task: KeyTask, where: Sequence[RepositoryId], result: str | None, lease: Lease
    ) -> None:
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            finish_key_task(tx, tx.key_task(task.id), at, result)
            if task.errand is KeyErrand.DESTROY:
                self._let_go(tx, task, frozenset(where))
            tx.add_event(keys_done(task, sorted(where), at))
            tx.add_audit(keys_entry(task, sorted(where), at))

    def _let_go(self, tx: Transaction, task: KeyTask, where: frozenset[RepositoryId]) -> None:
        """No point can be read there any more, whatever lies there, nor one that is being written."""
        now = self.world.clock.now()
        for run in runs_under_way(tx):
            if run.tenant == task.tenant:
                fail_run(tx, run, now, _DESTROYED, now + timedelta(seconds=1))
        for point in tx.recovery_points(task.tenant, live=True):
            there = [
                copy.repository
                for copy in point.copies
                if copy.repository in where and not isinstance(copy.standing, Gone | Leaving)
            ]
            if there:
                left = expire(tx, Expiry(point, tuple(there), last=False), now)
                for copy in left.copies:
                    if copy.repository in there and isinstance(copy.standing, Leaving):
                        copy_removed(tx, point.id, copy.repository, now)


class KeysRefused(YuiError):
    """It can't be done, however often it is tried."""


def _recipient(task: KeyTask) -> X25519PublicKey:
    try:
        return X25519PublicKey.from_public_bytes(
            base64.b64decode(task.recipient or "", validate=True)
        )
    except (ValueError, binascii.Error):
        raise KeysRefused(
            "escrow-recipient-invalid",
            en="The recipient is not a public key: give 32 bytes of X25519 in base64.",
            ja="預託先の公開鍵が正しくありません。X25519 の32バイトを base64 で指定してください。",
        ) from None


def _told(record: DestructionRecord) -> Mapping[str, object]:
    return {
        "store": record.store,
        "at": record.at.isoformat(),
        "generations": list(record.generations),
        "seal_keys": list(record.seal_keys),
        "repository_key": record.repository_key,
        "points": record.points,
    }
