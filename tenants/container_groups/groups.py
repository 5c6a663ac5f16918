"""Container groups are made, changed and deleted, each in one transaction with what tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from control_plane.admission.container_groups import check
from control_plane.journal.operations import draw
from control_plane.model.container_group import Container, ContainerGroup
from control_plane.model.errors import YuiError
from control_plane.model.ids import ContainerGroupId, Generation, SystemId
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker

_MOST = 200
_ON_RECORD = (
    "was put on record, where it waits for the platform,",
    "を登録しました(プラットフォームの提供開始待ち)",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """`replicas` copies of the containers."""

    replicas: int
    containers: tuple[Container, ...]

    def __post_init__(self) -> None:
        names = [container.name for container in self.containers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise YuiError(
                "container-name-twice",
                en=f"Two containers of the group are called '{twice}': give each a name of its own.",
                ja=f"グループ内の2つのコンテナーが同じ名前「{twice}」です。別々の名前を付けてください。",
                fields={"name": twice},
            )


def find(tx: Snapshot, named: str, tenant: MunicipalityCode | None) -> ContainerGroup:
    """By id, or by name. With `tenant`, another member's is not found. Raises
    `container-group-not-found`."""
    try:
        return tx.container_group(ContainerGroupId(named), tenant)
    except YuiError:
        found = tx.container_groups(tenant, named=named)
        if len(found) != 1:
            raise
        return found[0]


def create(
    tx: Transaction, name: str, system_id: SystemId, wanted: Wanted, asker: Asker
) -> tuple[ContainerGroup, Ledger]:
    """Raises `system-not-found`, `system-deleting`, `container-group-exists`, `container-groups-too-many`, and what
    `check` raises."""
    system = tx.system(system_id, asker.tenant)
    if system.deleting:
        raise _system_deleting(system.id)
    group = ContainerGroup(
        id=ContainerGroupId(f"cg-{draw(16)}"),
        tenant=system.tenant,
        system=system.id,
        region=system.region,
        name=name,
        zone=system.zone,
        tier=system.tier,
        replicas=wanted.replicas,
        containers=wanted.containers,
        created_at=asker.at,
    )
    if len(tx.container_groups(system.tenant, limit=_MOST)) >= _MOST:
        raise _too_many(system.tenant)
    ledger = check(tx, group)
    group = tx.add_container_group(group)
    tell(tx, "container-group.create", group, asker, _ON_RECORD)
    return group, ledger


def change(
    tx: Transaction,
    group: ContainerGroup,
    wanted: Wanted,
    asker: Asker,
    expected: Generation | None,
) -> tuple[ContainerGroup, Ledger]:
    """Raises `container-group-changed`, and what `check` raises."""
    expect(group, expected)
    before = group
    group = replace(group, replicas=wanted.replicas, containers=wanted.containers)
    ledger = check(tx, group, before)
    group = tx.save_container_group(group)
    tell(tx, "container-group.change", group, asker, ("was changed", "を変更しました"))
    return group, ledger


def delete(
    tx: Transaction, group: ContainerGroup, asker: Asker, expected: Generation | None
) -> None:
    """Raises `container-group-changed`."""
    expect(group, expected)
    tx.remove_container_group(group.id)
    tell(tx, "container-group.delete", group, asker, ("was deleted", "を削除しました"))


def expect(group: ContainerGroup, expected: Generation | None) -> None:
    if expected is not None and group.generation != expected:
        raise YuiError(
            "container-group-changed",
            en=f"Container group {group.name} has changed since you read it (generation {group.generation}, not {expected}): read it again.",
            ja=f"コンテナーグループ {group.name} は読み取り後に変更されています(世代 {group.generation}、指定は {expected})。読み直してください。",
            status=412,
            fields={"container_group": group.id, "generation": group.generation},
        )


def tell(
    tx: Transaction, action: str, group: ContainerGroup, asker: Asker, said: Sequence[str]
) -> None:
    """The event and the entry of the audit trail."""
    subject = f"container-group:{group.id}"
    tx.add_event(
        Event(
            action,
            subject,
            asker.at,
            Severity.INFO,
            f"Container group {group.name} {said[0]} by {asker.who.label}.",
            f"{asker.who.label} さんがコンテナーグループ {group.name} {said[1]}。",
            group.tenant.text,
        )
    )
    fields = {"name": group.name, "replicas": group.replicas}
    tx.add_audit(asker.who.did(action, subject, asker.at, tenant=group.tenant, fields=fields))


def _system_deleting(system: SystemId) -> YuiError:
    return YuiError(
        "system-deleting",
        en=f"System '{system}' is being removed, so it takes no container groups.",
        ja=f"システム「{system}」は削除処理中のため、コンテナーグループを追加できません。",
        status=409,
        fields={"system": system},
    )


def _too_many(tenant: MunicipalityCode) -> YuiError:
    return YuiError(
        "container-groups-too-many",
        en=f"Member {tenant} has {_MOST} container groups, which is the most: delete one first.",
        ja=f"参加団体 {tenant} のコンテナーグループは上限の {_MOST} 個に達しています。先に不要なものを削除してください。",
        status=409,
        fields={"most": _MOST},
    )
