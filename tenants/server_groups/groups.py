"""What members do with server groups: make, find, put servers into at their making, remove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from control_plane.journal.operations import draw
from control_plane.model.errors import YuiError
from control_plane.model.ids import GroupId, SystemId
from control_plane.model.server_group import ServerGroup, group_id
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.server_groups.models import ServerGroupOut

MOST_GROUPS = 100
"""Of one member."""


def find_group(tx: Snapshot, named: str, tenant: MunicipalityCode | None) -> ServerGroup:
    """By id, or by name. With `tenant`, another member's is not found. Raises `server-group-not-found`."""
    try:
        return tx.server_group(GroupId(named), tenant)
    except YuiError:
        found = tx.server_groups(tenant, named=named, limit=2)
        if len(found) != 1:
            raise
        return found[0]


def group_for(
    tx: Snapshot,
    tenant: MunicipalityCode,
    system: SystemId,
    word: str | None,
    group: str | None,
) -> GroupId | None:
    """What a new server belongs to: those of its system with the same `word`, or a `group` on record.
    Raises `server-group-not-found`, `apart-twice` where both are said."""
    if word is not None and group is not None:
        raise YuiError(
            "apart-twice",
            en="A server belongs to one group at most: give anti_affinity or server_group, not both.",
            ja="サーバーが属せるグループは一つだけです。anti_affinity と server_group のどちらか一方を指定してください。",
        )
    if group is not None:
        return find_group(tx, group, tenant).id
    return None if word is None else GroupId(f"{system}-{word}")


def add_group(tx: Transaction, tenant: MunicipalityCode, name: str, asker: Asker) -> ServerGroup:
    """Raises `server-group-exists`, `server-groups-too-many`."""
    if len(tx.server_groups(tenant, limit=MOST_GROUPS)) >= MOST_GROUPS:
        raise YuiError(
            "server-groups-too-many",
            en=f"There are {MOST_GROUPS} server groups already: remove one that is not needed.",
            ja=f"サーバーグループはすでに {MOST_GROUPS} 個あります。使っていないものを削除してください。",
            status=409,
            fields={"most": MOST_GROUPS},
        )
    made = tx.add_server_group(
        ServerGroup(group_id(draw(10)), tenant, name, asker.who.user, asker.at)
    )
    _tell(tx, "add", made, asker, ("was made", "を作成しました"))
    return made


def remove_group(tx: Transaction, group: ServerGroup, asker: Asker) -> None:
    """From then on its servers may share a host."""
    for server in tx.servers_of_groups([group.id]).get(group.id, ()):
        tx.save_server(replace(tx.server(server), group=None))
    tx.remove_server_group(group.id)
    _tell(tx, "remove", group, asker, ("was removed", "を削除しました"))


def groups_out(tx: Snapshot, groups: Sequence[ServerGroup]) -> list[ServerGroupOut]:
    servers = tx.servers_of_groups({group.id for group in groups})
    return [
        ServerGroupOut(
            id=group.id,
            tenant=group.tenant.text,
            name=group.name,
            servers=list(servers.get(group.id, ())),
            made_by=group.made_by,
            created_at=group.created_at,
        )
        for group in groups
    ]


def _tell(
    tx: Transaction, did: str, group: ServerGroup, asker: Asker, sentences: tuple[str, str]
) -> None:
    asker.tell_of(
        tx,
        f"server-group.{did}",
        f"server-group:{group.id}",
        group.tenant,
        what=(f"Server group {group.name}", f"サーバーグループ {group.name}"),
        did=sentences,
        fields={"name": group.name},
    )
