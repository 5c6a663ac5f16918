"""Servers as Compute's reference shows them, microversion by microversion, and what is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from control_plane.model.ids import FlavorId, ServerId
from control_plane.model.unconfirmed_resize import UnconfirmedResize
from control_plane.model.workload import Power, Seen
from tests.api.capacity import may_have_much
from tests.api.conftest import MIKASA, Api, Prepared, prepared

__all__ = ["prepared"]

BASE = "/openstack/regions/hokkaido/compute/v2.1"


class Compute:
    """In-process; `ask` as 三笠市's administrator."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.token = api.tenant(MIKASA).operator_token

    def ask(
        self, method: str, path: str, version: str | None = "2.96", **more: Any
    ) -> httpx.Response:
        headers = {"X-Auth-Token": self.token, **more.pop("headers", {})}
        if version is not None:
            headers["OpenStack-API-Version"] = f"compute {version}"
        return self.api.client.request(method, BASE + path, headers=headers, **more)

    def create(self, version: str = "2.96", **more: Any) -> httpx.Response:
        wanted = {"flavorRef": "m1.small", "imageRef": "tiny", "networks": "auto"}
        body = {"server": {key: value for key, value in (wanted | more).items() if value != "-"}}
        return self.ask("POST", "/servers", version, json=body)

    def made(self, name: str, **more: Any) -> str:
        answer = self.create(name=name, **more)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["server"]["id"])

    def shown(self, server: str, version: str | None = "2.96") -> dict[str, Any]:
        answer = self.ask("GET", f"/servers/{server}", version)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["server"]
        return found

    def names(self, query: str, version: str = "2.96") -> list[str]:
        answer = self.ask("GET", f"/servers?{query}", version)
        assert answer.status_code == 200, answer.text
        return [server["name"] for server in answer.json()["servers"]]


@pytest.fixture(scope="module")
def compute(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compute]:
    with prepared.copied(tmp_path_factory.mktemp("compute")) as api:
        api.join(MIKASA, "library")
        may_have_much(api, MIKASA)
        compute = Compute(api)
        yield compute


def test_a_server_grows_fields_with_the_microversion(compute: Compute) -> None:
    id = compute.made("grows", description="one", tags=["t"], metadata={"k": "v"})
    compute.api.see(id, Seen.RUNNING)
    oldest, newest = compute.shown(id, None), compute.shown(id)
    assert set(newest) - set(oldest) == {
        "locked", "description", "tags", "trusted_image_certificates", "server_groups", "locked_reason",
        "OS-EXT-SRV-ATTR:hostname", "pinned_availability_zone",
    }  # fmt: skip
    assert oldest["flavor"]["id"] == "m1.small"
    assert newest["flavor"] == {
        "original_name": "m1.small", "vcpus": 1, "ram": 2048, "disk": 10, "ephemeral": 0, "swap": 0,
        "extra_specs": {},
    }  # fmt: skip
    for shown in (oldest, newest):
        assert shown["status"] == "ACTIVE"
        assert shown["tenant_id"] == MIKASA
        assert shown["image"]["id"] == "tiny"
        assert shown["metadata"] == {"k": "v"}
        assert shown["security_groups"] == [{"name": "default"}]
        assert shown["created"].endswith("Z")
        assert shown["links"][0]["href"].endswith(f"{BASE}/servers/{id}")
    assert compute.shown(id, "2.18").keys().isdisjoint({"description", "tags"})
    old, new = (
        compute.ask("PUT", f"/servers/{id}", version, json={"server": {"name": "grows"}})
        for version in ("2.1", "2.75")
    )
    assert "OS-EXT-STS:vm_state" in new.json()["server"]
    assert "OS-EXT-STS:vm_state" not in old.json()["server"]


def test_the_answer_says_which_microversion_it_is_of(compute: Compute) -> None:
    answer = compute.ask("GET", "/servers/detail", "latest")
    assert answer.headers["openstack-api-version"] == "compute 2.96"
    assert answer.headers["x-openstack-nova-api-version"] == "2.96"
    assert compute.ask("GET", "/servers", None).headers["openstack-api-version"] == "compute 2.1"
    assert compute.ask("GET", "/servers", "2.97").status_code == 406
    assert compute.ask("GET", "/servers", "two").status_code == 400
    (version,) = compute.ask("GET", "/../").json()["versions"]
    assert (version["min_version"], version["version"]) == ("2.1", "2.96")
    assert compute.ask("GET", "").json()["version"]["id"] == "v2.1"


