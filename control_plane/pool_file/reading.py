"""From text or JSON to a pool description, one kind of thing at a time.

What needs more than one thing to be judged (names that point at nothing, networks that overlap) is
in `relations`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from control_plane.model.ids import FlavorId, HostId, RegionId, SiteId, StoragePoolId
from control_plane.model.pool import (
    NOTICE_DAYS,
    DomainKind,
    Policy,
    Region,
    Site,
    StoragePool,
    Zone,
)
from control_plane.model.units import MiB, Resources, VCpu
from control_plane.model.workload import Flavor
from control_plane.pool_file.connection import absolute_path, read_connection
from control_plane.pool_file.description import HostDescription, PoolDescription
from control_plane.pool_file.fields import Fields, as_written, meant
from control_plane.pool_file.member_networks import SMALLEST_BLOCK, with_blocks
from control_plane.pool_file.mistakes import Mistakes, quoted
from control_plane.pool_file.prefectures import PREFECTURES
from control_plane.pool_file.relations import check_relations
from control_plane.pool_file.tree import Items, Node, Scalar, Table, from_plain, from_yaml

KEYS = ("regions", "sites", "hosts", "flavors")
_REGION_KEYS = ("id", "name", "policy", "promised", "prefectures", "notice_days")
_MOST_NOTICE_DAYS = 366
_SITE_KEYS = (
    "id",
    "region",
    "name",
    "guest_network",
    "guest_gateway",
    "member_prefix",
    "storage_pools",
)
_STORAGE_KEYS = ("id", "capacity", "path")
_HOST_KEYS = (
    "id",
    "site",
    "vcpus",
    "overcommit",
    "memory",
    "reserved_memory",
    "zones",
    "storage",
    "traits",
    "rack",
    "power",
    "hazards",
    "connection",
)
_FLAVOR_KEYS = ("id", "vcpus", "memory", "disk")

MAX_VCPUS = 65_536
_NAME = ("a name of one line", "1行の名前")


def parse(text: str, source: str) -> PoolDescription:
    """Reads the YAML of a pool file; `source` is the file's name as mistakes tell it.

    Raises YuiError `pool-file-invalid` naming file, line and what was expected for up to ten
    mistakes at once."""
    mistakes = Mistakes()
    return _read(from_yaml(text, source, mistakes), mistakes)


def from_json(body: Mapping[str, object], source: str | None = None) -> PoolDescription:
    """Reads the same shape as it comes out of a JSON parser; mistakes name the path, such as
    `hosts[2].memory`, in place of a line. Raises YuiError `pool-file-invalid`."""
    mistakes = Mistakes()
    return _read(from_plain(body, source, mistakes), mistakes)


def _read(root: Node, mistakes: Mistakes) -> PoolDescription:
    pool = Fields(root, "the pool", "プール", KEYS, mistakes)
    regions = tuple(_region(node, mistakes) for node in pool.tables("regions"))
    sites = tuple(_site(node, mistakes) for node in pool.tables("sites"))
    region_of = {site.id: site.region for site in sites}
    hosts = tuple(_host(node, region_of, mistakes) for node in pool.tables("hosts"))
    flavors = tuple(_flavor(node, mistakes) for node in pool.tables("flavors"))
    description = PoolDescription(regions, with_blocks(sites, hosts), hosts, flavors)
    check_relations(pool, description, mistakes)
    mistakes.raise_any()
    return description


def _fields(node: Node, en: str, ja: str, known: tuple[str, ...], mistakes: Mistakes) -> Fields:
    name = (
        as_written(node.entries["id"]) if isinstance(node, Table) and "id" in node.entries else None
    )
    if name is None:
        return Fields(node, f"this {en}", f"この{ja}", known, mistakes)
    return Fields(node, f"{en} {quoted(name)}", f"{ja} {quoted(name)} ", known, mistakes)


def _region(node: Node, mistakes: Mistakes) -> Region:
    fields = _fields(node, "region", "リージョン", _REGION_KEYS, mistakes)
    promised = fields.choices("promised", DomainKind) or frozenset()
    return Region(
        id=RegionId(fields.identifier()),
        name=fields.required_text("name", *_NAME),
        prefectures=_prefectures(fields),
        policy=fields.choice("policy", Policy, Policy.SPREAD),
        promised=promised | {DomainKind.HOST},
        notice_days=_notice_days(fields),
    )


def _notice_days(fields: Fields) -> int:
    if fields.node("notice_days") is None:
        return NOTICE_DAYS
    return fields.whole("notice_days", 1, _MOST_NOTICE_DAYS)


def _prefectures(fields: Fields) -> frozenset[str]:
    found = set()
    for word in fields.words(
        "prefectures", "a list of prefectures, such as 京都府", "京都府のような都道府県名の一覧"
    ):
        if word.text in PREFECTURES:
            found.add(word.text)
            continue
        en, ja = meant(word.text, PREFECTURES)
        fields.mistakes.add(
            word.place,
            en=f"{fields.en} takes members of '{quoted(word.text)}', which is no prefecture{en}",
            ja=f"{fields.ja}の prefectures にある「{quoted(word.text)}」は都道府県名ではありません。{ja}",
            expected="one of the 47 prefectures, such as 京都府",
        )
    return frozenset(found)


def _site(node: Node, mistakes: Mistakes) -> Site:
    fields = _fields(node, "site", "サイト", _SITE_KEYS, mistakes)
    network = _network(fields)
    pools = tuple(_storage(item, mistakes) for item in fields.tables("storage_pools"))
    return Site(
        id=SiteId(fields.identifier()),
        region=RegionId(fields.identifier("region")),
        name=fields.required_text("name", *_NAME),
        guest_network=str(network) if network else "",
        guest_gateway=_gateway(fields, network),
        storage_pools=pools,
        member_prefix=_member_prefix(fields, network),
    )


def _member_prefix(fields: Fields, network: ipaddress.IPv4Network | None) -> int | None:
    """The smallest block has room for a gateway and five servers."""
    if fields.node("member_prefix") is None or network is None:
        return None
    return fields.whole("member_prefix", network.prefixlen, SMALLEST_BLOCK)


def _network(fields: Fields) -> ipaddress.IPv4Network | None:
    expected = "an IPv4 network of /8 to /29, such as 10.77.16.0/24"
    ja = "10.77.16.0/24 のような /8〜/29 の IPv4 ネットワーク"
    node = fields.node("guest_network")
    if node is None:
        fields.missing("guest_network", expected, ja)
        return None
    text = fields.text("guest_network", expected, ja)
    if text is None:
        return None
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        fields.wrong("guest_network", node, expected, ja)
        return None
    if "/" not in text or not 8 <= network.prefixlen <= 29:
        fields.wrong("guest_network", node, expected, ja)
        return None
    if text != str(network):
        fields.wrong(
            "guest_network",
            node,
            f"the network itself, {network}",
            f"ネットワークアドレス {network} ",
        )
        return None
    return network


def _gateway(fields: Fields, network: ipaddress.IPv4Network | None) -> str | None:
    node = fields.node("guest_gateway")
    if node is None:
        return None
    inside = f" of {network}" if network else ""
    expected = f"the address of a router{inside}"
    ja = f"{network} に属するルーターのアドレス" if network else "ルーターの IPv4 アドレス"
    text = fields.text("guest_gateway", expected, ja)
    if text is None:
        return None
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        fields.wrong("guest_gateway", node, expected, ja)
        return None
    ends = (network.network_address, network.broadcast_address) if network else ()
    if network is not None and (address not in network or address in ends):
        fields.wrong("guest_gateway", node, expected, ja)
    return str(address)


def _storage(node: Node, mistakes: Mistakes) -> StoragePool:
    fields = _fields(node, "storage pool", "ストレージプール", _STORAGE_KEYS, mistakes)
    path = absolute_path(fields, "path")
    if fields.node("path") is None:
        fields.missing(
            "path", "an absolute path, such as /srv/yui/pool", "/srv/yui/pool のような絶対パス"
        )
    return StoragePool(
        StoragePoolId(fields.identifier()), capacity=fields.disk("capacity"), path=path or "/"
    )


def _host(node: Node, region_of: Mapping[SiteId, RegionId], mistakes: Mistakes) -> HostDescription:
    fields = _fields(node, "host", "ホスト", _HOST_KEYS, mistakes)
    site = SiteId(fields.identifier("site"))
    zones = fields.choices("zones", Zone)
    named = fields.node("zones")
    if isinstance(named, Items) and not named.items:
        _empty(fields, "zones", [zone.value for zone in Zone])
    storage = frozenset(
        StoragePoolId(word.text)
        for word in fields.words("storage", "a list of storage pools", "ストレージプールの一覧")
    )
    if fields.node("storage") is None:
        fields.missing("storage", "a list of storage pools", "ストレージプールの一覧")
    elif isinstance(listed := fields.node("storage"), Items) and not listed.items:
        _empty(fields, "storage", ["a storage pool"])
    name = fields.identifier()
    return HostDescription(
        id=HostId(name),
        site=site,
        region=region_of.get(site, RegionId("-")),
        capacity=_capacity(fields),
        zones=frozenset(Zone) if zones is None else zones,
        storage=storage,
        endpoint=read_connection(fields, name, mistakes),
        traits=fields.labels("traits"),
        rack=fields.label("rack"),
        power=fields.label("power"),
        hazards=fields.labels("hazards"),
    )


def _empty(fields: Fields, key: str, expected: Sequence[str]) -> None:
    fields.mistakes.add(
        fields.place_of(key),
        en=f"{key} of {fields.en} is empty, so it could carry nothing; expected at least one of {', '.join(expected)}.",
        ja=f"{fields.ja}の {key} が空のため、何も動かせません。一つ以上指定してください。",
        expected=f"at least one of {', '.join(expected)}",
    )


def _capacity(fields: Fields) -> Resources:
    vcpus = fields.whole("vcpus", 1, MAX_VCPUS)
    overcommit = fields.decimal("overcommit", 0.1, 64, 1.0)
    found = fields.mistakes.count
    memory = fields.memory("memory")
    memory_known = fields.mistakes.count == found
    reserved = fields.memory("reserved_memory", MiB(0), least=0)
    node = fields.node("reserved_memory")
    if reserved >= memory and isinstance(node, Scalar) and memory_known:
        fields.wrong(
            "reserved_memory",
            node,
            f"less than the host's memory, {as_written(fields.node('memory') or node)}",
            f"memory({as_written(fields.node('memory') or node)})より小さい値",
        )
    usable = int(vcpus * overcommit)
    if usable < 1:
        node = fields.node("overcommit") or fields.node("vcpus")
        if node is not None:
            fields.wrong(
                "overcommit", node, "at least one vCPU in all", "合計で1 vCPU 以上になる値"
            )
    return Resources(VCpu(usable), MiB(memory - reserved))


def _flavor(node: Node, mistakes: Mistakes) -> Flavor:
    fields = _fields(node, "flavor", "フレーバー", _FLAVOR_KEYS, mistakes)
    return Flavor(
        id=FlavorId(fields.flavor_name()),
        size=Resources(VCpu(fields.whole("vcpus", 1, MAX_VCPUS)), fields.memory("memory")),
        disk=fields.disk("disk"),
    )
