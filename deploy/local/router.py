"""The sites' router, where a local pool's hosts keep members' networks apart: this machine.

`python -m deploy.local.router --pool-root DIR` sends what is for a member's servers by a host that has
some of them, and by another one within a second after that host has lost its power or its cable. It
knows by the hosts' kept plans who has what, as a site's router knows by a routing protocol.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.host_network import HostNetwork
from control_plane.model.host_network_json import from_json
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from deploy.local import network
from deploy.local.network_agent import kept_plan
from deploy.local.pool import LocalPool

_PROTOCOL = "121"
"""By which the routes made here are known among the machine's; rtnetlink(7) leaves it to programs."""
_PAUSE = Seconds(0.5)


def routes_by(plans: Sequence[HostNetwork], alive: frozenset[HostId]) -> dict[IPv4Network, HostId]:
    """For each block with servers the first living host that carries some of them."""
    found: dict[IPv4Network, HostId] = {}
    for plan in sorted(plans, key=lambda plan: plan.host):
        if plan.host not in alive:
            continue
        for segment in plan.segments:
            for gateway in segment.gateways:
                if any(port.address in gateway.network for port in segment.ports):
                    found.setdefault(gateway.network, plan.host)
    return found


def keep_routes(pool: LocalPool, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            _route(pool)
        except (YuiError, OSError, ValueError) as error:
            # A host or the whole pool is being taken down; what is left is seen the next time.
            print(error, file=sys.stderr, flush=True)
        stop.wait(_PAUSE)


def _route(pool: LocalPool) -> None:
    wanted = {
        str(block): pool.host(host).address
        for block, host in routes_by(_plans(pool), _alive(pool)).items()
    }
    has: Mapping[str, str] = {
        route["dst"]: route.get("gateway", "")
        for route in json.loads(network.ip("-json", "route", "show", "proto", _PROTOCOL) or "[]")
        if IPv4Network(route["dst"]).subnet_of(IPv4Network(pool.subnet))
    }
    for block, host in wanted.items():
        if has.get(block) != host:
            network.ip("route", "replace", block, "via", host, "proto", _PROTOCOL)
    for block in has.keys() - wanted.keys():
        network.ip("route", "delete", block, "proto", _PROTOCOL)


def _plans(pool: LocalPool) -> list[HostNetwork]:
    found = []
    for host in pool.hosts:
        try:
            found.append(from_json(kept_plan(pool, host.id).read_bytes()))
        except (FileNotFoundError, ValueError):
            continue
    return found


def _alive(pool: LocalPool) -> frozenset[HostId]:
    """A host without power, or with its cable pulled, shows no carrier."""
    links = json.loads(network.ip("-json", "link", "show"))
    up = {link["ifname"] for link in links if link.get("operstate") == "UP"}
    return frozenset(host.id for host in pool.hosts if host.link in up)


def main() -> int:
    parser = argparse.ArgumentParser(description="Routes to members' servers of a local pool.")
    parser.add_argument("--pool-root", type=Path, required=True)
    options = parser.parse_args()
    pool = LocalPool.open(options.pool_root)
    if pool is None:
        print(f"There is no pool in {options.pool_root}: make one first.", file=sys.stderr)
        return 1
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    keep_routes(pool, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