def change(compute: Compute, id: str, **values: Any) -> None:
    with compute.api.store.write() as tx:
        tx.save_server(replace(tx.server(ServerId(id)), **values))


def test_states_are_told_in_novas_words(compute: Compute) -> None:
    id = compute.made("states")

    def state() -> tuple[Any, ...]:
        shown = compute.shown(id)
        kinds = ("vm_state", "task_state", "power_state")
        return shown["status"], *(shown[f"OS-EXT-STS:{kind}"] for kind in kinds)

    assert state() == ("BUILD", "building", "spawning", 0)
    compute.api.see(id, Seen.RUNNING)
    assert state() == ("ACTIVE", "active", None, 1)
    change(compute, id, power=Power.STOPPED)
    assert state() == ("ACTIVE", "active", "powering-off", 1)
    compute.api.see(id, Seen.STOPPED)
    assert state() == ("SHUTOFF", "stopped", None, 4)
    change(compute, id, power=Power.RUNNING)
    assert state() == ("SHUTOFF", "stopped", "powering-on", 4)
    compute.api.see(id, Seen.UNKNOWN)
    assert state() == ("UNKNOWN", None, None, 0)
    compute.api.see(id, Seen.RUNNING)
    change(compute, id, boot_since=5)
    assert state() == ("REBOOT", "active", "rebooting", 1)
    change(compute, id, boot_hard=True)
    assert state() == ("HARD_REBOOT", "active", "rebooting_hard", 1)
    change(compute, id, boot_since=0)
    now = compute.api.world.clock.now()
    for until, status in ((1, "VERIFY_RESIZE"), (-1, "ACTIVE")):
        with compute.api.store.write() as tx:
            before = UnconfirmedResize(FlavorId("m1.large"), now + timedelta(hours=until))
            tx.set_unconfirmed_resize(ServerId(id), before)
        assert state()[0] == status
    assert compute.ask("DELETE", f"/servers/{id}").status_code == 204
    assert state() == ("ACTIVE", "active", "deleting", 1)


def test_lists_are_filtered_sorted_and_paged(compute: Compute) -> None:
    for number in (1, 2, 3):
        more = {"flavorRef": "m1.medium"} if number == 2 else {}
        tags = ["odd", f"n{number}"] if number != 2 else ["even"]
        id = compute.made(f"list-{number}", tags=tags, **more)
        compute.api.see(id, Seen.RUNNING if number < 3 else Seen.NOWHERE)
    names = compute.names
    mine = "name=list-&sort_key=display_name&sort_dir=asc"
    assert names(mine) == ["list-1", "list-2", "list-3"]
    assert names(f"{mine}&status=ACTIVE") == ["list-1", "list-2"]
    assert names(f"{mine}&status=ACTIVE&status=build") == ["list-1", "list-2", "list-3"]
    assert names(f"{mine}&flavor=m1.medium") == ["list-2"]
    assert names(f"{mine}&tags=odd,n3") == ["list-3"]
    assert names(f"{mine}&not-tags-any=even") == ["list-1", "list-3"]
    assert names("name=^list-3$") == ["list-3"]
    assert names(f"{mine}&vm_state=active&locked=false") == ["list-1", "list-2"]
    shown = compute.shown(compute.ask("GET", "/servers?name=list-2").json()["servers"][0]["id"])
    ((_, (address,)),) = shown["addresses"].items()
    ips = compute.ask("GET", f"/servers/{shown['id']}/ips").json()["addresses"]
    plain = {"version": 4, "addr": address["addr"]}
    assert ips == {"internet": [plain]}
    one = compute.ask("GET", f"/servers/{shown['id']}/ips/internet")
    assert one.json() == ips
    assert compute.ask("GET", f"/servers/{shown['id']}/ips/other").status_code == 404
    assert names(f"ip=^{address['addr'].replace('.', '%5C.')}$") == ["list-2"]

    paged, path = [], f"/servers/detail?{mine}&limit=2"
    while path:
        page = compute.ask("GET", path).json()
        paged += [server["name"] for server in page["servers"]]
        following = page.get("servers_links", [{"href": ""}])[0]["href"]
        path = following.partition(BASE)[2]
    assert paged == ["list-1", "list-2", "list-3"]

    for query, status in (
        ("marker=nobody", 400),
        ("limit=-1", 400),
        ("limit=x", 400),
        ("sort_key=colour", 400),
        ("sort_dir=up", 400),
        ("status=COLD", 400),
        ("name=(a%2B)%2B", 400),
        ("changes-since=2026-01-01T00:00:00Z", 400),
        ("colour=red", 400),
        ("all_tenants=1", 403),
    ):
        assert compute.ask("GET", f"/servers?{query}").status_code == status, query
    assert compute.ask("GET", "/servers?colour=red&status=COLD", "2.1").json() == {"servers": []}


