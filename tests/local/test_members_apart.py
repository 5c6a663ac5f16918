"""The whole way on real hosts: members declare what may pass, hosts are told, and packets pass or don't."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import httpx
import openstack
import pytest
from openstack.connection import Connection
from openstack.network.v2._proxy import Proxy as NetworkProxy

from control_plane.cli.client import Api
from control_plane.cli.language import Language
from control_plane.cli.private_file import write_private
from control_plane.cli.settings import Settings
from control_plane.model.ids import HostId
from deploy.local.cloud import LocalCloud
from tests.local.one_site import MIKASA, SITE, one_site, until

pytestmark = [pytest.mark.hypervisor, pytest.mark.timeout(900)]

FUKAGAWA = "012289"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with one_site(tmp_path / "cloud", segments=True) as made:
        yield made


def joined(cloud: LocalCloud, code: str, folder: Path) -> Api:
    """A new member's administrator."""
    api, approver = cloud.api(), cloud.approver()
    api.post("/v1/members", {"code": code, "blueprints": ["facility-booking"]})
    approver.post(f"/v1/members/{code}/approve")
    issued = api.post("/v1/tokens", {"role": "member-admin", "tenant": code, "label": "IT"})
    write_private(folder / code, lambda: issued["token"])
    api.close()
    approver.close()
    return Api(Settings(cloud.url, folder / code, None), Language.EN)


def vendor_of(cloud: LocalCloud, code: str) -> Connection:
    """Of a member that has joined, with OpenStack's own tool."""
    with closing(cloud.api()) as api:
        wanted = {"name": "vendor", "role": "member-admin", "tenant": code}
        account = api.post("/v1/service-accounts", wanted)["id"]
        token = api.post(f"/v1/service-accounts/{account}/tokens", {"label": "tools"})["token"]
    return openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type="v3applicationcredential",
        auth={
            "auth_url": f"{cloud.url}/openstack/identity/v3",
            "application_credential_id": token.split("_")[1],
            "application_credential_secret": token,
        },
        region_name=SITE.region,
    )


def kill_host_of(cloud: LocalCloud, server: dict[str, Any]) -> str:
    api = cloud.api()
    host = HostId(api.get(f"/v1/servers/{server['id']}")["host"])
    api.close()
    cloud.pool.cut_network(host)
    cloud.pool.power_off(host)
    return host


def reaches(server: dict[str, Any], office: str, port: int = 80) -> bool:
    """From one of this machine's addresses, which stand for offices."""
    transport = httpx.HTTPTransport(local_address=office)
    url = f"http://{ip_interface(server['address']).ip}:{port}/health"
    try:
        with httpx.Client(transport=transport, timeout=3, trust_env=False) as client:
            return client.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def last_probe(api: Api, server: str, how: str, whom: dict[str, Any]) -> tuple[int, str] | None:
    """The number of the last round of its probes that was whole, and what it said of `whom`."""
    shown = api.get(f"/v1/servers/{server}/console")["text"]
    done = re.findall(r"probe (\d+) done", shown)
    at = str(ip_interface(whom["address"]).ip).replace(".", r"\.")
    said = (
        re.findall(rf"probe {done[-1]} {how} {at}(?: \d+)? (reached|missed)", shown) if done else []
    )
    return (int(done[-1]), said[0]) if said else None


def assert_packets_follow_a_vendor(
    network: NetworkProxy, server: dict[str, Any], office: str, other: str
) -> None:
    """Who puts the server into a group that lets nobody in, and then the office."""
    group = network.create_security_group(name="counter")
    (port,) = network.ports(device_id=server["id"])
    before = port.security_group_ids
    network.update_port(port, security_groups=[group.id])
    until(lambda: not reaches(server, office))
    network.create_security_group_rule(
        security_group_id=group.id,
        direction="ingress",
        protocol="tcp",
        port_range_min=80,
        port_range_max=80,
        remote_ip_prefix=f"{office}/32",
    )
    until(lambda: reaches(server, office))
    assert not reaches(server, other)
    network.update_port(port, security_groups=before)
    network.delete_security_group(group)
    until(lambda: reaches(server, office))


