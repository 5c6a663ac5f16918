"""Two members' real servers on real hosts, with the network that the control plane plans for them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from control_plane.drivers.disks import VolumeSpec
from control_plane.drivers.libvirt import LibvirtDriver
from control_plane.drivers.protocol import ServerSpec
from control_plane.model.addressing import mac_of
from control_plane.model.host_network_json import to_json
from control_plane.model.host_network_plan import NetworkFacts, plan_host_network
from control_plane.model.ids import (
    BindingId,
    FlavorId,
    Generation,
    HostId,
    ImageId,
    NetworkId,
    RegionId,
    SecurityGroupId,
    ServerId,
    SiteId,
    StoragePoolId,
    SystemId,
)
from control_plane.model.image import Image
from control_plane.model.network import (
    DEFAULT_GROUP,
    Binding,
    BindingState,
    Direction,
    Network,
    PortRange,
    Protocol,
    SecurityGroup,
    SecurityRule,
    Subnet,
    default_rules,
)
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Moving, Placed, Placement, Server
from control_plane.pool_file import PoolDescription, parse
from deploy.local import LocalPool, network
from deploy.local.network_agent import start_network_agent, wait_for_segment

A, B = MunicipalityCode("261009"), MunicipalityCode("262013")
SITE, STORAGE = SiteId("kyoto-dc"), StoragePoolId("kyoto-dc-pool")
SIZE = Resources(VCpu(1), MiB(128))
AT = datetime(2026, 4, 1, tzinfo=UTC)
EAST, WEST = HostId("kyoto-dc-1"), HostId("kyoto-dc-2")
_PATIENCE_S = 180.0
_PROBE = re.compile(
    r"yui-guest: probe (\d+) (?:(done)|(\w+) ([0-9.]+)(?: (\d+))? (reached|missed))"
)

Talk = tuple[str, str, int]
"""`http` or `ping`, the server that is asked or an address, the port (0 with ping)."""


@dataclass
class Town:
    """Everything of the two members, and the hosts that carry it. `offices` of the first member's
    LGWAN network are the machine that the pool stands on; the second member's `b-1` offers 443 to the
    first member's LGWAN network."""

    pool: LocalPool
    image: Image
    folder: Path
    servers: dict[str, Server] = field(default_factory=dict)
    bindings: tuple[BindingState, ...] = (BindingState.APPROVED,)
    opened: Collection[int] = (80,)
    drivers: dict[HostId, LibvirtDriver] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.drivers = {h.id: LibvirtDriver(self.pool.endpoint(h.id)) for h in self.pool.hosts}
        guests = IPv4Network(str(self._described.sites[0].guest_network))
        blocks = list(guests.subnets(new_prefix=28))
        homes = {"a": (A, Zone.LGWAN), "i": (A, Zone.INTERNET), "b": (B, Zone.LGWAN)}
        self.networks = {
            name: Network(
                NetworkId(f"network-{name}"),
                member,
                RegionId("kyoto"),
                zone,
                name,
                10_000 + number,
                (Subnet(SITE, blocks[number], blocks[number][1]),),
                (IPv4Network(self.pool.gateway),) if name == "a" else (),
            )
            for number, (name, (member, zone)) in enumerate(homes.items(), 1)
        }

    @property
    def _described(self) -> PoolDescription:
        return parse(json.dumps(self.pool.describe()), "pool")

    def add(self, name: str, host: HostId) -> None:
        """A server such as `a-2`, the second of network `a`."""
        home = self.networks[name[0]]
        block = home.subnets[0].addresses
        self.servers[name] = Server(
            id=ServerId(name),
            tenant=home.tenant,
            system=SystemId(f"system-{name[0]}"),
            name=name,
            role="app",
            flavor=FlavorId("tiny"),
            size=SIZE,
            disk=GiB(1),
            image=ImageId("tiny"),
            zone=home.zone,
            tier=1,
            start_order=0,
            storage=STORAGE,
            address=f"{block[3 + int(name[-1])]}/{block.prefixlen}",
            placement=Placed(host),
        )

    def address(self, name: str) -> str:
        return self.servers[name].address.partition("/")[0]

    def gateway(self, network_name: str) -> str:
        return str(self.networks[network_name].subnets[0].gateway)

    def spec(self, name: str, talks: Collection[Talk]) -> ServerSpec:
        server, home = self.servers[name], self.networks[name[0]]
        lines = ["#cloud-config", "# yui-listen 443", "# yui-listen 8080"]
        for how, whom, port in talks:
            at = self.address(whom) if whom in self.servers else whom
            lines.append(f"# yui-probe {how} {at}" + (f" {port}" if port else ""))
        return ServerSpec(
            server.id,
            name,
            Generation(1),
            SIZE,
            VolumeSpec(STORAGE, str(self.pool.storage(SITE)), GiB(1)),
            self.image,
            server.zone,
            mac_of(server.id),
            server.address,
            self.gateway(name[0]),
            "\n".join(lines) + "\n",
            segment=home.segment,
        )

    def place(self, name: str, placement: Placement) -> None:
        self.servers[name] = replace(self.servers[name], placement=placement)

    def plan(self) -> None:
        """Let the control plane's planner write what each host's agent reads."""
        facts = self._facts()
        for host in self.pool.hosts:
            planned = plan_host_network(host.id, facts)
            assert planned is not None
            unfinished = self.plan_file(host.id).with_suffix(".new")
            unfinished.write_bytes(to_json(planned))
            unfinished.replace(self.plan_file(host.id))

    def plan_file(self, host: HostId) -> Path:
        return self.folder / f"{host}.plan"

    def _facts(self) -> NetworkFacts:
        described = self._described
        groups = []
        for member in (A, B):
            group = SecurityGroupId(f"default-{member}")
            ports = [
                SecurityRule(Direction.INGRESS, Protocol.TCP, PortRange(n, n), offices=True)
                for n in self.opened
            ]
            # The offices get the opened ports alone; all else as a new member has it.
            rules = [rule for rule in default_rules(group) if not rule.offices]
            groups.append(SecurityGroup(group, member, DEFAULT_GROUP, (*rules, *ports)))
        bindings = [
            Binding(
                BindingId(f"binding-{number}"),
                "b-1",
                B,
                A,
                Zone.LGWAN,
                (self.servers["b-1"].id,),
                Protocol.TCP,
                443,
                "a shared register",
                state,
                "clerk",
                AT,
            )
            for number, state in enumerate(self.bindings)
        ]
        return NetworkFacts(
            described.sites,
            described.hosts,
            list(self.servers.values()),
            list(self.networks.values()),
            groups,
            {},
            bindings,
            {},
        )

    def start_agents(self) -> None:
        for host in self.pool.hosts:
            start_network_agent(self.pool, host.id, f"file:{self.plan_file(host.id)}")

    def wait_for_networks(self) -> None:
        for name in self.servers:
            wait_for_segment(self.pool, self.host_of(name), self.networks[name[0]].segment)

    def route(self, host: HostId) -> None:
        """This machine is the site's router: what is for the first member goes by `host`."""
        block = str(self.networks["a"].subnets[0].addresses)
        network.ip("route", "replace", block, "via", self.pool.host(host).address)

    def host_of(self, name: str) -> HostId:
        placement = self.servers[name].placement
        assert isinstance(placement, Placed)
        return placement.host

    def driver_of(self, name: str) -> LibvirtDriver:
        return self.drivers[self.host_of(name)]

    def move(self, name: str, target: HostId) -> None:
        """As the control plane does it: the target's network is there before the server is."""
        source = self.host_of(name)
        self.place(name, Moving(source, target))
        self.plan()
        wait_for_segment(self.pool, target, self.networks[name[0]].segment)
        self.drivers[source].migrate(ServerId(name), self.pool.endpoint(target))
        self.place(name, Placed(target))
        self.plan()

    def rounds(self, name: str) -> Mapping[tuple[int, int], Mapping[Talk, bool]]:
        """Rounds of probes that the server's console shows whole, by boot and number."""
        shown = self.driver_of(name).console(ServerId(name), 2**20)
        found: dict[tuple[int, int], dict[Talk, bool]] = {}
        whole = set()
        names = {self.address(server): server for server in self.servers}
        for boot, lines in enumerate(shown.split("yui-guest: userspace is up")):
            for number, done, how, whom, port, said in _PROBE.findall(lines):
                if done:
                    whole.add((boot, int(number)))
                else:
                    talk = (how, names.get(whom, whom), int(port or 0))
                    found.setdefault((boot, int(number)), {})[talk] = said == "reached"
        return {at: found[at] for at in sorted(whole) if at in found}

    def until_reached(self, expected: Mapping[str, Collection[Talk]]) -> None:
        """Wait until a whole round of each server, begun after this call, reached exactly these."""
        begun = {name: list(self.rounds(name)) for name in expected}

        def last(name: str) -> set[Talk] | None:
            # The first new one may have begun before.
            rounds = list(self.rounds(name).items())[len(begun[name]) + 1 :]
            return {t for t, yes in rounds[-1][1].items() if yes} if rounds else None

        deadline = time.monotonic() + _PATIENCE_S
        while True:
            reached = {name: last(name) for name in expected}
            if all(reached[name] == set(talks) for name, talks in expected.items()):
                return
            if time.monotonic() > deadline:
                pytest.fail(
                    str(
                        {
                            n: (f"not {r}" if r is None else r ^ set(expected[n]))
                            for n, r in reached.items()
                        }
                    )
                )
            time.sleep(0.5)

    def close(self) -> None:
        for driver in self.drivers.values():
            driver.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "what was awaited did not come"
        time.sleep(0.2)
