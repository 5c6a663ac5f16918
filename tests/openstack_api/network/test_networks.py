"""Networks, their addresses and ports, through unmodified openstacksdk."""

from __future__ import annotations

import re

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.api.conftest import MIKASA, UJI
from tests.openstack_api.cloud import Cloud
from tests.openstack_api.network.asking import ask, fault, v1


def test_a_client_finds_the_version_and_what_holds_there(cloud: Cloud, town: Connection) -> None:
    assert town.network.get_endpoint_data().api_version == (2, 0)
    (version,) = ask(cloud, "GET", "").json()["versions"]
    assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    resources = ask(cloud, "GET", "/v2.0/").json()["resources"]
    for resource in resources:
        if resource["collection"] != "quotas":
            path = f"/v2.0/{resource['collection']}"
            assert resource["links"][0]["href"].endswith(path)
            assert resource["collection"].replace("-", "_") in ask(cloud, "GET", path).json()
    aliases = {extension.alias for extension in town.network.extensions()}
    assert {"security-group", "quotas", "external-net", "yui-zone"} <= aliases
    assert not aliases & {"router", "qos", "port-security", "availability_zone"}
    assert town.network.find_extension("sorting").name == "Sorting support"
    fault(ask(cloud, "GET", "/v2.0/extensions/router"), 404, "ExtensionNotFound")


@pytest.mark.long
def test_a_network_is_made_before_its_servers_renamed_and_given_back(
    cloud: Cloud, town: Connection
) -> None:
    made = town.create_network("lgwan", provider=None)
    assert made.id == f"m{MIKASA}-lgwan"
    assert (made.status, made.is_admin_state_up, made.is_shared) == ("ACTIVE", True, False)
    assert (made.project_id, made.is_router_external) == (MIKASA, False)
    assert v1(cloud, "GET", f"/v1/networks/{made.id}")["reserved"]
    again = {"network": {"name": "other", "yui:zone": "lgwan"}}
    assert made.id in fault(ask(cloud, "POST", "/v2.0/networks", json=again), 409, "NetworkExists")
    unclear = {"network": {"name": "office"}}
    fault(ask(cloud, "POST", "/v2.0/networks", json=unclear), 400, "NetworkZoneUnclear")
    shared = {"network": {"name": "mynumber", "shared": True}}
    fault(ask(cloud, "POST", "/v2.0/networks", json=shared), 400, "HTTPBadRequest")
    theirs = {"network": {"name": "mynumber", "project_id": UJI}}
    fault(ask(cloud, "POST", "/v2.0/networks", json=theirs), 403, "PolicyNotAuthorized")
    office = town.network.create_network(name="住民", provider_physical_network="mynumber")
    assert town.get_network("住民").id == office.id == f"m{MIKASA}-mynumber"
    town.update_network("住民", name="records")
    assert v1(cloud, "GET", f"/v1/networks/{office.id}")["name"] == "records"
    v1(cloud, "PATCH", f"/v1/networks/{office.id}", json={"name": "office"})
    shown = ask(cloud, "GET", f"/v2.0/networks/{office.id}").json()["network"]
    assert (shown["name"], shown["yui:zone"]) == ("office", "mynumber")
    assert "provider:physical_network" not in shown
    assert [n.name for n in town.network.networks(name="office")] == ["office"]
    # Its addresses are called so whatever the network is called.
    subnet = town.get_subnet("mynumber-hokkaido-dc")
    assert (subnet.network_id, subnet.ip_version) == (office.id, 4)
    assert subnet.id in shown["subnets"]
    assert town.delete_network("office")
    assert town.network.find_network("office") is None
    fault(ask(cloud, "GET", f"/v2.0/networks/{office.id}"), 404, "NetworkNotFound")
    assert town.delete_network("lgwan")
    kinds = [e["kind"] for e in v1(cloud, "GET", "/v1/events")["items"]]
    assert {"network.added", "network.renamed", "network.removed"} <= set(kinds)


def test_a_network_that_came_with_a_system_has_its_zones_name(
    cloud: Cloud, town: Connection
) -> None:
    here = town.network.find_network("internet", ignore_missing=False)
    assert (here.id, here.name) == (f"m{MIKASA}-internet", "internet")
    assert [n.id for n in town.network.networks(name="internet")] == [here.id]
    assert v1(cloud, "GET", f"/v1/networks/{here.id}")["name"] == "internet"
    again = {"network": {"name": "internet", "provider:physical_network": "internet"}}
    said = fault(ask(cloud, "POST", "/v2.0/networks", json=again), 409, "NetworkExists")
    assert f"internet ({here.id})" in said
    for name in ("lgwan", "mynumber"):
        misnamed = {"network": {"name": name}}
        answer = ask(cloud, "PUT", f"/v2.0/networks/{here.id}", json=misnamed)
        fault(answer, 409, "NetworkNameTaken")
    server = next(s for s in town.compute.servers() if "internet" in s.addresses)
    (address,) = server.addresses["internet"]
    (port,) = town.network.ports(network_id=here.id, device_id=server.id)
    assert port.fixed_ips[0]["ip_address"] == address["addr"]
    assert port.fixed_ips[0]["subnet_id"] in here.subnet_ids
    subnets = town.network.subnets(network_id=here.id)
    assert [s.name for s in subnets] == ["internet-hokkaido-dc"]


