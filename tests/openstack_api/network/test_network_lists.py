"""Lists as clients walk them: pages, order, fields and filters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openstack.connection import Connection

from tenants.openstack_api.network.lists import Listed
from tests.api.conftest import MIKASA, UJI
from tests.openstack_api.cloud import Cloud
from tests.openstack_api.network.asking import ask, fault
from tests.plain_http import ask as plainly

_THINGS = Listed("things", frozenset({"id", "name", "size", "up"}))


@given(
    names=st.lists(st.sampled_from("ab"), max_size=9),
    limit=st.integers(1, 4),
    descending=st.booleans(),
    sorted_by=st.sampled_from(["id", "name", "size"]),
)
def test_pages_forwards_and_backwards_show_every_row_once_in_order(
    names: list[str], limit: int, descending: bool, sorted_by: str
) -> None:
    rows = [
        {"id": f"t{n}", "name": name, "size": None if name == "a" else n, "up": True}
        for n, name in enumerate(names)
    ]
    order = [("sort_key", sorted_by), ("sort_dir", "desc" if descending else "asc")]
    whole = _THINGS.page(rows, order, "http://x")["things"]
    assert sorted(row["id"] for row in whole) == [row["id"] for row in rows]
    for towards, backwards in (("next", False), ("previous", True)):
        query = [*order, ("limit", str(limit)), ("page_reverse", str(backwards))]
        seen: list[dict[str, object]] = []
        while True:
            page = _THINGS.page(rows, query, "http://x")
            seen = page["things"] + seen if backwards else seen + page["things"]
            links = {link["rel"]: link["href"] for link in page.get("things_links", ())}
            if towards not in links:
                break
            asked = links[towards].partition("?")[2].split("&")
            query = [(name, value) for name, _, value in (one.partition("=") for one in asked)]
        assert seen == whole


@pytest.mark.long
def test_lists_have_pages_fields_order_and_filters(cloud: Cloud, town: Connection) -> None:
    for number in range(3):
        town.create_security_group(f"page-{number}", "paged")
    names = [g.name for g in town.network.security_groups(description="paged", limit=1)]
    assert sorted(names) == ["page-0", "page-1", "page-2"]
    path = "/v2.0/security-groups"
    query = "?description=paged&sort_key=name&sort_dir=desc&fields=name&limit=2"
    answer = ask(cloud, "GET", path + query).json()
    assert answer["security_groups"] == [{"name": "page-2"}, {"name": "page-1"}]
    (link,) = answer["security_groups_links"]
    assert link["rel"] == "next"
    assert link["href"].startswith(f"{cloud.url}/openstack/regions/")
    two = ask(cloud, "GET", f"{path}?name=page-0&name=page-1&fields=id,name").json()
    assert all(set(group) == {"id", "name"} for group in two["security_groups"])
    assert len(two["security_groups"]) == 2
    assert ask(cloud, "GET", f"{path}?stateful=False").json() == {"security_groups": []}
    assert ask(cloud, "GET", f"{path}?shared=false&project_id={UJI}").json() == {
        "security_groups": []
    }
    for wrong in (
        "colour=red",
        "security_group_rules=x",
        "sort_key=colour",
        "sort_key=name&sort_dir=up",
        "limit=-1",
        "limit=x",
        "marker=none",
    ):
        assert ask(cloud, "GET", f"{path}?{wrong}").status_code == 400
    fault(ask(cloud, "GET", f"{path}?colour=red"), 400, "HTTPBadRequest")
    for number in range(3):
        town.delete_security_group(f"page-{number}")


def test_a_quota_is_told_to_its_project_and_set_by_nobody(cloud: Cloud, town: Connection) -> None:
    quota = town.network.get_quota(MIKASA)
    assert (quota.networks, quota.security_groups, quota.ports) == (3, 100, -1)
    used = town.network.get_quota(MIKASA, details=True)
    assert used.networks == {"limit": 3, "used": 1, "reserved": 0}
    assert town.network.get_quota_default(MIKASA).security_groups == 100
    fault(ask(cloud, "GET", f"/v2.0/quotas/{UJI}"), 404, "ProjectNotFound")
    raised = {"quota": {"network": 100}}
    answer = ask(cloud, "PUT", f"/v2.0/quotas/{MIKASA}", json=raised)
    fault(answer, 403, "PolicyNotAuthorized")
    for absent in ("routers", "floatingips", "agents", "availability_zones", "subnetpools"):
        fault(ask(cloud, "GET", f"/v2.0/{absent}"), 404, "HTTPNotFound")
    elsewhere = cloud.url + "/openstack/regions/kyoto/network/v2.0/networks"
    foreign = plainly("GET", elsewhere, headers={"X-Auth-Token": cloud.session()}, timeout=60)
    fault(foreign, 404, "RegionNotFound")
