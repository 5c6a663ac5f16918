"""Servers as unmodified openstacksdk makes, finds, changes and removes them; `/v1` shows the same ones."""

from __future__ import annotations

from typing import Any

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.api.conftest import MIKASA, UJI
from tests.openstack_api.cloud import REGION, Cloud


def made(connection: Connection, name: str, **more: Any) -> Any:
    wanted = {"flavor_id": "m1.small", "image_id": "tiny", "networks": "auto", **more}
    return connection.compute.wait_for_server(
        connection.compute.create_server(name=name, **wanted), wait=60, interval=0.05
    )


def test_the_sdk_finds_the_microversions_that_there_are(cloud: Cloud) -> None:
    with cloud.connection() as connection:
        endpoint = connection.compute.get_endpoint_data()
    assert (endpoint.min_microversion, endpoint.max_microversion) == ((2, 1), (2, 96))


@pytest.mark.long
def test_a_servers_whole_life_is_the_same_through_either_face(cloud: Cloud) -> None:
    me = cloud.account()
    with cloud.connection() as connection:
        server = made(
            connection,
            "web",
            metadata={"purpose": "portal"},
            tags=["public"],
            description="市のポータル",
            availability_zone=f"{REGION}-dc",
        )
        assert (server.status, server.vm_state, server.power_state) == ("ACTIVE", "active", 1)
        assert server.pinned_availability_zone == server.availability_zone == f"{REGION}-dc"
        (network,) = server.addresses
        address = server.addresses[network][0]["addr"]

        shown = cloud.ask("GET", "/v1/servers/web", me.token).json()
        assert shown["id"] == server.id
        assert shown["address"].startswith(f"{address}/")
        assert shown["system"] == f"m{MIKASA}-own-openstack-internet"
        notes = cloud.ask("GET", f"/v1/servers/{server.id}/notes", me.token).json()
        assert notes["labels"] == {"purpose": "portal"}
        assert (notes["tags"], notes["description"]) == (["public"], "市のポータル")
        assert notes["sites"] == [f"{REGION}-dc"]
        assert notes["made_by"] == server.user_id

        locked = cloud.ask("PATCH", "/v1/servers/web", me.token, json={"protected": True})
        assert locked.status_code == 200
        assert connection.compute.get_server(server).is_locked
        with pytest.raises(exceptions.ConflictException):
            connection.compute.delete_server(server)
        cloud.ask("PATCH", "/v1/servers/web", me.token, json={"protected": False})

        connection.compute.update_server(server, name="portal", description=None)
        assert cloud.ask("GET", "/v1/servers/portal", me.token).json()["id"] == server.id
        renamed = cloud.ask("POST", "/v1/servers/portal/rename", me.token, json={"name": "gate"})
        assert renamed.status_code == 200, renamed.text
        assert connection.compute.find_server("gate").id == server.id
        assert connection.compute.find_server("portal") is None

        connection.compute.set_server_metadata(server, owner="秘書課")
        server = connection.compute.get_server(server.id)
        connection.compute.delete_server_metadata(server, ["purpose"])
        server.add_tag(connection.compute, "old")
        server.remove_tag(connection.compute, "public")
        notes = cloud.ask("GET", f"/v1/servers/{server.id}/notes", me.token).json()
        assert (notes["labels"], notes["tags"]) == ({"owner": "秘書課"}, ["old"])
        wanted = {"labels": {"owner": "総務課"}, "tags": []}
        changed = cloud.ask("PATCH", f"/v1/servers/{server.id}/notes", me.token, json=wanted)
        assert changed.status_code == 200, changed.text
        assert connection.compute.get_server(server).metadata == {"owner": "総務課"}

        stopped = cloud.ask("POST", "/v1/servers/gate/stop", me.token)
        assert stopped.status_code == 202
        connection.compute.wait_for_server(server, status="SHUTOFF", wait=60, interval=0.05)
        connection.compute.delete_server(server)
        connection.compute.wait_for_delete(server, wait=60, interval=0.05)
        assert cloud.ask("GET", f"/v1/servers/{server.id}", me.token).status_code == 404


