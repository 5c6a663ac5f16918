"""A member's networks: shown, and told where its offices are."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

from control_plane.http.principal import Principal
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, NetworkId
from control_plane.model.network import Network
from control_plane.model.operation import Event, Severity
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.networks.effect import Effect
from tenants.networks.models import NetworkOut, SubnetOut

_WIDEST = 8
_NOBODYS = (IPv4Network("0.0.0.0/8"), IPv4Network("127.0.0.0/8"), IPv4Network("169.254.0.0/16"), IPv4Network("224.0.0.0/3"))  # fmt: skip
"""This host, loopback, link-local, and multicast with all above (RFC 6890 §2.2.2, RFC 5771)."""


def network_out(network: Network, who: Principal, effect: Effect | None) -> NetworkOut:
    return NetworkOut(
        id=network.id,
        tenant=network.tenant.text,
        region=network.region,
        zone=network.zone,
        name=network.name,
        subnets=[
            SubnetOut(addresses=str(s.addresses), gateway=str(s.gateway)) for s in network.subnets
        ],
        offices=[str(office) for office in network.offices],
        in_effect=effect,
        reserved=network.reserved,
        # Numbers that grow tell how many networks others have.
        segment=network.segment if who.sees_hardware else None,
        generation=network.generation,
    )


def set_offices(
    tx: Transaction,
    id: NetworkId,
    offices: Sequence[str],
    asker: Asker,
    expected: Generation | None,
) -> tuple[Network, Network]:
    """Declare the member's own networks that may reach this one: as it was, and as it is then.

    Raises `network-not-found`, `network-changed`, `office-too-wide`, `office-reserved`, and
    `office-taken` where the consortium's servers, hosts or anybody else's offices are."""
    before = expect(tx.network(id, asker.tenant), expected)
    wanted = sorted({IPv4Network(office) for office in offices})
    for office in wanted:
        _check(tx, before, office)
    if tuple(wanted) == before.offices:
        return before, before
    after = tx.set_offices(before, wanted)
    fields = {"offices": [str(office) for office in wanted]}
    said = ", ".join(fields["offices"][:5]) + (" …" if len(wanted) > 5 else "") or "none"
    tx.add_event(
        Event(
            "network.offices-set",
            f"network:{id}",
            asker.at,
            Severity.INFO,
            f"The offices of network {id} are now: {said}. {asker.who.label} declared them.",
            f"{asker.who.label} さんが、ネットワーク {id} に接続できる庁内ネットワークを設定しました({said if wanted else 'なし'})。",
            tenant=before.tenant.text,
        )
    )
    tx.add_audit(
        asker.who.did(
            "network.offices", f"network:{id}", asker.at, tenant=before.tenant, fields=fields
        )
    )
    return before, after


def expect(network: Network, expected: Generation | None) -> Network:
    """Raises `network-changed` (412) when the caller has read another generation."""
    if expected is not None and network.generation != expected:
        raise YuiError(
            "network-changed",
            en=f"Network '{network.id}' has changed since you read it: read it again.",
            ja=f"ネットワーク「{network.id}」は読み取り後に変更されています。読み直してください。",
            status=412,
            fields={"network": network.id, "generation": network.generation},
        )
    return network


def _check(tx: Snapshot, network: Network, office: IPv4Network) -> None:
    if office.prefixlen < _WIDEST:
        raise _refused(
            "office-too-wide",
            office,
            f"is wider than /{_WIDEST}: name the offices' own networks",
            f"は /{_WIDEST} より広い範囲です。庁舎で使っているネットワークだけを指定してください",
        )
    if any(office.overlaps(nobodys) for nobodys in _NOBODYS):
        raise _refused(
            "office-reserved",
            office,
            "is reserved and can be nobody's office",
            "は予約済みのアドレスのため、庁内ネットワークとして指定できません",
        )
    # What belongs to servers or to others would be a way around bindings.
    taken = [IPv4Network(site.guest_network) for site in tx.sites()]
    taken += [
        IPv4Network(end) for host in tx.hosts() if (end := host.endpoint.tunnel_end) is not None
    ]
    taken += [
        theirs
        for other in tx.networks()
        if (other.tenant, other.zone) != (network.tenant, network.zone)
        for theirs in other.offices
    ]
    if any(office.overlaps(one) for one in taken):
        raise _refused(
            "office-taken",
            office,
            "overlaps addresses that servers, hosts, another zone or another member have: an address can stand for one office alone",
            "は、サーバーやホスト、別のゾーン、または他の団体が使用中のアドレスと重なっています。一つのアドレスは一つの庁内ネットワークにしか使えません",
            status=409,
        )


def _refused(type: str, office: IPv4Network, en: str, ja: str, *, status: int = 422) -> YuiError:
    return YuiError(
        type,
        en=f"The office network {office} {en}.",
        ja=f"庁内ネットワーク {office} {ja}。",
        status=status,
        fields={"office": str(office)},
    )
