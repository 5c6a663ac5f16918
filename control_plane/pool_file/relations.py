"""Mistakes that only show between things: names given twice, names that point at nothing, networks
that overlap, one machine described as two."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence

from control_plane.model.pool import DomainKind, Region
from control_plane.pool_file.description import HostDescription, PoolDescription
from control_plane.pool_file.fields import Fields, as_written, meant
from control_plane.pool_file.member_networks import check_segments
from control_plane.pool_file.mistakes import Mistakes, Place, quoted
from control_plane.pool_file.tree import Items, Node, Table


def check_relations(pool: Fields, description: PoolDescription, mistakes: Mistakes) -> None:
    """Records what is wrong between the things of a pool. Values that were themselves mistaken are
    left out, so that one slip is not told twice."""
    regions, sites = pool.tables("regions"), pool.tables("sites")
    hosts, flavors = pool.tables("hosts"), pool.tables("flavors")
    storage = [pool_node for site in sites for pool_node in _children(site, "storage_pools")]
    _unique(regions, "id", "region", "リージョン", mistakes)
    _unique(sites, "id", "site", "サイト", mistakes)
    _unique(storage, "id", "storage pool", "ストレージプール", mistakes)
    _unique(hosts, "id", "host", "ホスト", mistakes)
    _unique(flavors, "id", "flavor", "フレーバー", mistakes)
    for nodes, key, named, en, ja in (
        (sites, "region", regions, "region", "リージョン"),
        (hosts, "site", sites, "site", "サイト"),
        (hosts, "storage", storage, "storage pool", "ストレージプール"),
    ):
        _known(nodes, key, _words(named, "id"), (en, ja), mistakes)
    _prefectures_once(regions, mistakes)
    _networks_apart(sites, mistakes)
    _storage_paths_apart(sites, mistakes)
    _storage_in_reach(hosts, description, mistakes)
    _one_machine_once(hosts, mistakes)
    _promises_can_be_told(hosts, description, mistakes)
    check_segments(hosts, description, mistakes)


def _child(node: Node, key: str) -> Node | None:
    return node.entries.get(key) if isinstance(node, Table) else None


def _children(node: Node, key: str) -> tuple[Node, ...]:
    child = _child(node, key)
    return child.items if isinstance(child, Items) else ()


def _word(node: Node, key: str) -> str | None:
    child = _child(node, key)
    return None if child is None else as_written(child)


def _words(nodes: Iterable[Node], key: str) -> list[str]:
    return [word for word in (_word(node, key) for node in nodes) if word is not None]


def _said(place: Place) -> str:
    return place.path if place.line is None else f"line {place.line}"


def _said_ja(place: Place) -> str:
    return place.path if place.line is None else f"{place.line} 行目"


def _once(
    found: Iterable[tuple[str, Place]],
    en: Callable[[str, str], str],
    ja: Callable[[str, str], str],
    expected: str,
    mistakes: Mistakes,
) -> None:
    """Records every value that stood before; the sentences get the value and its first place."""
    first: dict[str, Place] = {}
    for value, place in found:
        if value not in first:
            first[value] = place
            continue
        shown = quoted(value)
        mistakes.add(
            place,
            en=en(shown, _said(first[value])),
            ja=ja(shown, _said_ja(first[value])),
            expected=expected,
        )


def _placed(nodes: Iterable[Node], key: str) -> Iterable[tuple[str, Place]]:
    for node in nodes:
        word, child = _word(node, key), _child(node, key)
        if word is not None and child is not None:
            yield word, child.place


def _unique(nodes: Iterable[Node], key: str, en: str, ja: str, mistakes: Mistakes) -> None:
    _once(
        _placed(nodes, key),
        lambda value, first: (
            f"{en} {value} is described twice, first at {first}; give each its own id."
        ),
        lambda value, first: (
            f"{ja} {value} が二度書かれています(最初は {first})。id は一つずつ別にしてください。"
        ),
        f"a {en} id that is not taken",
        mistakes,
    )


def _known(
    nodes: Iterable[Node], key: str, known: Sequence[str], kind: tuple[str, str], mistakes: Mistakes
) -> None:
    en, ja = kind
    for node in nodes:
        child = _child(node, key)
        targets = child.items if isinstance(child, Items) else (child,) if child else ()
        for target in targets:
            word = as_written(target)
            if word is None or word in known:
                continue
            en_hint, ja_hint = meant(word, known)
            subject = quoted(_word(node, "id") or "?")
            mistakes.add(
                target.place,
                en=f"{subject} names the unknown {en} '{quoted(word)}'{en_hint}",
                ja=f"{subject} が指す{ja}「{quoted(word)}」はありません。{ja_hint}",
                expected=f"a {en} of this pool" + (f": {', '.join(known[:20])}" if known else ""),
            )


def _prefectures_once(regions: Sequence[Node], mistakes: Mistakes) -> None:
    found = [
        (word, item.place)
        for region in regions
        for item in _children(region, "prefectures")
        if (word := as_written(item)) is not None
    ]
    _once(
        found,
        lambda value, first: (
            f"{value} is given to two regions, first at {first}; members of a prefecture need one home."
        ),
        lambda value, first: (
            f"{value} が二つのリージョンにあります(最初は {first})。都道府県は一つのリージョンに置いてください。"
        ),
        "each prefecture in one region",
        mistakes,
    )


def _networks_apart(sites: Sequence[Node], mistakes: Mistakes) -> None:
    seen: list[tuple[ipaddress.IPv4Network, str, Place]] = []
    for text, place in _placed(sites, "guest_network"):
        try:
            network = ipaddress.IPv4Network(text)
        except ValueError:
            continue
        for other, name, first in seen:
            if network.overlaps(other):
                mistakes.add(
                    place,
                    en=f"guest_network {network} overlaps {name} at {_said(first)}; servers of two sites would share addresses.",
                    ja=f"guest_network {network} は {_said_ja(first)} の {name} と重なります。サイトごとに別のネットワークにしてください。",
                    expected=f"a network apart from {other}",
                )
                break
        seen.append((network, text, place))


def _storage_paths_apart(sites: Sequence[Node], mistakes: Mistakes) -> None:
    for site in sites:
        _once(
            (
                (path.rstrip("/"), at)
                for path, at in _placed(_children(site, "storage_pools"), "path")
            ),
            lambda value, first: (
                f"path {value} is already a storage pool at {first}; its room would be counted twice."
            ),
            lambda value, first: (
                f"path {value} はすでに {first} のストレージプールです。容量を二重に数えてしまいます。"
            ),
            "a path of its own",
            mistakes,
        )


def _storage_in_reach(
    hosts: Sequence[Node], description: PoolDescription, mistakes: Mistakes
) -> None:
    """Storage may be stretched between the sites of a region, never between regions."""
    region_of_site = {site.id: site.region for site in description.sites}
    region_of_pool = {
        pool.id: site.region for site in description.sites for pool in site.storage_pools
    }
    for host, node in zip(description.hosts, hosts, strict=True):
        home = region_of_site.get(host.site)
        for item in _children(node, "storage"):
            away = next((r for p, r in region_of_pool.items() if p == as_written(item)), None)
            if home is None or away is None or away == home:
                continue
            mistakes.add(
                item.place,
                en=f"host {host.id} is in region {home}, but storage pool {as_written(item)} is in region {away}; a host reaches the storage of its own region.",
                ja=f"ホスト {host.id} はリージョン {home} にありますが、ストレージプール {as_written(item)} はリージョン {away} のものです。同じリージョンのものを指定してください。",
                expected=f"a storage pool of region {home}",
            )


def _one_machine_once(hosts: Sequence[Node], mistakes: Mistakes) -> None:
    """Two hosts that are one machine would promise its room twice, and a shared BMC would cut the
    power of the wrong one."""
    connections = [c for c in (_child(host, "connection") for host in hosts) if c is not None]
    real = [c for c in connections if _word(c, "driver") != "simulated"]
    _once(
        _placed(real, "uri"),
        lambda value, first: (
            f"uri {value} is already another host's, at {first}; one machine is one host."
        ),
        lambda value, first: (
            f"uri {value} はすでに {first} のホストのものです。1台は一つのホストとして書いてください。"
        ),
        "a uri of its own",
        mistakes,
    )
    _once(
        _placed(real, "lease_path"),
        lambda value, first: (
            f"lease_path {value} is already another host's, at {first}; each host writes its own heartbeat."
        ),
        lambda value, first: (
            f"lease_path {value} はすでに {first} のホストのものです。ハートビートはホストごとに分けてください。"
        ),
        "a lease_path of its own",
        mistakes,
    )
    _once(
        (
            (end, place)
            for connection in connections
            if "{segment}" in (_word(connection, "bridge") or "")
            for end, place in list(_placed([connection], "tunnel_address"))
            or list(_placed([connection], "migration_host"))
        ),
        lambda value, first: (
            f"tunnel address {value} is already another host's, at {first}; each host is one end of the tunnels."
        ),
        lambda value, first: (
            f"トンネルのアドレス {value} はすでに {first} のホストのものです。ホストごとに別のアドレスにしてください。"
        ),
        "a tunnel_address of its own",
        mistakes,
    )
    _once(
        (
            (f"{url} {_word(connection, 'bmc_system') or ''}".strip(), place)
            for connection in real
            for url, place in _placed([connection], "bmc_url")
        ),
        lambda value, first: (
            f"BMC {value} is already another host's, at {first}; fencing would cut the wrong machine's power."
        ),
        lambda value, first: (
            f"BMC {value} はすでに {first} のホストのものです。別の機械の電源を切ってしまいます。"
        ),
        "a BMC of its own",
        mistakes,
    )


def _promises_can_be_told(
    hosts: Sequence[Node], description: PoolDescription, mistakes: Mistakes
) -> None:
    """A region that promises to survive a rack or a power feed must know each host's."""
    regions: dict[str, Region] = {region.id: region for region in description.regions}
    for host, node in zip(description.hosts, hosts, strict=True):
        region = regions.get(host.region)
        if region is None:
            continue
        for kind in (DomainKind.RACK, DomainKind.POWER):
            if kind in region.promised and _names(host, kind) is None and _word(node, kind) is None:
                mistakes.add(
                    node.place,
                    en=f"region {region.id} promises to survive the loss of a {kind}, but host {host.id} does not say its {kind}.",
                    ja=f"リージョン {region.id} は {kind} の障害に耐えると約束していますが、ホスト {host.id} に {kind} の指定がありません。",
                    expected=f"a {kind} for host {host.id}",
                )


def _names(host: HostDescription, kind: DomainKind) -> str | None:
    return host.rack if kind is DomainKind.RACK else host.power
