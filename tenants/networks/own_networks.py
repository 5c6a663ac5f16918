"""A network that a member asks for ahead of its first server, under a name of its own, and gives back."""

from __future__ import annotations

from dataclasses import replace

from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.model.network import Network
from control_plane.model.operation import Event, Severity
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker


def add_network(
    tx: Transaction,
    tenant: MunicipalityCode,
    region: RegionId,
    zone: Zone,
    asker: Asker,
    *,
    name: str | None = None,
) -> Network:
    """The member's network of that zone and region, with addresses of its own at every site that gives
    them. Raises `network-exists`, `network-name-taken`, `addresses-exhausted`."""
    standing = [n for n in tx.networks(tenant) if (n.region, n.zone) == (region, zone)]
    if standing:
        raise YuiError(
            "network-exists",
            en=f"There is a network of zone {zone} in region {region} already, {standing[0].name} ({standing[0].id}): a member has one of each zone in a region.",
            ja=f"リージョン {region} のゾーン {zone} には、すでにネットワーク {standing[0].name}({standing[0].id})があります。ネットワークはリージョンとゾーンごとに一つです。",
            status=409,
            fields={"network": standing[0].id},
        )
    made = tx.ensure_network(tenant, region, zone)
    if name is not None and name != made.name:
        _refuse_taken(tx, made, name)
        made = tx.save_network(replace(made, name=name))
    made = tx.reserve_network(made)
    _tell(tx, "add", made, asker, ("was made", "を作成しました"))
    return made


def rename_network(tx: Transaction, network: Network, name: str, asker: Asker) -> Network:
    """Raises `network-name-taken`."""
    if name == network.name:
        return network
    _refuse_taken(tx, network, name)
    saved = tx.save_network(replace(network, name=name))
    _tell(tx, "change", saved, asker, (f"is now called {name}", f"の名前を {name} にしました"))
    return saved


def remove_network(tx: Transaction, network: Network, asker: Asker) -> None:
    """Give it back with its addresses; the offices that were declared for it are forgotten. Raises
    `network-in-use` while servers are in it."""
    # Nobody adds a server of the member's to it meanwhile.
    tx.claim_allotment(network.tenant, network.region)
    servers = tx.servers_in_network(network)
    if servers:
        raise YuiError(
            "network-in-use",
            en=f"Network '{network.id}' is in use by {', '.join(servers[:5])}: delete its servers first.",
            ja=f"ネットワーク「{network.id}」は {'、'.join(servers[:5])} で使用中です。先にサーバーを削除してください。",
            status=409,
            fields={"network": network.id, "servers": list(servers[:50])},
        )
    tx.remove_network(network)
    _tell(tx, "remove", network, asker, ("was removed", "を削除しました"))


def _refuse_taken(tx: Snapshot, network: Network, name: str) -> None:
    """People and tools find networks by name, among those of a region. A zone's name is kept for its
    network, also where that is still to come."""
    others = (n for n in tx.networks(network.tenant) if n.region == network.region)
    taken = {zone.value for zone in Zone if zone is not network.zone}
    taken |= {other.name for other in others if other.id != network.id}
    if name in taken:
        raise YuiError(
            "network-name-taken",
            en=f"'{name}' is the name of another network or zone in region {network.region}: choose another name.",
            ja=f"「{name}」は、リージョン {network.region} の別のネットワークまたはゾーンの名前です。別の名前にしてください。",
            status=409,
            fields={"name": name},
        )


_KINDS = {"add": "network.added", "change": "network.renamed", "remove": "network.removed"}


def _tell(
    tx: Transaction, did: str, network: Network, asker: Asker, sentences: tuple[str, str]
) -> None:
    en, ja = sentences
    tx.add_event(
        Event(
            _KINDS[did],
            f"network:{network.id}",
            asker.at,
            Severity.INFO,
            f"Network {network.id} {en}, {asker.who.label} asks.",
            f"{asker.who.label} さんの指示により、ネットワーク {network.id} {ja}。",
            tenant=network.tenant.text,
        )
    )
    tx.add_audit(
        asker.who.did(
            f"network.{did}",
            f"network:{network.id}",
            asker.at,
            tenant=network.tenant,
            fields={"name": network.name, "region": network.region, "zone": network.zone.value},
        )
    )
