"""Which sites keep members' networks apart by themselves, and how large a member's blocks are there.

A site does so with all the hosts that reach its storage, or with none: a server may run on any of
them, and its network has to be the same there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import replace

from control_plane.model.pool import Site
from control_plane.pool_file.description import HostDescription, PoolDescription
from control_plane.pool_file.mistakes import Mistakes, quoted
from control_plane.pool_file.tree import Node

SMALLEST_BLOCK = 29
_BLOCK = 28
_BLOCK_OF_LARGE = 26
_LARGE = 20
"""A guest network with a shorter prefix than this is large."""


def with_blocks(sites: Iterable[Site], hosts: Sequence[HostDescription]) -> tuple[Site, ...]:
    """Give `member_prefix` to sites that do not say it and whose hosts make segments."""
    reached = {pool for host in hosts if host.endpoint.makes_segments for pool in host.storage}
    return tuple(
        replace(site, member_prefix=_usual(site.guest_network))
        if site.member_prefix is None
        and site.guest_network
        and any(pool.id in reached for pool in site.storage_pools)
        else site
        for site in sites
    )


def check_segments(hosts: Sequence[Node], description: PoolDescription, mistakes: Mistakes) -> None:
    """Every host that reaches the storage of a site with `member_prefix` must make segments."""
    apart = {
        pool.id: site.id
        for site in description.sites
        if site.member_prefix is not None
        for pool in site.storage_pools
    }
    for host, node in zip(description.hosts, hosts, strict=True):
        sites = sorted({apart[pool] for pool in host.storage if pool in apart})
        if sites and not host.endpoint.makes_segments:
            site = quoted(sites[0])
            mistakes.add(
                node.place,
                en=f"host {host.id} carries servers of site {site}, which keeps members' networks apart, but its bridge has no {{segment}}; give every host of the site one, or none.",
                ja=f"ホスト {host.id} は参加団体ごとにネットワークを分けるサイト {site} のサーバーを動かしますが、bridge に {{segment}} がありません。サイトの全ホストに指定するか、どのホストにも指定しないでください。",
                expected="a bridge with {segment}, such as s{segment}",
            )


def _usual(guest_network: str) -> int:
    """/28; /26 of a large guest network; and the whole of one that is smaller than a block."""
    of = ipaddress.IPv4Network(guest_network).prefixlen
    return max(of, _BLOCK_OF_LARGE if of < _LARGE else _BLOCK)
