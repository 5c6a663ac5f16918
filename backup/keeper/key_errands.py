"""Does with members' keys what was asked for, and agreed to where it takes two people."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from backup.keeper.collecting import Part
from backup.keeper.errands import Errands
from backup.keeper.key_destruction import Destruction, KeysRefused, no_keys
from backup.keeper.key_telling import (
    keys_done,
    keys_entry,
    keys_failed,
    keys_held_up,
    keys_step_done,
    rewrapping_held_up,
)
from backup.keeper.keyrings import insist_on_none_under_way, keyrings, newest_of
from backup.keeper.rewrapping import Rewrapping, repositories_to_rewrap
from backup.keeper.timings import Timings
from backup.keeper.trouble import EXPECTED, setback_of
from backup.keeper.vaults import Vaults
from backup.records.agenda import key_tasks_waiting
from backup.records.restores import (
    begin_key_step,
    end_key_step,
    fail_key_task,
    finish_key_task,
    hold_up_key_task,
)
from backup.repository import Keyring
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.work import Agreed, KeyErrand, KeyTask
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Lease, LostRace, Store


@dataclass(slots=True)
class KeyErrands:
    """One at a time of each member: there is one keyring."""

    store: Store
    world: World
    vaults: Vaults
    timings: Timings
    _errands: Errands[KeyTask, None] = field(init=False)
    _rewraps: Errands[Repository, None] = field(init=False)
    _told: dict[RepositoryId, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.HOLD)
        self._rewraps = Errands(self.world, self.timings, Lane.HOLD)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands) or len(self._rewraps))

    def settle(self, lease: Lease) -> list[Exception]:
        """What could not be done now is tried again: a repository that is away comes back."""
        failures = []
        for each in self._errands.settle(lease):
            if each.error is not None:
                self._errands.leave_alone(each.name)
                failures.append(each.error)
                if isinstance(each.error, EXPECTED) and not isinstance(each.error, LostRace):
                    self._note_trouble(each.thing, each.error, lease)
        for rewrap in self._rewraps.settle(lease):
            if rewrap.error is not None:
                self._rewraps.leave_alone(rewrap.name)
                failures.append(rewrap.error)
                if isinstance(rewrap.error, EXPECTED) and not isinstance(rewrap.error, LostRace):
                    self._tell_held_up(rewrap.thing, rewrap.error, lease)
        return failures

    def look(self, lease: Lease, written: Iterable[Part] = ()) -> int:
        """`written` is what is being written to: keys are destroyed when that has ended."""
        if len(self._rewraps):
            return 0  # What that finds is to stay as it is.
        with self.store.read() as tx:
            waiting = key_tasks_waiting(tx)
            to_rewrap = repositories_to_rewrap(tx)
        members = {each.tenant for each in self._errands.things()}
        writing = {(part.tenant, part.repository.id) for part in written}
        begun = 0
        for task in waiting:
            if task.tenant in members or not self._errands.may_begin(task.id):
                continue
            if task.errand is KeyErrand.DESTROY and _in_the_way(task, writing):
                continue
            members.add(task.tenant)
            self._errands.begin(task.id, task, partial(self._carry_out, task, lease), lease)
            begun += 1
        if not len(self._errands):
            begun += self._begin_rewraps(to_rewrap, lease)
        return begun

    def _begin_rewraps(self, repositories: Iterable[Repository], lease: Lease) -> int:
        rewrapping = Rewrapping(self.store, self.world, self.vaults)
        begun = 0
        for each in repositories:
            if self._rewraps.may_begin(each.id):
                self._rewraps.begin(
                    each.id, each, partial(rewrapping.carry_out, each, lease), lease
                )
                begun += 1
        return begun

    def _tell_held_up(self, repository: Repository, error: Exception, lease: Lease) -> None:
        """The same once."""
        why = setback_of(error)
        if self._told.get(repository.id) == why.full.en:
            return
        self._told[repository.id] = why.full.en
        with self.store.write(lease) as tx:
            tx.add_event(rewrapping_held_up(repository, why, self.world.clock.now()))

    def _carry_out(self, task: KeyTask, lease: Lease) -> None:
        """Raises ObjectStoreError, and YuiError where a repository's own key is not at hand."""
        try:
            match task.errand:
                case KeyErrand.ESCROW:
                    self._escrow(task, lease)
                case KeyErrand.ROTATE:
                    self._rotate(task, lease)
                case KeyErrand.DESTROY:
                    Destruction(self.store, self.world, self.vaults).carry_out(task, lease)
        except KeysRefused as error:
            self._fail(task, error, lease)

    def _fail(self, task: KeyTask, error: KeysRefused, lease: Lease) -> None:
        why, at = setback_of(error), self.world.clock.now()
        with self.store.write(lease) as tx:
            kept = fail_key_task(tx, tx.key_task(task.id), at, why.member)
            where = () if task.repository is None else (task.repository,)
            tx.add_event(keys_failed(kept, why, at))
            tx.add_audit(keys_entry(kept, where, at, outcome=error.type))

    def _note_trouble(self, task: KeyTask, error: Exception, lease: Lease) -> None:
        why = setback_of(error)
        with self.store.write(lease) as tx:
            kept = tx.key_task(task.id)
            if isinstance(kept.standing, Agreed) and hold_up_key_task(tx, kept, why.member):
                tx.add_event(keys_held_up(kept, why, self.world.clock.now()))

    def _found(self, task: KeyTask) -> Sequence[tuple[Repository, Keyring]]:
        with self.store.read() as tx:
            among = tx.repositories(task.tenant)
        found = list(keyrings(self.vaults, among, task.tenant))
        if not any(task.repository in (None, repository.id) for repository, _ in found):
            raise no_keys()
        return found

    def _escrow(self, task: KeyTask, lease: Lease) -> None:
        named = [each for each in self._found(task) if task.repository in (None, each[0].id)]
        repository, _ = newest_of(named)
        with self.vaults.open(repository, task.tenant).vault as vault:
            sealed = base64.b64encode(vault.escrow(_recipient(task))).decode()
        self._finish(task, [r.id for r, _ in named], sealed, lease)

    def _rotate(self, task: KeyTask, lease: Lease) -> None:
        """Everywhere, whatever was named: there is one keyring. From which key it was changed is on record
        first, so that whoever does this again changes nothing twice."""
        found = self._found(task)
        with self.store.read() as tx:
            for each, _ in found:
                insist_on_none_under_way(tx, each.id, task.tenant)
        repository, keyring = newest_of(found)
        after = self._rotates_from(task, repository.id, keyring, lease)
        with self.vaults.open(repository, task.tenant).vault as vault:
            vault.rotate(after=after)
            keyring = vault.keyring
        self._note_rotated(task, lease)
        for other, _ in found:
            if other.id != repository.id:
                self.vaults.open_copy(other, keyring, lambda: False).vault.close()
        self._finish(task, [r.id for r, _ in found], None, lease)

    def _rotates_from(
        self, task: KeyTask, repository: RepositoryId, keyring: Keyring, lease: Lease
    ) -> str:
        """The id of the seal key that the new one follows."""
        with self.store.write(lease) as tx:
            standing = tx.key_task(task.id).standing
            if isinstance(standing, Agreed) and standing.steps:
                return standing.steps[0].record
            after = keyring.sealing.id
            begin_key_step(tx, task.id, repository, self.world.clock.now(), after)
        return after

    def _note_rotated(self, task: KeyTask, lease: Lease) -> None:
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            standing = tx.key_task(task.id).standing
            for step in standing.steps if isinstance(standing, Agreed) else ():
                if end_key_step(tx, task.id, step.repository, at):
                    tx.add_event(keys_step_done(task, step.repository, at))
                    fields = {"after": step.record}
                    where = [step.repository]
                    tx.add_audit(keys_entry(task, where, at, step="step", fields=fields))

    def _finish(
        self, task: KeyTask, where: Sequence[RepositoryId], result: str | None, lease: Lease
    ) -> None:
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            finish_key_task(tx, tx.key_task(task.id), at, result)
            tx.add_event(keys_done(task, sorted(where), at))
            tx.add_audit(keys_entry(task, where, at))


def _in_the_way(task: KeyTask, writing: Collection[tuple[MunicipalityCode, RepositoryId]]) -> bool:
    return any(
        tenant == task.tenant and task.repository in (None, repository)
        for tenant, repository in writing
    )


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