def test_members_decide_who_reaches_their_servers_and_real_packets_obey(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    api, approver = cloud.api(), cloud.approver()
    until(lambda: {host["health"] for host in api.every("/v1/hosts")} == {"up"})
    admins = {code: joined(cloud, code, tmp_path) for code in (MIKASA, FUKAGAWA)}

    def server_of(code: str) -> dict[str, Any]:
        return next(s for s in api.every("/v1/servers") if s["tenant"] == code)

    until(lambda: len(api.every("/v1/servers")) == 2)
    until(lambda: {s["status"] for s in api.every("/v1/servers")} == {"active"})
    first, second = server_of(MIKASA), server_of(FUKAGAWA)

    # Nobody has declared offices: nobody gets in. Then each member's own office reaches its server alone.
    offices = {MIKASA: cloud.pool.office(1), FUKAGAWA: cloud.pool.office(2)}
    assert not any(reaches(s, o) for s in (first, second) for o in offices.values())
    for code, office in offices.items():
        (network,) = [n for n in admins[code].every("/v1/networks") if n["subnets"]]
        admins[code].put(f"/v1/networks/{network['id']}/offices", {"offices": [f"{office}/32"]})
    until(lambda: reaches(first, offices[MIKASA]))
    until(lambda: reaches(second, offices[FUKAGAWA]))
    assert not reaches(first, offices[FUKAGAWA])
    assert not reaches(second, offices[MIKASA])
    for admin in admins.values():
        until(
            lambda admin=admin: (
                {n["in_effect"] for n in admin.every("/v1/networks")} <= {"in-effect", "no-servers"}
            )
        )

    # One member offers the other a service; packets pass once an approver has said so, and no longer.
    some, more = ({"vcpus": n, "memory_mib": 112 * n, "disk_gib": n} for n in (1, 4))
    approver.put(f"/v1/members/{MIKASA}/quota", {"guaranteed": some, "quota": more})
    where = ip_interface(second["address"]).ip
    admins[MIKASA].post(
        "/v1/servers",
        {"servers": [{
            "name": "asker", "system": first["system"], "flavor": "m1.small", "image": "tiny",
            "user_data": f"#cloud-config\n# yui-probe http {where} 80\n# yui-probe ping {where}\n",
        }]},
    )  # fmt: skip
    until(lambda: {s["status"] for s in api.every("/v1/servers")} == {"active"})
    asking = next(s["id"] for s in api.every("/v1/servers") if s["name"].startswith("asker"))

    def after(how: str, said: str) -> Callable[[], bool]:
        """Two rounds from now on it says so: the first may have begun before."""
        begun = last_probe(api, asking, how, second)

        def so() -> bool:
            found = last_probe(api, asking, how, second)
            return found is not None and found[0] > (begun or (0, ""))[0] + 1 and found[1] == said

        return so

    until(after("http", "missed"))
    binding = admins[FUKAGAWA].post(
        "/v1/bindings",
        {"name": "booking", "consumer": MIKASA, "servers": [second["id"]], "port": 80,
         "reason": "Citizens of both towns book the same halls."},
    )  # fmt: skip
    until(after("http", "missed"))
    approver.post(f"/v1/bindings/{binding['id']}/approve")
    until(after("http", "reached"))
    until(after("ping", "missed"))

    # The server that asks and the one that answers change hosts, and both are reached as before.
    for moving, code in ((asking, MIKASA), (second["id"], FUKAGAWA)):
        host = api.get(f"/v1/servers/{moving}")["host"]
        api.post(f"/v1/servers/{moving}/migrate", {})
        until(lambda moving=moving, host=host: api.get(f"/v1/servers/{moving}")["host"] != host)
        until(after("http", "reached"))
        until(lambda code=code: reaches(server_of(code), offices[code]))
    assert not reaches(second, offices[MIKASA])

    approver.post(f"/v1/bindings/{binding['id']}/revoke", {"reason": "The halls are sold."})
    until(after("http", "missed"))

    assert_packets_follow_a_vendor(
        vendor_of(cloud, FUKAGAWA).network, second, offices[FUKAGAWA], offices[MIKASA]
    )

    # A host dies; its servers restart on the other, which has their networks already.
    victim = kill_host_of(cloud, first)
    until(lambda: api.get(f"/v1/servers/{first['id']}")["host"] not in (victim, None))
    until(lambda: reaches(first, offices[MIKASA]))
    until(lambda: reaches(second, offices[FUKAGAWA]))
    assert not reaches(second, offices[MIKASA])
    for one in (*admins.values(), api, approver):
        one.close()
