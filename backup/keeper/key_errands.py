"""Does with members' keys what was asked for, and agreed to where it takes two people."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from functools import partial

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from backup.keeper.errands import Errands
from backup.keeper.telling import keys_done, keys_entry
from backup.keeper.timings import Timings
from backup.keeper.trouble import setback_of
from backup.keeper.vaults import Vaults
from backup.records.agenda import key_tasks_waiting
from backup.records.restores import fail_key_task, finish_key_task
from backup.repository import Vault
from control_plane.drivers.objects import ObjectLocked
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.places import Repository
from control_plane.model.backup.work import KeyErrand, KeyTask
from control_plane.model.errors import YuiError
from control_plane.store import Lease, Store

_NOTHING_THERE = ("backup-vault-absent", "backup-repository-absent")


@dataclass(slots=True)
class KeyErrands:
    store: Store
    world: World
    vaults: Vaults
    timings: Timings
    _errands: Errands[KeyTask, None] = field(init=False)

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
        """Raises ObjectStoreError, and YuiError where the repository's own key is not at hand."""
        with self.store.read() as tx:
            repositories = [
                each for each in tx.repositories(task.tenant) if task.repository in (None, each.id)
            ]
        results: dict[str, object] = {}
        try:
            for repository in repositories:
                done = self._in_one(task, repository)
                if done is not None:
                    results[repository.id] = done
        except (EscrowRefused, ObjectLocked) as error:
            with self.store.write(lease) as tx:
                why = setback_of(error).full
                fail_key_task(tx, tx.key_task(task.id), self.world.clock.now(), why)
            return
        self._finish(task, results, lease)

    def _finish(self, task: KeyTask, results: dict[str, object], lease: Lease) -> None:
        result: str | None = None
        if task.errand is KeyErrand.ESCROW and len(results) == 1:
            (result,) = map(str, results.values())
        elif results and task.errand is not KeyErrand.ROTATE:
            result = json.dumps(results, ensure_ascii=False, sort_keys=True)
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            finish_key_task(tx, tx.key_task(task.id), at, result)
            tx.add_event(keys_done(task, sorted(results), at))
            tx.add_audit(keys_entry(task, sorted(results), at))

    def _in_one(self, task: KeyTask, repository: Repository) -> object | None:
        """None where the member has no keys there."""
        try:
            opened = self.vaults.open(repository, task.tenant)
        except YuiError as error:
            if error.type in _NOTHING_THERE:
                return None
            raise
        with opened.vault as vault:
            match task.errand:
                case KeyErrand.ESCROW:
                    return base64.b64encode(vault.escrow(_recipient(task))).decode()
                case KeyErrand.ROTATE:
                    vault.rotate()
                    return True
                case KeyErrand.DESTROY:
                    return _destroyed(vault)


class EscrowRefused(YuiError):
    """Its recipient's key is none."""


def _recipient(task: KeyTask) -> X25519PublicKey:
    try:
        return X25519PublicKey.from_public_bytes(
            base64.b64decode(task.recipient or "", validate=True)
        )
    except (ValueError, binascii.Error):
        raise EscrowRefused(
            "escrow-recipient-invalid",
            en="The recipient is not a public key: give 32 bytes of X25519 in base64.",
            ja="預託先の公開鍵が正しくありません。X25519 の32バイトを base64 で指定してください。",
        ) from None


def _destroyed(vault: Vault) -> object:
    record = vault.destroy()
    return {
        "store": record.store,
        "at": record.at.isoformat(),
        "generations": list(record.generations),
        "seal_keys": list(record.seal_keys),
        "repository_key": record.repository_key,
        "points": record.points,
    }
