"""Members' tools make, find, describe and delete volumes, which are those of the other face."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from openstack import exceptions

from tests.api.conftest import MIKASA, UJI
from tests.openstack_api.cloud import REGION, Cloud
from tests.plain_http import ask as plainly


class Cinder:
    """What a client sends, to the letter."""

    def __init__(self, cloud: Cloud, member: str = MIKASA, region: str = REGION) -> None:
        self.token = cloud.session(member)
        self.at = f"{cloud.url}/openstack/regions/{region}/volume/v3"

    def ask(
        self, method: str, path: str, *, member: str | None = MIKASA, **more: Any
    ) -> httpx.Response:
        at = self.at if member is None else f"{self.at}/{member}"
        headers = {"X-Auth-Token": self.token} | more.pop("headers", {})
        return plainly(method, at + path, headers=headers, timeout=60, **more)

    def create(self, **volume: Any) -> httpx.Response:
        return self.ask("POST", "/volumes", json={"volume": {"size": 1, **volume}})

    def made(self, cloud: Cloud, name: str, **more: Any) -> str:
        id = str(self.create(name=name, **more).json()["volume"]["id"])
        path = f"/volumes/{id}"
        cloud.until(lambda: self.ask("GET", path).json()["volume"]["status"] == "available")
        return id


@pytest.fixture
def cinder(cloud: Cloud) -> Cinder:
    return Cinder(cloud)


@pytest.mark.long
def test_the_sdk_and_the_other_face_have_the_same_volumes(cloud: Cloud) -> None:
    token = cloud.account().token
    with cloud.connection() as connection:
        made = connection.create_volume(
            size=2,
            name="sdk-data",
            description="三笠市の帳票",
            metadata={"for": "ledger"},
            wait=True,
        )
        (zone,) = [zone.name for zone in connection.block_storage.availability_zones()]
        assert (made.status, made.size, made.availability_zone) == ("available", 2, zone)
        assert (made.is_bootable, made.is_encrypted, made.volume_type) == (False, False, "default")
        theirs = cloud.ask("GET", f"/v1/volumes/{made.id}", token).json()
        assert (theirs["name"], theirs["description"]) == ("sdk-data", "三笠市の帳票")
        assert theirs["labels"] == {"for": "ledger"}

        storage = connection.block_storage
        storage.set_volume_metadata(made, kept="yes")
        storage.delete_volume_metadata(storage.get_volume(made), ["for"])
        storage.update_volume(made, name="sdk-ledger")
        theirs = cloud.ask("GET", f"/v1/volumes/{made.id}", token).json()
        assert (theirs["name"], theirs["labels"]) == ("sdk-ledger", {"kept": "yes"})

        other = {"name": "other-face", "size_gib": 3, "labels": {"a": "b"}}
        assert cloud.ask("POST", "/v1/volumes", token, json=other).status_code == 202
        found = storage.find_volume("other-face")
        cloud.until(lambda: storage.get_volume(found).status == "available")
        assert (found.size, found.metadata, found.attachments) == (3, {"a": "b"}, [])
        said = {"name": "renamed", "description": "x", "labels": {}, "protected": True}
        changed = cloud.ask("PATCH", f"/v1/volumes/{found.id}", token, json=said)
        assert changed.status_code == 200, changed.text
        assert storage.get_volume(found).name == "renamed"
        with pytest.raises(exceptions.BadRequestException):
            storage.delete_volume(found)
        cloud.ask("PATCH", f"/v1/volumes/{found.id}", token, json={"protected": False})

        server = cloud.ask("GET", "/v1/servers", token).json()["items"][0]["id"]
        at = f"/v1/servers/{server}/volumes"
        assert cloud.ask("POST", at, token, json={"volume": "renamed"}).status_code == 202
        cloud.until(lambda: storage.get_volume(found).status == "in-use")
        (attached,) = storage.get_volume(found).attachments
        assert (attached["server_id"], attached["volume_id"]) == (server, found.id)
        assert attached["device"] == f"/dev/disk/by-id/virtio-{found.id}"
        assert attached["host_name"] is None
        with pytest.raises(exceptions.BadRequestException):
            storage.delete_volume(found)
        assert cloud.ask("DELETE", f"{at}/renamed", token).status_code == 202
        cloud.until(lambda: storage.get_volume(found).status == "available")

        for each in (made, found):
            storage.delete_volume(each)
            storage.wait_for_delete(each, wait=30)
        assert cloud.ask("GET", f"/v1/volumes/{made.id}", token).status_code == 404


def test_a_volume_grows_through_both_faces_and_one_in_use_through_our_own(
    cloud: Cloud, cinder: Cinder
) -> None:
    token = cloud.account().token
    server = cloud.ask("GET", "/v1/servers", token).json()["items"][0]["id"]
    beside = {"OS-SCH-HNT:scheduler_hints": {"local_to_instance": server}}
    wanted = {"volume": {"size": 1, "name": "growing"}, **beside}
    assert cinder.ask("POST", "/volumes", json=wanted).status_code == 202
    with cloud.connection() as connection:
        storage = connection.block_storage
        made = storage.find_volume("growing")
        cloud.until(lambda: storage.get_volume(made).status == "available")
        storage.extend_volume(made, 2)
        assert storage.get_volume(made).status in ("extending", "available")
        cloud.until(lambda: storage.get_volume(made).status == "available")
        assert storage.get_volume(made).size == 2
        theirs = cloud.ask("GET", f"/v1/volumes/{made.id}", token).json()
        assert (theirs["size_gib"], theirs["status"]) == (2, "available")
        once = {"headers": {"Idempotency-Key": "extend-it-once"}}
        for _ in range(2):
            body = {"os-extend": {"new_size": "3"}}
            answer = cinder.ask("POST", f"/volumes/{made.id}/action", json=body, **once)
            assert (answer.status_code, answer.content) == (202, b"")
        cloud.until(lambda: storage.get_volume(made).status == "available")

        at = f"/v1/servers/{server}/volumes"
        assert cloud.ask("POST", at, token, json={"volume": made.id}).status_code == 202
        cloud.until(lambda: storage.get_volume(made).status == "in-use")
        with pytest.raises(exceptions.BadRequestException, match="takes an available volume"):
            storage.extend_volume(made, 4)
        path = f"/v1/volumes/{made.id}/grow"
        assert cloud.ask("POST", path, token, json={"size_gib": 4}).status_code == 202
        cloud.until(lambda: storage.get_volume(made).status == "in-use")
        assert storage.get_volume(made).size == 4
        assert cloud.ask("DELETE", f"{at}/{made.id}", token).status_code == 202
        cloud.until(lambda: storage.get_volume(made).status == "available")
        storage.delete_volume(made)
        storage.wait_for_delete(made, wait=30)


def test_limits_and_quotas_are_those_of_the_other_face(cloud: Cloud) -> None:
    token = cloud.account().token
    with cloud.connection() as connection:
        storage = connection.block_storage
        limits = storage.get_limits().absolute
        disk = cloud.ask("GET", f"/v1/members/{MIKASA}/quota", token).json()
        assert limits.total_volumes_used == len(list(storage.volumes()))
        assert limits.total_gigabytes_used == disk["used"]["disk_gib"]
        assert limits.max_total_volume_gigabytes == disk["quota"]["disk_gib"]
        quota = storage.get_quota_set(MIKASA, usage=True)
        assert (quota.gigabytes, quota.usage["gigabytes"]) == (
            disk["quota"]["disk_gib"],
            disk["used"]["disk_gib"],
        )
        assert [kind.name for kind in storage.types()] == ["default"]
        assert list(connection.block_storage.extensions()) == []


def test_a_volume_is_put_where_it_can_be_attached(cloud: Cloud, cinder: Cinder) -> None:
    token = cloud.account().token
    server = cloud.ask("GET", "/v1/servers", token).json()["items"][0]["id"]
    body = {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"local_to_instance": server}}
    beside = cinder.ask("POST", "/volumes", json=body)
    assert beside.status_code == 202, beside.text
    zone = beside.json()["volume"]["availability_zone"]
    there = cinder.create(name="there", availability_zone=zone)
    assert there.json()["volume"]["availability_zone"] == zone
    assert cinder.create(name="nowhere", availability_zone="mars").status_code == 400
    body["OS-SCH-HNT:scheduler_hints"]["local_to_instance"] = "nobody"
    assert cinder.ask("POST", "/volumes", json=body).status_code == 400


def test_what_can_not_be_had_is_refused_with_a_word_and_changes_nothing(
    cloud: Cloud, cinder: Cinder
) -> None:
    id = cinder.made(cloud, "refusing")
    for status, more in (
        (400, {"size": 0}),
        (400, {"size": None}),
        (400, {"name": "Über"}),
        (409, {"name": "refusing"}),
        (400, {"snapshot_id": "snap-x"}),
        (400, {"source_volid": id}),
        (400, {"imageRef": "tiny"}),
        (404, {"volume_type": "gold"}),
        (400, {"multiattach": True}),
        (400, {"colour": "red"}),
        (400, {"metadata": {"a": 1}}),
        (413, {"size": 16_000}),
    ):
        refused = cinder.create(**{"name": "never", **more})
        assert refused.status_code == status, (more, refused.text)
        ((_, fault),) = refused.json().items()
        assert fault["code"] == status
        assert fault["message"]
    usual = {"snapshot_id": None, "source_volid": None, "imageRef": None, "multiattach": False}
    unnamed = cinder.create(name=None, volume_type="default", **usual)
    assert unnamed.status_code == 202, unnamed.text
    for status, action in (
        (400, {"os-extend": {"new_size": 1}}),
        (400, {"os-extend": {"new_size": 0}}),
        (400, {"os-extend": {"new_size": 2.5}}),
        (400, {"os-extend": {"new_size": True}}),
        (400, {"os-extend": {"new_size": "two"}}),
        (400, {"os-extend": {"new_size": 99_999}}),
        (400, {"os-extend": {"new_size": 2, "now": True}}),
        (400, {"os-extend": None}),
        (413, {"os-extend": {"new_size": 16_000}}),
        (400, {"os-set_bootable": {"bootable": True}}),
        (200, {"os-set_bootable": {"bootable": False}}),
        (403, {"os-reset_status": {"status": "available"}}),
        (403, {"os-force_delete": None}),
        (400, {"os-volume_upload_image": {"image_name": "x"}}),
        (400, {"dance": {}}),
        (400, {}),
    ):
        answer = cinder.ask("POST", f"/volumes/{id}/action", json=action)
        assert answer.status_code == status, (action, answer.text)
    assert cinder.ask("DELETE", f"/volumes/{id}?force=true").status_code == 400
    assert cinder.ask("GET", f"/volumes/{id}").json()["volume"]["status"] == "available"
    assert cinder.ask("GET", f"/volumes/{id}").json()["volume"]["size"] == 1
    too_late = {"headers": {"OpenStack-API-Version": "volume 3.27"}}
    assert cinder.ask("GET", "/volumes", **too_late).status_code == 406
    known = cinder.ask("GET", "/volumes", headers={"OpenStack-API-Version": "volume latest"})
    assert known.headers["openstack-api-version"] == "volume 3.0"


def test_lists_are_filtered_sorted_and_paged_with_the_project_in_the_path_or_without(
    cinder: Cinder,
) -> None:
    made = [
        cinder.create(name=f"list-{n}", size=n + 1, metadata={"set": "lists", "n": str(n)}).json()
        for n in range(3)
    ]
    ids = [one["volume"]["id"] for one in made]
    assert {one["volume"]["status"] for one in made} <= {"creating", "available"}

    def names(query: str, path: str = "/volumes/detail") -> list[str]:
        answer = cinder.ask("GET", f"{path}?{query}")
        assert answer.status_code == 200, answer.text
        return [one["name"] for one in answer.json()["volumes"] if one["id"] in ids]

    assert names("sort=size:asc") == ["list-0", "list-1", "list-2"]
    assert names("sort_key=name&sort_dir=desc", "/volumes") == ["list-2", "list-1", "list-0"]
    assert names("metadata={'n': '1'}") == names('metadata={"n": "1"}') == ["list-1"]
    assert names("name=list-2") == ["list-2"]
    assert names("status=error") == names("bootable=true") == []
    for wrong in (
        "sort=colour",
        "metadata=[",
        "metadata=3",
        "colour=red",
        "marker=none",
        "limit=-1",
    ):
        assert cinder.ask("GET", f"/volumes/detail?{wrong}").status_code == 400, wrong
    seen: list[str] = []
    path = f"{cinder.at}/{MIKASA}/volumes?limit=2&sort=name:asc"
    while path:
        page = plainly("GET", path, headers={"X-Auth-Token": cinder.token}, timeout=60).json()
        seen += [one["id"] for one in page["volumes"]]
        path = next((link["href"] for link in page.get("volumes_links", [])), "")
    assert [one for one in seen if one in ids] == ids
    assert len(seen) == len(set(seen))
    plain = cinder.ask("GET", "/volumes/detail?name=list-1", member=None).json()
    assert plain == cinder.ask("GET", "/volumes/detail?name=list-1").json()
    (one,) = plain["volumes"]
    assert one["links"][0]["href"] == f"{cinder.at}/{MIKASA}/volumes/{one['id']}"
    assert plainly(
        "GET", one["links"][0]["href"], headers={"X-Auth-Token": cinder.token}
    ).json() == {"volume": one}


def test_another_member_finds_none_of_it(cloud: Cloud, cinder: Cinder) -> None:
    id = cinder.create(name="secret").json()["volume"]["id"]
    other = Cinder(cloud, UJI, "kyoto")
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {"volume": {"name": "x"}}),
        ("DELETE", "", None),
        ("GET", "/metadata", None),
        ("POST", "/metadata", {"metadata": {"a": "b"}}),
        ("POST", "/action", {"os-extend": {"new_size": 9}}),
    ):
        more = {} if body is None else {"json": body}
        said = other.ask(method, f"/volumes/{id}{path}", member=UJI, **more)
        absent = other.ask(method, f"/volumes/vol-none{path}", member=UJI, **more)
        assert said.status_code == absent.status_code == 404, (method, path, said.text)
        assert said.text.replace(id, "vol-none") == absent.text
    assert other.ask("GET", "/volumes", member=MIKASA).status_code == 404
    assert other.ask("GET", f"/os-quota-sets/{MIKASA}", member=UJI).status_code == 404
    assert other.ask("GET", "/volumes", member=UJI).json()["volumes"] == []
