"""A pool of simulated hosts with its reconciler, for tests that look at one thing it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, RegionId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.pool_file import from_json
from control_plane.reconcile import Controller
from control_plane.store import Store
from tests.scenarios.joining import MEMBER, TINY, join
from tests.scenarios.setting import SystemSetting

REGION = RegionId("kyoto")


@dataclass
class SmallPool:
    """`hosts` of 8 vCPU and 16 GiB called kyoto-1, kyoto-2 and so on, which enter at once."""

    store: Store
    hosts: int = 3
    world: SimulatedWorld = field(init=False)
    controller: Controller = field(init=False)

    def __post_init__(self) -> None:
        described = _described(self.hosts)
        pools = [pool for site in described.sites for pool in site.storage_pools]
        self.world = SimulatedWorld(storage=pools)
        self.controller = Controller(self.store, self.world, "test")
        now = self.world.clock.now()
        with self.store.write() as tx:
            for region in described.regions:
                tx.put_region(region)
            for site in described.sites:
                tx.put_site(site)
            for flavor in described.flavors:
                tx.put_flavor(flavor)
            tx.put_image(TINY)
            tx.add_tenant(MEMBER)
            for each in described.hosts:
                host = each.as_host(now)
                self.world.machine(host)
                tx.put_host_description(host)

    def admit(self, system: SystemSetting) -> None:
        join(self.store, REGION, system, self.world.clock.now())

    def host(self, number: int) -> Host:
        with self.store.read() as tx:
            return tx.host(HostId(f"kyoto-{number}"))

    def until(self, done: Callable[[], bool], most: float = 600) -> None:
        """Tick once a second until `done`."""
        late = self.world.clock.monotonic() + most
        while not done():
            assert self.world.clock.monotonic() < late
            self.controller.tick()
            self.world.clock.sleep(Seconds(1))

    def all_up(self) -> bool:
        with self.store.read() as tx:
            return all(isinstance(host.health, Up) for host in tx.hosts())


def _described(hosts: int):
    return from_json(
        {
            "regions": [{"id": REGION, "name": "京都"}],
            "sites": [
                {
                    "id": "kyoto-dc",
                    "region": REGION,
                    "name": "京都センター",
                    "guest_network": "10.77.0.0/16",
                    "storage_pools": [
                        {"id": "kyoto-pool", "capacity": "100 TiB", "path": "/srv/yui/kyoto"}
                    ],
                }
            ],
            "hosts": [
                {
                    "id": f"kyoto-{number}",
                    "site": "kyoto-dc",
                    "vcpus": 8,
                    "memory": "16 GiB",
                    "storage": ["kyoto-pool"],
                    "connection": {"driver": "simulated", "uri": f"simulated://kyoto-{number}"},
                }
                for number in range(1, hosts + 1)
            ],
            "flavors": [
                {"id": "small", "vcpus": 1, "memory": "2 GiB", "disk": "20 GiB"},
                {"id": "large", "vcpus": 4, "memory": "8 GiB", "disk": "20 GiB"},
            ],
        }
    )