def test_a_list_is_read_in_as_few_statements_however_long_it_is(compute: Compute) -> None:
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    counts = []
    for count in (1, 2):
        compute.made(f"many-{count}", min_count=count)
        compute.ask("GET", "/servers/detail")
        event.listen(Engine, "before_cursor_execute", note)
        try:
            compute.ask("GET", "/servers/detail")
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        counts.append(len(asked))
        asked.clear()
    assert counts[0] == counts[1] <= 8


REFUSED: dict[str, Callable[[], dict[str, Any]]] = {
    "no networks": lambda: {"networks": "-"},
    "off every network": lambda: {"networks": "none"},
    "two networks": lambda: {"networks": [{"uuid": "a"}, {"uuid": "b"}]},
    "unknown network": lambda: {"networks": [{"uuid": "a"}]},
    "a port": lambda: {"networks": [{"port": "a"}]},
    "an address": lambda: {"networks": [{"uuid": f"m{MIKASA}-internet", "fixed_ip": "10.77.17.9"}]},
    "no image": lambda: {"imageRef": "-"},
    "unknown image": lambda: {"imageRef": "gone"},
    "unknown flavor": lambda: {"flavorRef": "huge"},
    "unknown key": lambda: {"key_name": "gone"},
    "unknown security group": lambda: {"security_groups": [{"name": "gone"}]},
    "unknown zone": lambda: {"availability_zone": "mars"},
    "a zone elsewhere": lambda: {"availability_zone": "kyoto-dc"},
    "unknown system": lambda: {"metadata": {"yui:system": "gone"}},
    "a system elsewhere": lambda: {"metadata": {"yui:system": "m262048-library"}},
    "a name that is no host name": lambda: {"name": "Web Server"},
    "another host name": lambda: {"hostname": "other"},
    "a password": lambda: {"adminPass": "x"},
    "files": lambda: {"personality": [{"path": "/etc/motd", "contents": "eA=="}]},
    "a config drive": lambda: {"config_drive": True},
    "a host": lambda: {"host": "hokkaido-1"},
    "data that is no text": lambda: {"user_data": base64.b64encode(b"\x1f\x8b\xff").decode()},
    "data that is no Base64": lambda: {"user_data": "!"},
    "a volume to start from": lambda: {
        "imageRef": "",
        "block_device_mapping_v2": [
            {"uuid": "v", "source_type": "volume", "destination_type": "volume", "boot_index": 0}
        ],
    },
    "fewer than none": lambda: {"min_count": 0},
    "less than the least": lambda: {"min_count": 3, "max_count": 2},
    "an unknown field": lambda: {"colour": "red"},
    "deep metadata": lambda: {"metadata": {"a": {"b": "c"}}},
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_had_is_refused_with_a_sentence_and_makes_nothing(
    compute: Compute, what: str
) -> None:
    before = compute.names("name=refused")
    answer = compute.create(**({"name": "refused"} | REFUSED[what]()))
    assert answer.status_code == 400, answer.text
    assert answer.json()["badRequest"]["message"]
    assert compute.names("name=refused") == before


def test_fields_that_came_later_are_unknown_to_earlier_microversions(compute: Compute) -> None:
    early = {"networks": [{"uuid": f"m{MIKASA}-internet"}]}
    for version, more in (("2.18", {"description": "x"}), ("2.51", {"tags": ["x"]})):
        answer = compute.create(version, name="early", **early, **more)
        assert answer.status_code == 400
        assert "Additional properties" in answer.json()["badRequest"]["message"]
    assert compute.create("2.36", name="early", networks="-").status_code == 202


def test_what_openstackclient_says_of_the_root_disk_is_understood(compute: Compute) -> None:
    disk = {
        "uuid": "tiny", "boot_index": 0, "source_type": "image", "destination_type": "local",
        "delete_on_termination": True,
    }  # fmt: skip
    id = compute.made(
        "cli",
        block_device_mapping_v2=[disk],
        min_count="1",
        max_count=1,
        user_data=base64.b64encode(b"#cloud-config\n").decode(),
        security_groups=[{"name": "default"}],
        metadata={"yui:system": f"m{MIKASA}-library"},
    )
    assert compute.shown(id)["image"]["id"] == "tiny"
    answer = compute.api.get(f"/v1/servers/{id}")
    assert answer.json()["system"] == f"m{MIKASA}-library"


def test_a_request_that_comes_twice_is_done_once(compute: Compute) -> None:
    key = {"Idempotency-Key": "0123456789"}
    body = {
        "server": {
            "name": "once", "flavorRef": "m1.small", "imageRef": "tiny", "networks": "auto"
        }
    }  # fmt: skip
    first, second = (compute.ask("POST", "/servers", json=body, headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert compute.create(name="once").status_code == 409


def test_metadata_and_tags_have_paths_of_their_own(compute: Compute) -> None:
    id = compute.made("notes", metadata={"a": "1"})
    at = f"/servers/{id}"

    def told(method: str, path: str, body: Any = None, version: str = "2.96") -> tuple[int, Any]:
        more = {} if body is None else {"json": body}
        answer = compute.ask(method, at + path, version, **more)
        return answer.status_code, answer.json() if answer.content else None

    assert told("GET", "/metadata") == (200, {"metadata": {"a": "1"}})
    body = {"metadata": {"b": "2"}}
    assert told("POST", "/metadata", body) == (200, {"metadata": {"a": "1", "b": "2"}})
    assert told("PUT", "/metadata", body) == (200, body)
    assert told("PUT", "/metadata/c", {"meta": {"c": "3"}}) == (200, {"meta": {"c": "3"}})
    assert told("PUT", "/metadata/c", {"meta": {"d": "3"}})[0] == 400
    assert told("GET", "/metadata/c") == (200, {"meta": {"c": "3"}})
    assert told("DELETE", "/metadata/c") == (204, None)
    assert told("DELETE", "/metadata/c")[0] == 404
    assert told("PUT", "/metadata", {"metadata": {"x" * 256: "y"}})[0] == 400
    assert told("PUT", "/metadata", {"metadata": {"yui:system": "other"}})[0] == 400
    assert told("PUT", "/tags", {"tags": ["x", "y", "x"]}) == (200, {"tags": ["x", "y"]})
    assert told("PUT", "/tags/z") == (201, None)
    assert told("PUT", "/tags/z") == (204, None)
    assert told("DELETE", "/tags/x") == (204, None)
    assert told("GET", "/tags/x")[0] == 404
    assert told("GET", "/tags") == (200, {"tags": ["y", "z"]})
    assert told("GET", "/tags", version="2.25")[0] == 404
    assert told("DELETE", "/tags") == (204, None)
    assert told("GET", "/tags") == (200, {"tags": []})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["name", "flavorRef", "imageRef", "networks", "metadata", "security_groups", "min_count", "tags",
     "user_data", "block_device_mapping_v2", "key_name", "availability_zone", "description", "junk"]
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(FIELDS, JSON, max_size=4), st.text(max_size=40))
def test_nothing_that_is_sent_makes_a_fault_of_ours(
    compute: Compute, odd: dict[str, Any], text: str
) -> None:
    answers = [
        compute.create(**({"name": "fuzz", "flavorRef": "huge"} | odd)),
        compute.ask("PUT", "/servers/none", json={"server": odd}),
        compute.ask("POST", "/servers", json={"server": text}),
        compute.ask("GET", "/servers/detail", params={"name": text, "ip": text, "sort_key": text}),
        compute.ask("GET", f"/os-quota-sets/{MIKASA}x"),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500 or answer.status_code in (200, 202), answer.text
        if answer.status_code >= 400:
            (fault,) = answer.json().values()
            assert fault["code"] == answer.status_code
