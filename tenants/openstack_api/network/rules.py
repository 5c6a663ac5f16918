"""A rule that Neutron's clients ask for, as Yui's rules say it. Pure."""

from __future__ import annotations

from ipaddress import IPv4Network

from control_plane.model.errors import YuiError
from control_plane.model.network import Protocol
from control_plane.model.tenant import MunicipalityCode
from tenants.networks.models import RuleIn
from tenants.openstack_api.network.models import RuleOfIn
from tenants.openstack_api.network.views import offices_id

_ALL_PORTS = (1, 65_535)


def rule_asked(wanted: RuleOfIn, project: MunicipalityCode) -> RuleIn:
    """Raises what is wrong with it, under the names that Neutron has for that (400), and
    `address-group-not-found` (404). All ports of a protocol are no range, as at Neutron."""
    if wanted.ethertype != "IPv4":
        raise _wrong(
            "security-group-rule-invalid-ether-type",
            "Networks here carry IPv4 alone: make the rule with ethertype IPv4",
            "ネットワークは IPv4 のみです。ethertype は IPv4 にしてください",
        )
    remotes = (wanted.remote_ip_prefix, wanted.remote_group_id, wanted.remote_address_group_id)
    if sum(remote is not None for remote in remotes) > 1:
        raise _wrong(
            "security-group-multiple-remote-entites",
            "Only one of remote_ip_prefix, remote_group_id and remote_address_group_id may be given",
            "remote_ip_prefix、remote_group_id、remote_address_group_id は一つだけ指定してください",
        )
    if wanted.remote_address_group_id not in (None, offices_id(project)):
        raise YuiError(
            "address-group-not-found",
            en="There is one address group, the member's offices: GET /v2.0/address-groups tells its id.",
            ja="アドレスグループは庁内ネットワークを表す一つだけです。ID は GET /v2.0/address-groups で確認できます。",
            status=404,
        )
    return RuleIn(
        direction=wanted.direction,
        protocol=Protocol.ANY if wanted.protocol is None else Protocol(wanted.protocol),
        ports=_ports(wanted),
        remote=None if wanted.remote_ip_prefix is None else _network(wanted.remote_ip_prefix),
        remote_group=wanted.remote_group_id,
        offices=wanted.remote_address_group_id is not None,
        description=wanted.description,
    )


def _ports(wanted: RuleOfIn) -> str | None:
    low, high = wanted.port_range_min, wanted.port_range_max
    if low is None and high is None:
        return None
    if wanted.protocol is None:
        raise _wrong(
            "security-group-protocol-required-with-ports",
            "Must also specify protocol if port range is given",
            "ポートを指定するときはプロトコルも指定してください",
        )
    if wanted.protocol == "icmp":
        raise _wrong(
            "security-group-invalid-icmp-value",
            "ICMP passes whole or not at all: leave out its type and code",
            "ICMP はタイプやコードを指定できません。省略してください",
        )
    if low is None or high is None or low > high:
        raise _wrong(
            "security-group-invalid-port-range",
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
            "port_range_min は port_range_max 以下にして、両方を指定してください",
        )
    if low < 1 or high > _ALL_PORTS[1]:
        raise _wrong(
            "security-group-invalid-port-value",
            "Ports are numbers from 1 to 65535",
            "ポートは 1 から 65535 の範囲で指定してください",
        )
    return None if (low, high) == _ALL_PORTS else f"{low}-{high}"


def _network(text: str) -> str:
    """Without the bits that make no difference."""
    try:
        return str(IPv4Network(text, strict=False))
    except ValueError:
        raise _wrong(
            "security-group-rule-invalid-prefix",
            "remote_ip_prefix is no IPv4 network, such as 10.20.0.0/16",
            "remote_ip_prefix には 10.20.0.0/16 のような IPv4 のネットワークを指定してください",
        ) from None


def _wrong(type: str, en: str, ja: str) -> YuiError:
    return YuiError(type, en=f"{en}.", ja=f"{ja}。", status=400)
