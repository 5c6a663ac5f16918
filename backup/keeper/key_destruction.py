"""Destroys a member's keys, everywhere or in one repository: wholly, whatever breaks off in between.

What is to go is on record before any of it goes. Nothing is begun while something stands in its way; once
it is begun it can't fail, it only waits, and whoever takes over goes on with what is left. Meanwhile no
keyring of the member comes to be where one is to go (backup/keeper/keyrings.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from backup.keeper.key_telling import (
    destruction_begins,
    keys_done,
    keys_entry,
    keys_step_done,
    moment,
)
from backup.keeper.keyrings import NO_REPOSITORY, NOTHING_THERE
from backup.keeper.vaults import Vaults
from backup.records.agenda import Expiry
from backup.records.restores import begin_key_step, end_key_step, finish_key_task
from backup.records.runs import copy_removed, expire, fail_run, runs_under_way
from backup.repository.keyrings import REPOSITORY_OBJECT, delete_keyrings, locked_until
from control_plane.drivers.objects import NoSuchObject, ObjectLocked, ObjectStoreError
from control_plane.drivers.world import World
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Gone, Leaving, RecoveryPointRecord
from control_plane.model.backup.work import Agreed, KeyStep, KeyTask, Trouble
from control_plane.model.errors import YuiError
from control_plane.store import Lease, LeaseLost, LostRace, Snapshot, Store, Transaction

_DESTROYED = Trouble(
    "The member's backup keys were destroyed meanwhile.",
    "実行中に団体のバックアップ鍵が破棄されました。",
)


class KeysRefused(YuiError):
    """It can't be done, however often it is tried."""


