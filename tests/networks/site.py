"""A site of hosts that are namespaces, with the real network agent and cards that are veth pairs.

Cheaper than machines by far, so that wide matrices can be asked. The site's router and what lies behind
it are namespaces too. Everything is made by the test and goes with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from control_plane.model.host_network import HostNetwork, Port, Segment
from control_plane.model.host_network_json import to_json
from control_plane.model.ids import HostId
from deploy.host_agent import yui_network_agent
from deploy.local import processes, why_no_local_hosts
from deploy.local.network import ip
from deploy.local.prerequisites import search_path

_AGENT = Path(yui_network_agent.__file__).parents[1]
_SPEAKER = Path(__file__).with_name("speaker.py")
_UNDERLAY = "10.98.0"
TCP, UDP = (22, 80, 443), (53,)


@dataclass(frozen=True)
class Card:
    """A server's card, plugged in on `host`."""

    host: HostId
    port: Port
    namespace: str
    segment: Segment

    @property
    def tap(self) -> str:
        return "yp" + self.port.mac.replace(":", "")


class Talk:
    """A TCP conversation with a card that says again what it is told."""

    def __init__(self, speaking: subprocess.Popen[str]) -> None:
        self._speaking = speaking

    def say(self, word: str) -> None:
        assert self._speaking.stdin is not None
        assert self._speaking.stdout is not None
        self._speaking.stdin.write(word + "\n")
        self._speaking.stdin.flush()
        assert self._speaking.stdout.readline().strip() == word


