"""Asks the host's kernel what is there, and makes it what the plan says; each step can be repeated.

Rules come before the links that they are for, and go after them, so that no link is ever there
without its rules; rules are replaced in one transaction.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from .links import Present, link_changes
from .plan import Plan
from .rules import TABLE, Existing, Settings, compile_rules, defined_by

_LIMIT_S = 60
_AT_LEAST_EVERY_S = 300.0
_SYSCTL = Path("/proc/sys/net")
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


class NotApplied(Exception):
    """A sentence about what the kernel, or a program, refused."""


class Kernel:
    """`mtu` is of servers' cards; `bridge` and `tunnel_port` as in `Settings`."""

    def __init__(self, mtu: int, bridge: str, tunnel_port: int) -> None:
        self._mtu = mtu
        self._bridge = bridge
        self._tunnel_port = tunnel_port
        self._rules = ""
        self._replaced_at = -math.inf

    def apply(self, plan: Plan) -> list[str]:
        """Make everything as planned; returns what could not be done though all else was. Raises
        NotApplied."""
        present = _present()
        uplink = _uplink(present, plan.tunnel_address)
        settings = Settings(host_mac(plan.tunnel_address), self._bridge, self._tunnel_port)
        changes = link_changes(plan, settings, self._mtu, present)
        usable = tuple(s for s in plan.segments if settings.bridge_of(s) in changes.bridges)
        _batch("ip", changes.remove)
        there = replace(_existing(), links=frozenset(str(link["ifname"]) for link in present.links))
        self._replace_rules(
            replace(plan, segments=usable), settings, there, sorted(changes.leftover)
        )
        _batch("ip", changes.make)
        _batch("bridge", changes.peers)
        for name in changes.bridges:
            _set_up_bridge(name)
        _forget_movers(present, plan)
        if uplink is None:
            return [*changes.problems, f"no link has the tunnels' address {plan.tunnel_address}"]
        if changes.bridges:
            _write(f"ipv4/conf/{uplink}/forwarding", "1")
        return changes.problems

    def _replace_rules(
        self, plan: Plan, settings: Settings, there: Existing, leftover: list[str]
    ) -> None:
        """Counters begin anew with every replacement, so it is done where something changed, or
        somebody flushed the tables; and now and then, lest a single rule was taken out."""
        rules = compile_rules(plan, settings, Existing(), leftover)
        now, made = time.monotonic(), defined_by(rules)
        whole = (there.chains, there.sets) == (made.chains, made.sets)
        unchanged = rules == self._rules and whole
        if unchanged and now - self._replaced_at < _AT_LEAST_EVERY_S:
            return
        _run(["nft", "--file", "-"], compile_rules(plan, settings, there, leftover))
        self._rules, self._replaced_at = rules, now


def host_mac(tunnel_address: IPv4Address) -> str:
    """The host's own hardware address on every segment: locally administered, and different where the
    tunnels' addresses are."""
    return ":".join(f"{byte:02x}" for byte in b"\x06\x59" + tunnel_address.packed)


def _existing() -> Existing:
    tables = _json("nft", "--json", "list", "tables").get("nftables", [])
    chains: set[tuple[str, str]] = set()
    sets: set[tuple[str, str]] = set()
    for entry in tables:
        table = entry.get("table", {})
        if table.get("name") == TABLE and table.get("family") in ("bridge", "inet"):
            # Without the elements, which are many and change all the time.
            listed = _json("nft", "--json", "--terse", "list", "table", table["family"], TABLE)
            for item in listed["nftables"]:
                for kind, found in (("chain", chains), ("set", sets)):
                    if kind in item:
                        found.add((table["family"], item[kind]["name"]))
    return Existing(frozenset(chains), frozenset(sets))


def _present() -> Present:
    return Present(
        _json("ip", "-json", "-details", "address", "show"),
        _json("bridge", "-json", "fdb", "show"),
    )


def _uplink(present: Present, tunnel_address: IPv4Address) -> str | None:
    for link in present.links:
        if any(a.get("local") == str(tunnel_address) for a in link.get("addr_info", ())):
            return str(link["ifname"])
    return None


def _set_up_bridge(name: str) -> None:
    # It routes for its segment, tells nobody of the host's other addresses, and speaks no IPv6.
    for key, value in (
        ("forwarding", "1"),
        ("arp_ignore", "1"),
        ("rp_filter", "0"),
        ("accept_redirects", "0"),
        ("send_redirects", "0"),
    ):
        _write(f"ipv4/conf/{name}/{key}", value)
    _write(f"ipv6/conf/{name}/disable_ipv6", "1")


def _write(key: str, value: str) -> None:
    path = _SYSCTL / key
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except FileNotFoundError:
        # A kernel without IPv6 has nothing to be switched off.
        return
    except OSError as error:
        raise NotApplied(f"{path} can't be set to {value}: {error.strerror}") from None


def _forget_movers(present: Present, plan: Plan) -> None:
    """A server that has left is new when it comes back."""
    links = {link["ifname"] for link in present.links}
    here = {p.mac for s in plan.segments for p in s.ports if p.tap in links}
    listed = _json("nft", "--json", "list", "set", "bridge", TABLE, "known")
    known = {
        element
        for item in listed["nftables"]
        for element in item.get("set", {}).get("elem", ())
        if isinstance(element, str)
    }
    forgotten = sorted(known - here)
    if forgotten:
        lines = f"delete element bridge {TABLE} known {{ {', '.join(forgotten)} }}\n"
        _run(["nft", "--file", "-"], lines)


def _batch(program: str, lines: list[str]) -> None:
    if lines:
        # One segment's trouble must not keep the others from being made.
        _run([program, "-force", "-batch", "-"], "\n".join(lines) + "\n")


def _json(*command: str) -> Any:
    said = _run(list(command), "")
    try:
        return json.loads(said or "[]")
    except ValueError:
        raise NotApplied(f"'{' '.join(command)}' gave no JSON") from None


def _run(command: list[str], given: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            command,
            input=given,
            env={**_ENVIRONMENT, "LANG": os.environ.get("LANG", "C")},
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except FileNotFoundError:
        raise NotApplied(f"the program {command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise NotApplied(f"'{' '.join(command)}' took longer than {_LIMIT_S} s") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:500]
        raise NotApplied(f"'{' '.join(command)}' refused: {said}")
    return done.stdout