def no_keys() -> KeysRefused:
    return KeysRefused(
        "backup-keys-absent",
        en="The member has no backup keys: nothing of it was ever backed up, or they are destroyed.",
        ja="この団体のバックアップ鍵はありません。まだバックアップがないか、すでに破棄されています。",
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What one repository has of the member's keys. `record` is what is told of them in the end."""

    repository: RepositoryId
    record: Mapping[str, object]
    locked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Destruction:
    store: Store
    world: World
    vaults: Vaults

    def carry_out(self, task: KeyTask, lease: Lease) -> None:
        """Raises KeysRefused while nothing is begun; YuiError and ObjectStoreError where it has to
        wait."""
        with self.store.read() as tx:
            steps = _steps(tx.key_task(task.id))
        if not steps:
            steps = self._begin(task, lease)
        self._delete_all(task, steps, lease)
        self._finish(task, lease)

    def _begin(self, task: KeyTask, lease: Lease) -> tuple[KeyStep, ...]:
        with self.store.read() as tx:
            _insist_on_no_disaster(tx, task)
            among = [r for r in tx.repositories(task.tenant) if task.repository in (None, r.id)]
            points = tx.recovery_points(task.tenant, live=True)
        looked = [(r, self._look(r, task, points)) for r in among]
        found = [each for _, each in looked if each is not None]
        if not found:
            raise no_keys()
        locked = {each.repository: each.locked_until for each in found if each.locked_until}
        if locked:
            raise _locked(task, locked)
        where = sorted(each.repository for each in found)
        now = self.world.clock.now()
        with self.store.write(lease) as write:
            # One may have been declared since: then it comes before this, or holds it.
            _insist_on_no_disaster(write, task)
            for each in found:
                record = json.dumps(each.record, ensure_ascii=False, sort_keys=True)
                begun = begin_key_step(write, task.id, each.repository, now, record)
            # Said before it is so: what counts is never what can be read no more.
            self._let_go(write, task, frozenset(where))
            write.add_event(destruction_begins(task, where, now))
            write.add_audit(keys_entry(task, where, now, step="begun"))
        return _steps(begun)

    def _look(
        self, repository: Repository, task: KeyTask, points: tuple[RecoveryPointRecord, ...]
    ) -> _Found | None:
        """None: nothing of the member's is there."""
        held = sum(_lies_in(point, repository.id) for point in points)
        try:
            opened = self.vaults.open(repository, task.tenant)
        except YuiError as error:
            if error.type not in NOTHING_THERE or (held and error.type == NO_REPOSITORY):
                raise  # It is away, and so may be its keys.
            return _Found(repository.id, _nothing(held)) if held else None
        with opened.vault as vault:
            going = vault.destruction()
            record = {
                "store": going.store,
                "generations": list(going.generations),
                "seal_keys": list(going.seal_keys),
                "repository_key": going.repository_key,
                "points": going.points,
            }
            until = locked_until(vault.objects, vault.tenant)
        return _Found(repository.id, record, until)

    def _delete_all(self, task: KeyTask, steps: Iterable[KeyStep], lease: Lease) -> None:
        """One that has to wait doesn't keep the others waiting."""
        failed: list[Exception] = []
        for step in steps:
            if step.done_at is None:
                try:
                    self._delete(task, step, lease)
                except (LeaseLost, LostRace):
                    raise
                except (ObjectStoreError, YuiError) as error:
                    failed.append(error)
        if failed:
            raise failed[0]

    def _delete(self, task: KeyTask, step: KeyStep, lease: Lease) -> None:
        with self.store.read() as tx:
            _insist_on_no_disaster(tx, task, begun=True)
            repository = tx.repository(step.repository)
        objects = self.world.objects(repository.place)
        try:
            objects.stat(REPOSITORY_OBJECT)
        except NoSuchObject:
            raise _away(repository) from None
        try:
            delete_keyrings(objects, task.tenant.text)
        except ObjectLocked:
            until = locked_until(objects, task.tenant.text)
            if until is None:
                raise
            raise _locked_meanwhile(task, {repository.id: until}) from None
        at = self.world.clock.now()
        record = json.loads(step.record)
        fields = {key: record[key] for key in ("generations", "seal_keys", "points")}
        with self.store.write(lease) as write:
            if end_key_step(write, task.id, step.repository, at):
                write.add_event(keys_step_done(task, step.repository, at))
                write.add_audit(keys_entry(task, [step.repository], at, step="step", fields=fields))

    def _finish(self, task: KeyTask, lease: Lease) -> None:
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            kept = tx.key_task(task.id)
            steps = {each.repository: each for each in _steps(kept)}
            told = {id: {**json.loads(s.record), "at": _text(s.done_at)} for id, s in steps.items()}
            where = sorted(steps)
            # Also what was begun before that and has been noted since.
            self._let_go(tx, task, frozenset(where))
            finish_key_task(tx, kept, at, json.dumps(told, ensure_ascii=False, sort_keys=True))
            tx.add_event(keys_done(task, where, at))
            tx.add_audit(keys_entry(task, where, at))

    def _let_go(self, tx: Transaction, task: KeyTask, where: frozenset[RepositoryId]) -> None:
        """No point can be read there any more, whatever lies there, nor one that is being written."""
        now = self.world.clock.now()
        for run in runs_under_way(tx):
            if run.tenant == task.tenant:
                fail_run(tx, run, now, _DESTROYED, now + timedelta(seconds=1))
        for point in tx.recovery_points(task.tenant, live=True):
            there = [each.repository for each in point.copies if each.repository in where]
            there = [each for each in there if _lies_in(point, each)]
            if there:
                left = expire(tx, Expiry(point, tuple(there), last=False), now)
                for copy in left.copies:
                    if copy.repository in there and isinstance(copy.standing, Leaving):
                        copy_removed(tx, point.id, copy.repository, now)


def _steps(task: KeyTask) -> tuple[KeyStep, ...]:
    return task.standing.steps if isinstance(task.standing, Agreed) else ()


def _lies_in(point: RecoveryPointRecord, repository: RepositoryId) -> bool:
    copy = point.copy_in(repository)
    return copy is not None and not isinstance(copy.standing, Gone | Leaving)


def _nothing(points: int) -> Mapping[str, object]:
    """Of a place where the keys are no more, though points count that they sealed."""
    return {"generations": [], "seal_keys": [], "points": points}


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _insist_on_no_disaster(tx: Snapshot, task: KeyTask, *, begun: bool = False) -> None:
    """One may have been declared since it was asked for. What is begun waits for its end."""
    declared = next((d for d in tx.disasters(in_force=True) if d.names(task.tenant)), None)
    if declared is None:
        return
    if begun:
        raise YuiError(
            "disaster-declared",
            en=f"A disaster is declared ({declared.id}), so no more is destroyed: that goes on once it is revoked.",
            ja=f"災害宣言({declared.id})が出ているため、破棄を中断しています。解除されると再開します。",
            status=409,
        )
    raise KeysRefused(
        "disaster-declared",
        en=f"A disaster is declared ({declared.id}), so nothing is destroyed: revoke it first, then ask again.",
        ja=f"災害宣言({declared.id})が出ているため、何も破棄しません。解除してから、もう一度依頼してください。",
        status=409,
    )


def _away(repository: Repository) -> YuiError:
    return YuiError(
        "backup-repository-absent",
        en=f"Repository '{repository.id}' is not in its place: put that right, and the keys there are destroyed.",
        ja=f"リポジトリ「{repository.id}」が登録された場所にありません。復旧すると、そこにある鍵も破棄されます。",
        status=503,
        fields={"repository": repository.id},
    )


def _locked(task: KeyTask, until: Mapping[RepositoryId, datetime]) -> KeysRefused:
    where, where_ja = _ends(until)
    last = moment(max(until.values()))
    return KeysRefused(
        "backup-keys-locked",
        en=f"Nothing was destroyed, as the keys of member {task.tenant} are under object lock in {where} (Japan time), which nobody can end early. Each backup that is made there puts that off: take those repositories out of the member's policies and ask again after {last}, or name a repository that holds no lock.",
        ja=f"参加団体 {task.tenant} の鍵はオブジェクトロックで保護されているため({where_ja})、何も破棄しませんでした。ロックの解除は早められず、そこへバックアップするたびに期限が延びます。ポリシーからそのリポジトリを外して {last} 以降にもう一度依頼するか、ロックのないリポジトリだけを指定してください。",
        status=409,
    )


def _locked_meanwhile(task: KeyTask, until: Mapping[RepositoryId, datetime]) -> YuiError:
    where, where_ja = _ends(until)
    return YuiError(
        "backup-keys-locked",
        en=f"The keys of member {task.tenant} are under object lock in {where} (Japan time), which nobody can end early: they are destroyed then.",
        ja=f"参加団体 {task.tenant} の鍵はオブジェクトロックで保護されています({where_ja})。解除は早められません。期限が過ぎると自動的に破棄されます。",
        status=409,
    )


def _ends(until: Mapping[RepositoryId, datetime]) -> tuple[str, str]:
    each = sorted(until.items())
    return (
        ", ".join(f"'{id}' until {moment(at)}" for id, at in each),
        "、".join(f"「{id}」は {moment(at)} まで" for id, at in each),
    )
