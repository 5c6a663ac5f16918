"""Security groups and rules through unmodified openstacksdk, and the same seen through `/v1`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.api.conftest import MIKASA, UJI
from tests.openstack_api.cloud import Cloud
from tests.openstack_api.network.asking import ask, fault, v1


@pytest.mark.long
def test_a_group_made_here_is_the_same_there(cloud: Cloud, town: Connection) -> None:
    group = town.create_security_group("web", "Counters' web servers")
    assert (group.stateful, group.project_id, group.is_shared) == (True, MIKASA, False)
    (out,) = group.security_group_rules
    assert (out["direction"], out["ethertype"], out["protocol"]) == ("egress", "IPv4", None)
    rule = town.create_security_group_rule(
        "web", 443, 443, "tcp", remote_ip_prefix="10.20.0.0/16", description="HTTPS"
    )
    assert (rule.port_range_min, rule.port_range_max, rule.protocol) == (443, 443, "tcp")
    assert (rule.remote_ip_prefix, rule.description) == ("10.20.0.0/16", "HTTPS")
    shown = v1(cloud, "GET", f"/v1/security-groups/{group.id}")
    assert shown["description"] == "Counters' web servers"
    assert [{k: v for k, v in one.items() if v} for one in shown["rules"]] == [
        {"direction": "egress", "protocol": "any"},
        {
            "direction": "ingress",
            "protocol": "tcp",
            "ports": "443",
            "remote": "10.20.0.0/16",
            "description": "HTTPS",
        },
    ]
    with pytest.raises(exceptions.ConflictException, match=rule.id):
        town.create_security_group_rule("web", 443, 443, "TCP", remote_ip_prefix="10.20.7.7/16")
    assert town.network.get_security_group_rule(rule.id).security_group_id == group.id
    found = town.network.security_group_rules(security_group_id=group.id, direction="ingress")
    assert [one.id for one in found] == [rule.id]
    # What the other face changes is another rule here, and the rest stays what it is.
    rules = [*shown["rules"][:1], {"direction": "ingress", "protocol": "icmp"}]
    v1(cloud, "PUT", f"/v1/security-groups/{group.id}", json={"rules": rules})
    after = {r["id"]: r for r in town.get_security_group("web").security_group_rules}
    assert out["id"] in after
    assert rule.id not in after
    (ping,) = (r for r in after.values() if r["protocol"] == "icmp")
    assert town.delete_security_group_rule(ping["id"])
    with pytest.raises(exceptions.NotFoundException):
        town.delete_security_group_rule(ping["id"])
    town.update_security_group("web", name="counter", description="")
    with pytest.raises(exceptions.ConflictException):
        town.create_security_group("counter", "")
    assert town.delete_security_group("counter")
    assert town.get_security_group("counter") is None
    actions = [e["action"] for e in v1(cloud, "GET", "/v1/audit")["items"]]
    assert {"security-group.add", "security-group.change", "security-group.remove"} <= set(actions)


@pytest.mark.long
def test_rules_say_no_more_than_hosts_can_keep(cloud: Cloud, town: Connection) -> None:
    group = town.create_security_group("strict", "")

    def made(**said: Any) -> Any:
        rule = {"security_group_id": group.id, "direction": "ingress", **said}
        return ask(cloud, "POST", "/v2.0/security-group-rules", json={"security_group_rule": rule})

    web = {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}
    for wrong, type in (
        ({"ethertype": "IPv6"}, "SecurityGroupRuleInvalidEtherType"),
        ({"protocol": "sctp"}, "HTTPBadRequest"),
        ({"port_range_min": 1, "port_range_max": 2}, "SecurityGroupProtocolRequiredWithPorts"),
        ({**web, "port_range_max": 79}, "SecurityGroupInvalidPortRange"),
        ({**web, "port_range_max": None}, "SecurityGroupInvalidPortRange"),
        ({**web, "port_range_min": 0}, "SecurityGroupInvalidPortValue"),
        ({**web, "port_range_max": 10**30}, "SecurityGroupInvalidPortValue"),
        ({"protocol": "icmp", "port_range_min": 8}, "SecurityGroupInvalidIcmpValue"),
        ({"remote_ip_prefix": "10.0.0.300/8"}, "SecurityGroupRuleInvalidPrefix"),
        ({"remote_ip_prefix": "fe80::/10"}, "HTTPBadRequest"),
        (
            {"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": group.id},
            "SecurityGroupMultipleRemoteEntites",
        ),
        ({"direction": "sideways"}, "HTTPBadRequest"),
        ({"priority": 1}, "HTTPBadRequest"),
    ):
        fault(made(**wrong), 400, type)
    fault(made(remote_group_id="sg-none"), 404, "SecurityGroupNotFound")
    fault(made(remote_group_id=f"m{UJI}-default"), 404, "SecurityGroupNotFound")
    fault(made(security_group_id=f"m{UJI}-default"), 404, "SecurityGroupNotFound")
    fault(made(remote_address_group_id="none"), 404, "AddressGroupNotFound")
    (offices,) = town.network.address_groups()
    for said, shown in (
        ({"protocol": 6, "port_range_min": 1, "port_range_max": 65535}, {"port_range_min": None}),
        ({"protocol": "17"}, {"protocol": "udp"}),
        ({"protocol": "any", "direction": "egress", "remote_ip_prefix": "10.1.2.3"},
         {"protocol": None, "remote_ip_prefix": "10.1.2.3/32", "normalized_cidr": "10.1.2.3/32"}),
        ({"remote_group_id": group.id}, {"remote_group_id": group.id}),
        ({"remote_address_group_id": offices.id}, {"remote_address_group_id": offices.id}),
    ):  # fmt: skip
        answer = made(**said)
        assert answer.status_code == 201, answer.text
        rule = answer.json()["security_group_rule"]
        assert {key: rule[key] for key in shown} == shown
    several = [
        {"security_group_id": group.id, "direction": "ingress", "protocol": "tcp",
         "port_range_min": port, "port_range_max": port}
        for port in (22, 25)
    ]  # fmt: skip
    made_at_once = town.network.create_security_group_rules(several)
    assert [rule.port_range_min for rule in made_at_once] == [22, 25]
    again = {"security_group_rules": [{**several[0], "port_range_min": 21}, several[1]]}
    path = "/v2.0/security-group-rules"
    fault(ask(cloud, "POST", path, json=again), 409, "SecurityGroupRuleExists")
    assert not list(town.network.security_group_rules(port_range_min=21))
    fault(ask(cloud, "POST", path, json={}), 400, "HTTPBadRequest")
    ports = range(8000, 8008)
    with ThreadPoolExecutor(8) as at_once:
        answers = at_once.map(
            lambda port: made(protocol="udp", port_range_min=port, port_range_max=port), ports
        )
        assert {answer.status_code for answer in answers} == {201}
    rules = town.network.security_group_rules(security_group_id=group.id, protocol="udp")
    assert {rule.port_range_min for rule in rules} >= set(ports)
    key = {"Idempotency-Key": "once-and-no-more"}
    body = {"security_group_rule": {"security_group_id": group.id, "direction": "ingress", **web}}
    first, second = (
        ask(cloud, "POST", "/v2.0/security-group-rules", json=body, headers=key) for _ in range(2)
    )
    assert first.json() == second.json()
    assert (second.status_code, second.headers["idempotency-replayed"]) == (201, "true")
    assert town.delete_security_group("strict")


def test_the_default_group_stays_and_tells_of_offices(cloud: Cloud, town: Connection) -> None:
    (group,) = town.network.security_groups(name="default")
    (network,) = town.network.networks()
    body = {"offices": ["172.20.0.0/22"]}
    v1(cloud, "PUT", f"/v1/networks/{network.id}/offices", json=body)
    offices = town.network.find_address_group("offices")
    assert offices.addresses == ["172.20.0.0/22"]
    told = [rule["remote_address_group_id"] for rule in group.security_group_rules]
    assert told.count(offices.id) == 1
    path = f"/v2.0/security-groups/{group.id}"
    fault(ask(cloud, "DELETE", path), 409, "SecurityGroupCannotRemoveDefault")
    renamed = {"security_group": {"name": "mine"}}
    fault(ask(cloud, "PUT", path, json=renamed), 409, "SecurityGroupCannotUpdateDefault")
    refused = v1(cloud, "GET", "/v1/audit")["items"][-1]
    assert (refused["action"], refused["outcome"], refused["subject"]) == (
        "security-group.change",
        "security-group-default",
        f"security-group:{group.id}",
    )
    fault(ask(cloud, "GET", path, UJI), 404, "SecurityGroupNotFound")
    stateless = {"security_group": {"stateful": False}}
    fault(ask(cloud, "PUT", path, json=stateless), 400, "HTTPBadRequest")