def test_what_v1_made_is_listed_and_deleted_here(cloud: Cloud) -> None:
    me = cloud.account()
    wanted = {"name": "batch", "system": f"m{MIKASA}-library", "flavor": "m1.small"}
    more = {"image": "tiny", "labels": {"a": "b"}, "site": f"{REGION}-dc"}
    asked = cloud.ask("POST", "/v1/servers", me.token, json={"servers": [wanted | more]})
    assert asked.status_code == 202, asked.text
    with cloud.connection() as connection:
        (found,) = connection.compute.servers(name="^batch$", details=True)
        assert found.metadata == {"a": "b"}
        assert found.availability_zone == f"{REGION}-dc"
        connection.compute.delete_server(found)
        connection.compute.wait_for_delete(found, wait=60, interval=0.05)


@pytest.mark.long
def test_other_members_and_other_regions_have_no_such_server(cloud: Cloud) -> None:
    with cloud.connection() as own, cloud.connection(UJI, region="kyoto") as other:
        ids = {server.id for server in own.compute.servers()}
        some = min(ids)
        assert ids.isdisjoint(server.id for server in other.compute.servers())
        with pytest.raises(exceptions.NotFoundException):
            other.compute.get_server(some)
        with pytest.raises(exceptions.NotFoundException):
            other.compute.get_quota_set(MIKASA)
    for region, member in ((REGION, UJI), ("kyoto", UJI), ("kyoto", MIKASA), ("nowhere", MIKASA)):
        path = f"/openstack/regions/{region}/compute/v2.1/servers/{some}"
        headers = {"X-Auth-Token": cloud.session(member)}
        for method, more in (
            ("GET", {}),
            ("PUT", {"json": {"server": {"name": "x"}}}),
            ("DELETE", {}),
        ):
            answer = cloud.ask(method, path, headers=headers, **more)
            assert answer.status_code == 404, answer.text
            assert set(answer.json()) == {"itemNotFound"}


@pytest.mark.long
def test_several_are_made_at_once_as_many_as_the_quota_has_room_for(cloud: Cloud) -> None:
    with cloud.connection() as connection:
        limits = connection.compute.get_limits().absolute
        assert limits.total_cores == 40
        first = connection.compute.create_server(
            name="worker",
            flavor_id="m1.small",
            image_id="tiny",
            networks="auto",
            min_count=2,
            max_count=100,
        )
        made_now = list(connection.compute.servers(name="worker", details=False))
        assert {server.name for server in made_now} == {"worker-1", "worker-2"}
        assert first.id in {server.id for server in made_now}
        for server in made_now:
            connection.compute.delete_server(server)
        with pytest.raises(exceptions.ForbiddenException, match="quota"):
            made(connection, "many", min_count=100)


def test_flavors_limits_quotas_and_zones_are_told(cloud: Cloud) -> None:
    with cloud.connection() as connection:
        flavors = {flavor.id: flavor for flavor in connection.compute.flavors()}
        assert (flavors["m1.large"].vcpus, flavors["m1.large"].ram) == (4, 8192)
        assert [f.id for f in connection.compute.flavors(min_ram=9000)] == ["m1.xlarge"]
        assert (
            connection.compute.find_flavor("m1.small")
            .fetch_extra_specs(connection.compute)
            .extra_specs
            == {}
        )
        quota = connection.compute.get_quota_set(MIKASA, usage=True)
        assert (quota.cores, quota.ram, quota.instances) == (40, 80 * 1024, -1)
        assert quota.usage["instances"] >= 2
        with pytest.raises(exceptions.ForbiddenException):
            connection.compute.update_quota_set(MIKASA, cores=1000)
        (zone,) = connection.compute.availability_zones()
        with pytest.raises(exceptions.ForbiddenException):
            list(connection.compute.availability_zones(details=True))
        assert (zone.name, zone.state) == (f"{REGION}-dc", {"available": True})
