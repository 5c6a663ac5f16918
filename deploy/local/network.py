"""The pool's own network: a bridge in the machine's namespace that every host is plugged into.

Layout of the pool's /16 (10.77.0.0/16 unless told otherwise): the machine itself is .0.1, host n of
the s-th site is .s.n, and guests of the s-th site have .(15+s).0/24 with .(15+s).1, again the
machine, as their gateway. 10.77 is private (RFC 1918) and none of the ranges that container
engines, Kubernetes (10.96, 10.244) or libvirt's default network (192.168.122) take by themselves.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import subprocess
from collections.abc import Sequence

from control_plane.model.errors import YuiError
from deploy.local.prerequisites import search_path

DEFAULT_SUBNET = "10.77.0.0/16"
GUEST_BRIDGE = "guests"
"""The bridge inside every host's namespace: its uplink and its servers' taps are ports of it."""
SEGMENT_BRIDGES = "s{segment}"
"""Where hosts keep members' networks apart, `GUEST_BRIDGE` holds the uplink alone."""
_FIRST_GUEST_OCTET = 15
MAX_SITES = 14
MAX_HOSTS_PER_SITE = 99


def ip(*arguments: str, namespace: str | None = None) -> str:
    """Run one `ip` command and return what it printed. Raises YuiError with ip's own words."""
    command = ["ip", *(("-n", namespace) if namespace else ()), *arguments]
    done = subprocess.run(  # noqa: S603
        command,
        env={**os.environ, "PATH": search_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip()[:300]
        raise YuiError(
            "local-network-failed",
            en=f"The command '{' '.join(command)}' failed: {said}.",
            ja=f"コマンド「{' '.join(command)}」が失敗しました: {said}",
            status=500,
        )
    return done.stdout


def parse_subnet(text: str) -> ipaddress.IPv4Network:
    """A private IPv4 /16. Raises YuiError for anything else."""
    try:
        subnet = ipaddress.IPv4Network(text)
    except ValueError:
        subnet = None
    if subnet is None or subnet.prefixlen != 16 or not subnet.is_private:
        raise YuiError(
            "local-subnet-invalid",
            en=f"'{text[:40]}' cannot be the pool's network: give a private IPv4 /16 such as {DEFAULT_SUBNET}.",
            ja=f"「{text[:40]}」はプールのネットワークにできません。{DEFAULT_SUBNET} のようなプライベート IPv4 の /16 を指定してください。",
        )
    return subnet


def route_in_the_way(subnet: ipaddress.IPv4Network) -> str | None:
    """A route of this machine that overlaps `subnet`, as `network dev link`; None where none does."""
    for route in json.loads(ip("-4", "-json", "route", "show", "table", "all") or "[]"):
        destination = route.get("dst", "default")
        if destination == "default":
            continue
        try:
            network = ipaddress.IPv4Network(destination, strict=False)
        except ValueError:
            continue
        if network.overlaps(subnet):
            return f"{destination} dev {route.get('dev', '?')}"
    return None


def require_free(subnet: ipaddress.IPv4Network) -> None:
    """Raises YuiError where this machine already routes any part of `subnet` elsewhere."""
    route = route_in_the_way(subnet)
    if route is not None:
        raise _in_use(subnet, route)


def _in_use(subnet: ipaddress.IPv4Network, route: str) -> YuiError:
    return YuiError(
        "local-subnet-in-use",
        en=f"The pool's network {subnet} collides with this machine's route {route}: choose another private /16, or remove the pool that uses it.",
        ja=f"プールのネットワーク {subnet} は、このマシンの経路 {route} と重なっています。別のプライベートな /16 を選ぶか、使用中のプールを削除してください。",
        fields={"subnet": str(subnet), "route": route},
    )


def free_subnet(candidates: Sequence[int] = tuple(range(77, 95))) -> str:
    """The first 10.N.0.0/16 that this machine routes nowhere: the usual one, or the next beside it."""
    for second in candidates:
        subnet = ipaddress.IPv4Network(f"10.{second}.0.0/16")
        if route_in_the_way(subnet) is None:
            return str(subnet)
    raise YuiError(
        "local-subnet-in-use",
        en=f"Every network from 10.{candidates[0]}.0.0/16 to 10.{candidates[-1]}.0.0/16 is in use on this machine: remove a pool.",
        ja=f"10.{candidates[0]}.0.0/16 から 10.{candidates[-1]}.0.0/16 まで、すべて使用中です。不要なプールを削除してください。",
    )


def address(subnet: ipaddress.IPv4Network, third: int, fourth: int) -> str:
    return str(subnet.network_address + third * 256 + fourth)


def guest_network(subnet: ipaddress.IPv4Network, site: int) -> str:
    """The /24 of the guests of the `site`-th site, counted from 1."""
    return f"{address(subnet, _FIRST_GUEST_OCTET + site, 0)}/24"


def guest_gateway(subnet: ipaddress.IPv4Network, site: int) -> str:
    return address(subnet, _FIRST_GUEST_OCTET + site, 1)


def make_fabric(bridge: str, subnet: ipaddress.IPv4Network, gateways: int) -> None:
    """The bridge that every host hangs on; this machine can reach them all, and is the gateway of the
    guests of the first `gateways` sites.

    Raises YuiError where another pool has just taken the same network."""
    # The machine's packet filter is for routed traffic; it must not drop what the fabric bridges.
    ip("link", "add", bridge, "type", "bridge", "stp_state", "0", "nf_call_iptables", "0")
    try:
        # Two pools that both found the network free can't both have its name.
        ip("link", "property", "add", "dev", bridge, "altname", f"yui-{subnet.network_address}")
    except YuiError:
        raise _in_use(subnet, f"{subnet} of another pool") from None
    ip("addr", "add", f"{address(subnet, 0, 1)}/{subnet.prefixlen}", "dev", bridge)
    for site in range(1, gateways + 1):
        ip("addr", "add", f"{guest_gateway(subnet, site)}/24", "dev", bridge)
    ip("link", "set", bridge, "up")


def add_office(fabric: str, subnet: ipaddress.IPv4Network, number: int) -> str:
    """An address of this machine that can stand for one office; `number` is 0 to 99."""
    office = address(subnet, 0, 100 + number)
    ip("addr", "replace", f"{office}/32", "dev", fabric)
    return office


def plug_in(namespace: str, link: str, fabric: str, host_address: str) -> None:
    """Make a host's namespace with a bridge whose uplink ends on the fabric."""
    ip("netns", "add", namespace)
    ip("link", "add", link, "type", "veth", "peer", "name", "uplink", "netns", namespace)
    ip("link", "set", link, "master", fabric, "up")
    inside = ("link", "add", GUEST_BRIDGE, "type", "bridge", "stp_state", "0")
    ip(*inside, "nf_call_iptables", "0", namespace=namespace)
    ip("link", "set", "uplink", "master", GUEST_BRIDGE, namespace=namespace)
    ip("addr", "add", host_address, "dev", GUEST_BRIDGE, namespace=namespace)
    ip("link", "set", "lo", "up", namespace=namespace)
    ip("link", "set", GUEST_BRIDGE, "up", namespace=namespace)


def forget_segments(namespace: str) -> None:
    """A host without power has none of the links and rules that were made on it."""
    for name in links(namespace) - {"lo", "uplink", GUEST_BRIDGE}:
        # A tunnel's bridge and a bridge's tunnel may go in either order, and a tap with its process.
        with contextlib.suppress(YuiError):
            ip("link", "delete", name, namespace=namespace)
    subprocess.run(  # noqa: S603
        ["ip", "netns", "exec", namespace, "nft", "flush", "ruleset"],  # noqa: S607
        env={**os.environ, "PATH": search_path()},
        check=True,
    )


def links(namespace: str | None = None) -> frozenset[str]:
    shown = ip("-json", "link", "show", namespace=namespace)
    return frozenset(link["ifname"] for link in json.loads(shown))


def namespaces() -> frozenset[str]:
    return frozenset(row["name"] for row in json.loads(ip("-json", "netns", "list") or "[]"))


def is_up(link: str) -> bool:
    return "UP" in json.loads(ip("-json", "link", "show", "dev", link))[0]["flags"]
