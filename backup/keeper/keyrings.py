"""A member has one keyring, wherever its backups lie: what one repository holds can so be copied into any
other as it is. The first place that a member writes to makes it, each further one receives it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from backup.keeper.vaults import OpenVault, Vaults
from backup.repository import Keyring
from control_plane.drivers.objects import ObjectStoreError
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.work import Carried, KeyErrand
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Store

NOTHING_THERE = frozenset({"backup-vault-absent", "backup-repository-absent"})
"""Types of errors: the member has no keys in that place, or the place is not even a repository."""


def open_to_write(
    vaults: Vaults, store: Store, repository: Repository, tenant: MunicipalityCode
) -> OpenVault:
    """Raises YuiError, ObjectStoreError; also where the member's keyring lies in other repositories alone
    and none of them answers: with another one, nothing could be copied between them."""

    def empty() -> bool:
        with store.read() as tx:
            return not tx.points_in(repository.id)

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
    never to be read again. Raises `backup-keys-destroyed`."""
    with store.read() as tx:
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


def _newest(
    vaults: Vaults,
    repositories: Iterable[Repository],
    tenant: MunicipalityCode,
    held_in: Container[RepositoryId],
) -> Keyring | None:
    """None where none has any. One that can't be asked is passed over, as long as another has it or nothing
    of the member's is known to lie there."""
    found: list[Keyring] = []
    unknown: list[Exception] = []
    for repository in repositories:
        try:
            found.extend(keyring for _, keyring in keyrings(vaults, [repository], tenant))
        except (ObjectStoreError, YuiError) as error:
            if repository.id in held_in:
                unknown.append(error)
    if unknown and not found:
        raise unknown[0]
    return max(found, key=lambda keyring: keyring.generation, default=None)


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
