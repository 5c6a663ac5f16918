"""Tools that ask two control planes of one state at once get what they ask for, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import MIKASA, Api, opened_at
from tests.api.test_several_control_planes import prepare
from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.postgresql

_AT = "/openstack/regions/hokkaido/network/v2.0"


def test_rules_asked_for_at_both_at_once_are_all_there_and_a_network_is_made_once(
    postgresql: PostgreSQL,
) -> None:
    url = postgresql.url()
    with (
        opened_at(url, Path("unused")) as one,
        opened_at(url, Path("unused"), one.operator_token) as two,
        ThreadPoolExecutor(8) as at_once,
    ):
        prepare(one)
        one.join(MIKASA, "facility-booking")
        token = {"X-Auth-Token": one.tenant(MIKASA).operator_token}

        def send(number: int, path: str, body: dict[str, Any]) -> Any:
            api: Api = (one, two)[number % 2]
            return api.post(f"{_AT}/{path}", json=body, headers=token)

        group = f"m{MIKASA}-default"
        rules = [
            {"security_group_id": group, "direction": "ingress", "protocol": "tcp",
             "port_range_min": port, "port_range_max": port}
            for port in range(8000, 8012)
        ]  # fmt: skip
        answers = at_once.map(
            lambda asked: send(asked[0], "security-group-rules", {"security_group_rule": asked[1]}),
            enumerate(rules),
        )
        assert [answer.status_code for answer in answers] == [201] * 12
        shown = one.get(f"{_AT}/security-groups/{group}", headers=token).json()["security_group"]
        ports = {rule["port_range_min"] for rule in shown["security_group_rules"]}
        assert ports >= set(range(8000, 8012))
        wanted = {"network": {"name": "lgwan"}}
        made = list(at_once.map(lambda number: send(number, "networks", wanted), range(4)))
        assert sorted(answer.status_code for answer in made) == [201, 409, 409, 409]
        network = next(a.json()["network"]["id"] for a in made if a.status_code == 201)
        gone = two.request("DELETE", f"{_AT}/networks/{network}", headers=token)
        assert gone.status_code == 204
        left = one.get(f"{_AT}/networks", headers=token).json()["networks"]
        assert [network["yui:zone"] for network in left] == ["internet"]