def test_addresses_are_the_sites_to_give(cloud: Cloud, town: Connection) -> None:
    (network,) = town.network.networks()
    (subnet,) = town.network.subnets(network_id=network.id)
    assert subnet.id in network.subnet_ids
    assert (subnet.cidr, subnet.is_dhcp_enabled) == ("10.77.17.0/24", False)
    assert subnet.allocation_pools
    assert subnet.name == f"{network.name}-hokkaido-dc"
    with pytest.raises(exceptions.ConflictException, match=re.escape("10.77.17.0/24")):
        town.create_subnet(network.id, cidr="192.168.1.0/24", subnet_name="mine")
    same = {"subnet": {"name": subnet.name, "cidr": subnet.cidr, "enable_dhcp": False}}
    answer = ask(cloud, "PUT", f"/v2.0/subnets/{subnet.id}", json=same)
    assert answer.json()["subnet"]["id"] == subnet.id
    for change in ({"enable_dhcp": True}, {"name": "mine"}, {"tags": []}):
        other = ask(cloud, "PUT", f"/v2.0/subnets/{subnet.id}", json={"subnet": change})
        fault(other, 409, "SubnetStays")
    fault(ask(cloud, "DELETE", f"/v2.0/subnets/{subnet.id}"), 409, "SubnetInUse")
    fault(ask(cloud, "DELETE", "/v2.0/subnets/none"), 404, "SubnetNotFound")
    fault(ask(cloud, "GET", f"/v2.0/subnets/{subnet.id}", UJI), 404, "SubnetNotFound")
    fault(ask(cloud, "GET", f"/v2.0/networks/{network.id}", UJI), 404, "NetworkNotFound")
    with pytest.raises(exceptions.ConflictException, match="in use by"):
        town.delete_network(network.id)


@pytest.mark.long
def test_each_server_has_a_port_that_wears_its_groups(cloud: Cloud, town: Connection) -> None:
    servers = {s["id"]: s for s in v1(cloud, "GET", "/v1/servers")["items"]}
    cloud.until(lambda: all(port.status == "ACTIVE" for port in town.list_ports()))
    ports = {port.device_id: port for port in town.list_ports()}
    assert set(ports) == set(servers)
    server, port = next(iter(ports.items()))
    (fixed,) = port.fixed_ips
    assert fixed["ip_address"] == servers[server]["address"].partition("/")[0]
    subnet = town.network.get_subnet(fixed["subnet_id"])
    assert subnet.network_id == port.network_id
    assert port.device_owner == "compute:hokkaido-dc"
    assert port.security_group_ids == [f"m{MIKASA}-default"]
    by_address = f"ip_address={fixed['ip_address']}"
    for query in (
        {"device_id": server},
        {"mac_address": port.mac_address},
        {"fixed_ips": [by_address, f"subnet_id={subnet.id}"]},
    ):
        assert [p.id for p in town.network.ports(**query)] == [port.id]
    assert not list(town.network.ports(fixed_ips=[by_address, "subnet_id=none"]))
    group = town.create_security_group("counter", "窓口")
    town.network.update_port(port.id, security_group_ids=[group.id])
    assert v1(cloud, "GET", f"/v1/servers/{server}/security-groups")["groups"] == [group.id]
    (worn,) = ask(cloud, "GET", f"/v2.0/ports?security_groups={group.id}").json()["ports"]
    assert worn["id"] == port.id
    with pytest.raises(exceptions.ConflictException):
        town.network.delete_security_group(group)
    for wrong in ({"security_groups": []}, {"fixed_ips": []}, {"admin_state_up": False}):
        answer = ask(cloud, "PUT", f"/v2.0/ports/{port.id}", json={"port": wrong})
        fault(answer, 400, "HTTPBadRequest")
    v1(
        cloud,
        "PUT",
        f"/v1/servers/{server}/security-groups",
        json={"groups": [f"m{MIKASA}-default"]},
    )
    assert town.network.get_port(port.id).security_group_ids == [f"m{MIKASA}-default"]
    assert town.delete_security_group("counter")
    fault(ask(cloud, "DELETE", f"/v2.0/ports/{port.id}"), 409, "PortInUse")
    new = {"port": {"network_id": port.network_id, "name": "spare"}}
    fault(ask(cloud, "POST", "/v2.0/ports", json=new), 409, "PortsAreGiven")
    fault(ask(cloud, "GET", f"/v2.0/ports/{port.id}", UJI), 404, "PortNotFound")
    theirs = {"port": {"security_groups": [group.id]}}
    answer = ask(cloud, "PUT", f"/v2.0/ports/{port.id}", UJI, json=theirs)
    fault(answer, 404, "PortNotFound")
    fault(ask(cloud, "GET", "/v2.0/ports/port-none"), 404, "PortNotFound")
