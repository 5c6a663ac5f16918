"""A member has one keyring, wherever its backups lie: what one repository holds can so be copied into any
other as it is. The first place that a member writes to makes it, each further one receives it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from backup.keeper.vaults import OpenVault, Vaults
from backup.repository import Keyring
from control_plane.drivers.objects import ObjectStoreError
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.work import Agreed, Carried, KeyErrand, Trouble
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Store

NO_REPOSITORY = "backup-repository-absent"
NOTHING_THERE = frozenset({"backup-vault-absent", NO_REPOSITORY})
"""Types of errors: the member has no keys in that place, or the place is not even a repository."""


def open_to_write(
    vaults: Vaults, store: Store, repository: Repository, tenant: MunicipalityCode
) -> OpenVault:
    """Raises YuiError, ObjectStoreError; also where the member's keyring lies in other repositories alone
    and none of them answers: with another one, nothing could be copied between them."""

    def empty() -> bool:
        with store.read() as tx:
            return not tx.points_in(repository.id)

    with store.read() as tx:
        insist_on_none_under_way(tx, repository.id, tenant)
    try:
        return vaults.open(repository, tenant)
    except YuiError as error:
        if error.type not in NOTHING_THERE:
            raise
    with store.read() as tx:
        others = [each for each in tx.repositories(tenant) if each.id != repository.id]
        points = tx.recovery_points(tenant, live=True)
    newest = _newest(vaults, others, tenant, {id for point in points for id in point.held_in()})
    if newest is None:
        return vaults.open(repository, tenant, create=True, empty=empty)
    insist_on_no_destruction(store, repository, tenant)
    return vaults.open_copy(repository, newest, empty)


def insist_on_no_destruction(
    store: Store, repository: Repository, tenant: MunicipalityCode
) -> None:
    """Keys that were destroyed in that place alone don't come back to it from another: what lies there is
    never to be read again. Nor do any that are to be destroyed. Raises `backup-keys-destroyed`,
    `backup-keys-being-destroyed`."""
    with store.read() as tx:
        insist_on_none_under_way(tx, repository.id, tenant)
        tasks = tx.key_tasks(tenant)
    for task in tasks:
        destroyed = task.errand is KeyErrand.DESTROY and isinstance(task.standing, Carried)
        if destroyed and task.repository == repository.id:
            raise YuiError(
                "backup-keys-destroyed",
                en=f"The backup keys of member {tenant} were destroyed in repository '{repository.id}', so nothing new is kept there: name another place in the policy, or give the member another repository.",
                ja=f"参加団体 {tenant} のバックアップ鍵はリポジトリ「{repository.id}」で破棄されたため、新しいバックアップは保管されません。ポリシーで別の保管先を指定するか、別のリポジトリを用意してください。",
                status=410,
                fields={"repository": repository.id, "tenant": tenant.text},
            )


def destruction_under_way(
    tx: Snapshot, repository: RepositoryId, tenant: MunicipalityCode
) -> Trouble | None:
    """Why nothing new of the member's goes there: its keys are to be destroyed, or are so in part."""
    for task in tx.key_tasks(tenant, open_only=True):
        agreed = task.errand is KeyErrand.DESTROY and isinstance(task.standing, Agreed)
        if agreed and task.repository in (None, repository):
            return Trouble(
                f"The backup keys of member {tenant} are being destroyed ({task.id}): nothing of it is backed up to repository '{repository}' until that is done.",
                f"参加団体 {tenant} のバックアップ鍵を破棄しているため({task.id})、完了するまでリポジトリ「{repository}」へのバックアップは行いません。",
            )
    return None


def insist_on_none_under_way(
    tx: Snapshot, repository: RepositoryId, tenant: MunicipalityCode
) -> None:
    """Raises `backup-keys-being-destroyed`."""
    trouble = destruction_under_way(tx, repository, tenant)
    if trouble is not None:
        raise YuiError(
            "backup-keys-being-destroyed",
            en=trouble.en,
            ja=trouble.ja,
            status=409,
            fields={"repository": repository, "tenant": tenant.text},
        )


def newest_of(found: Iterable[tuple[Repository, Keyring]]) -> tuple[Repository, Keyring]:
    """Each change adds a seal key; a generation may be of the same keys, wrapped anew. Raises ValueError
    where none is."""
    return max(found, key=lambda each: (len(each[1].seal_keys), each[1].generation))


def _newest(
    vaults: Vaults,
    repositories: Iterable[Repository],
    tenant: MunicipalityCode,
    held_in: Container[RepositoryId],
) -> Keyring | None:
    """None where none has any. One that can't be asked is passed over, as long as another has it or nothing
    of the member's is known to lie there."""
    found: list[tuple[Repository, Keyring]] = []
    unknown: list[Exception] = []
    for repository in repositories:
        try:
            found.extend(keyrings(vaults, [repository], tenant))
        except (ObjectStoreError, YuiError) as error:
            if repository.id in held_in:
                unknown.append(error)
    if unknown and not found:
        raise unknown[0]
    return newest_of(found)[1] if found else None


def keyrings(
    vaults: Vaults, repositories: Iterable[Repository], tenant: MunicipalityCode
) -> Iterator[tuple[Repository, Keyring]]:
    """Raises ObjectStoreError, YuiError."""
    for repository in repositories:
        try:
            with vaults.open(repository, tenant).vault as vault:
                yield repository, vault.keyring
        except YuiError as error:
            if error.type not in NOTHING_THERE:
                raise