class Site:
    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        self._folder = folder
        self._prefix = f"yn{os.getpid() % 10_000}"
        self._made: list[str] = []
        self._speaking: list[subprocess.Popen[str]] = []
        self.hosts = [HostId(name) for name in hosts]
        self.router = f"{self._prefix}-router"

    def build(self) -> None:
        self._namespace("router")
        ip("link", "add", "lan", "type", "bridge", "stp_state", "0", namespace=self.router)
        ip("addr", "add", f"{_UNDERLAY}.1/24", "dev", "lan", namespace=self.router)
        ip("link", "set", "lan", "up", namespace=self.router)
        self.run(self.router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for number, host in enumerate(self.hosts, 1):
            name = self._namespace(host)
            ip(
                "link",
                "add",
                "uplink",
                "type",
                "veth",
                "peer",
                "name",
                host,
                "netns",
                self.router,
                namespace=name,
            )
            ip("link", "set", host, "master", "lan", "up", namespace=self.router)
            ip("addr", "add", f"{_UNDERLAY}.{10 + number}/24", "dev", "uplink", namespace=name)
            ip("link", "set", "uplink", "up", namespace=name)
            ip("route", "add", "default", "via", f"{_UNDERLAY}.1", namespace=name)

    def _namespace(self, name: str) -> str:
        full = f"{self._prefix}-{name}"
        ip("netns", "add", full)
        self._made.append(full)
        ip("link", "set", "lo", "up", namespace=full)
        return full

    def tunnel_address(self, host: str) -> IPv4Address:
        return IPv4Address(f"{_UNDERLAY}.{11 + self.hosts.index(HostId(host))}")

    def namespace_of(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def office(self, name: str, network: str) -> str:
        """A namespace behind the router: `.1` of its /24 is the router, `.9` the desk."""
        desk, base = self._namespace(name), network.rpartition(".")[0]
        ip(
            "link",
            "add",
            name,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            desk,
            namespace=self.router,
        )
        ip("addr", "add", f"{base}.1/24", "dev", name, namespace=self.router)
        ip("link", "set", name, "up", namespace=self.router)
        ip("addr", "add", f"{base}.9/24", "dev", "eth0", namespace=desk)
        ip("link", "set", "eth0", "up", namespace=desk)
        ip("route", "add", "default", "via", f"{base}.1", namespace=desk)
        return desk

    def route(self, block: str, via: str) -> None:
        """Have the router send what is for a block of servers to a host."""
        ip("route", "replace", block, "via", str(self.tunnel_address(via)), namespace=self.router)

    def plan(self, plan: HostNetwork) -> None:
        """Have the agent of a host make it so."""
        done = self.give(plan.host, to_json(plan))
        assert done.returncode == 0, done.stderr

    def give(self, host: str, plan: bytes) -> subprocess.CompletedProcess[str]:
        (self._folder / f"{host}.plan").write_bytes(plan)
        return self.agent(host, "--once")

    def lose_source(self, host: str) -> None:
        """As when the control plane is gone: the host has its kept plan alone."""
        (self._folder / f"{host}.plan").unlink()

    def command(self, host: str, *options: str) -> list[str]:
        config = self._folder / f"{host}.json"
        fields = {
            "host": host,
            "source": f"file:{self._folder / host}.plan",
            "kept": str(self._folder / f"{host}.kept"),
            "interval": 0.2,
        }
        config.write_text(json.dumps(fields))
        return [
            "ip", "netns", "exec", self.namespace_of(host),
            sys.executable, "-E", "-s", "-m", "yui_network_agent", "--config", str(config), *options,
        ]  # fmt: skip

    def agent(self, host: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(host, *options), cwd=_AGENT, capture_output=True, text=True, check=False
        )

    @contextmanager
    def agent_running(self, host: str) -> Iterator[None]:
        running = subprocess.Popen(
            self.command(host), cwd=_AGENT, stderr=subprocess.PIPE, text=True
        )
        self._speaking.append(running)
        assert running.stderr is not None
        # Without its source it says so once, and by then has applied what it kept.
        assert "no new plan" in running.stderr.readline()
        yield
        running.terminate()
        assert running.wait(30) == 0

    def links(self, host: str) -> set[str]:
        return {link["ifname"] for link in self._listed(host, "ip", "-json", "link", "show")}

    def rules(self, host: str) -> list[str]:
        """Without what counts packets or remembers talks, in the order of their names."""
        said = self.run(self.namespace_of(host), "nft", "--stateless", "--terse", "list", "ruleset")
        return sorted(said.split("\n\n"))

    def _listed(self, host: str, *command: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self.run(self.namespace_of(host), *command))
        return found

    def clear(self, host: str) -> None:
        """As a host is that has just booted: nothing of what was made, and no card."""
        here = self.namespace_of(host)
        self.run(here, "nft", "flush", "ruleset")
        for name in self.links(host):
            if name.startswith(("s1", "yv", "yp")):
                ip("link", "delete", name, namespace=here)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "what was awaited did not come"

    def plug(self, host: str, segment: Segment, port: Port) -> Card:
        """A card that listens on `TCP` and `UDP`; its bridge must be there."""
        namespace = self._namespace(f"card-{port.server}")
        self._plug_in(host, segment, port, namespace)
        card = Card(HostId(host), port, namespace, segment)
        self.serve(namespace)
        return card

    def plug_again(self, cards: Sequence[Card]) -> None:
        for card in cards:
            self._plug_in(card.host, card.segment, card.port, card.namespace)

    def unplug(self, card: Card) -> None:
        ip("link", "delete", card.tap, namespace=self.namespace_of(card.host))

    def _plug_in(self, host: str, segment: Segment, port: Port, namespace: str) -> None:
        here, tap = self.namespace_of(host), "yp" + port.mac.replace(":", "")
        ip("link", "add", tap, "mtu", "1450", "type", "veth", "peer", "name", "eth0", "address", port.mac,
           "mtu", "1450", "netns", namespace, namespace=here)  # fmt: skip
        ip("link", "set", tap, "master", f"s{segment.number}", "up", namespace=here)
        gateway = next(g for g in segment.gateways if port.address in g.network)
        address = IPv4Interface((port.address, gateway.network.prefixlen))
        ip("addr", "add", str(address), "dev", "eth0", namespace=namespace)
        ip("link", "set", "eth0", "up", namespace=namespace)
        ip("route", "add", "default", "via", str(gateway.ip), namespace=namespace)

    def move(self, card: Card, target: str) -> Card:
        """As a live migration does: the same machine, its card plugged in elsewhere, announced."""
        there, bridge = self.namespace_of(target), f"s{card.segment.number}"
        ip("link", "set", card.tap, "netns", there, namespace=self.namespace_of(card.host))
        ip("link", "set", card.tap, "master", bridge, "up", namespace=there)
        mac = card.port.mac.replace(":", "")
        announcement = (
            f"ffffffffffff{mac}8035" + "0001080006040003" + mac + "00000000" + mac + "00000000"
        )
        self.send(card.namespace, [announcement])
        return replace(card, host=HostId(target))

    def serve(self, namespace: str, tcp: Sequence[int] = TCP, udp: Sequence[int] = UDP) -> None:
        self._speaker(namespace, "serve", json.dumps(list(tcp)), json.dumps(list(udp)))

    def _speaker(self, namespace: str, *words: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, str(_SPEAKER), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._speaking.append(started)
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        return started

    def ask(self, namespace: str, *asked: tuple[str, str, int]) -> list[bool]:
        """Whether each (kind, address, port) was answered."""
        said = self.run(namespace, sys.executable, str(_SPEAKER), "ask", given=json.dumps(asked))
        answers: list[bool] = json.loads(said)
        return answers

    @contextmanager
    def talking(self, namespace: str, address: str, port: int) -> Iterator[Talk]:
        yield Talk(self._speaker(namespace, "talk", address, str(port)))

    def send(self, namespace: str, frames: Sequence[str]) -> None:
        self.run(namespace, sys.executable, str(_SPEAKER), "send", given=json.dumps(list(frames)))

    @contextmanager
    def hearing(self, namespace: str, mark: bytes) -> Iterator[list[str]]:
        """The frames with `mark` that came in meanwhile; to be read after the block."""
        heard: list[str] = []
        listening = self._speaker(namespace, "hear", mark.hex())
        yield heard
        said, _ = listening.communicate("")
        heard += json.loads(said)

    def run(self, namespace: str, *command: str, given: str = "") -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", namespace, *command],
            input=given,
            env={**os.environ, "PATH": search_path()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def close(self) -> None:
        for started in self._speaking:
            started.kill()
            started.wait()
        for name in self._made:
            processes.kill_all(name)
            ip("netns", "delete", name)


@contextmanager
def site(folder: Path, *hosts: str) -> Iterator[Site]:
    reason = why_no_local_hosts()
    if reason is not None:
        pytest.skip(reason.en)
    made = Site(folder, hosts)
    try:
        made.build()
        yield made
    finally:
        made.close()
