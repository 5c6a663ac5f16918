"""The security groups of a server, as Compute has them: named by name, put in and taken out one by one."""

from __future__ import annotations

from control_plane.model.errors import YuiError
from control_plane.model.network import SecurityGroup
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import not_found
from tenants.asking import Asker
from tenants.networks.groups import groups_of, put_into_groups


def join_group(tx: Transaction, server: Server, name: str, asker: Asker) -> None:
    """Beside those that it is in. Raises `security-group-not-found`."""
    group = _named(tx, server, name)
    own = {each.id for each in groups_of(tx, server)}
    put_into_groups(tx, server, sorted({*own, group.id}), asker)


def leave_group(tx: Transaction, server: Server, name: str, asker: Asker) -> None:
    """Raises `security-group-not-found`, also for one that the server is not in, and
    `security-group-last` (400)."""
    group = _named(tx, server, name)
    own = {each.id for each in groups_of(tx, server)}
    if group.id not in own:
        raise not_found("security-group", name)
    if own == {group.id}:
        raise YuiError(
            "security-group-last",
            en=f"Security group '{group.name}' is the only one that server '{server.id}' is in, and every server is in one at least: add another one first.",
            ja=f"サーバー「{server.id}」のセキュリティグループは「{group.name}」だけです。サーバーには一つ以上必要なため、先に別のグループを追加してください。",
            status=400,
            fields={"security-group": group.id, "server": server.id},
        )
    put_into_groups(tx, server, sorted(own - {group.id}), asker)


def _named(tx: Snapshot, server: Server, name: str) -> SecurityGroup:
    """By name or id, as Nova takes either."""
    own = tx.security_groups(server.tenant)
    found = [group for group in own if name in (group.name, group.id)]
    if len(found) != 1:
        raise not_found("security-group", name)
    return found[0]
