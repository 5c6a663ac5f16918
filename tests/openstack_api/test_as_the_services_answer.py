"""What stands around an answer: versions, request ids, challenges, and the shape of what goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from control_plane.model.access import PERMISSIONS, Role
from tests.api.conftest import MIKASA, Api, api, prepared
from tests.openstack_api.needs import FOR_ANYBODY, NEEDS, OPEN
from tests.openstack_api.needs.route import Route
from tests.openstack_api.test_every_route import filled, send, token_of

__all__ = ["api", "prepared"]

REGIONAL = "/openstack/regions/hokkaido"
IDENTITY = "/openstack/identity"
OLDER = "X-OpenStack-Nova-API-Version"

VERSION_DOCUMENTS = {
    f"{IDENTITY}/": 300,
    f"{IDENTITY}/v3/": 200,
    f"{REGIONAL}/compute/": 200,
    f"{REGIONAL}/compute/v2.1/": 200,
    f"{REGIONAL}/image/": 300,
    f"{REGIONAL}/image/versions": 200,
    f"{REGIONAL}/network/": 200,
    f"{REGIONAL}/volume/": 300,
}
"""Those that stand before authentication in the services' own pipelines."""


@pytest.fixture
def member(api: Api) -> str:
    api.join(MIKASA)
    return token_of(api, Role.MEMBER_ADMIN)


def versioned(service: str) -> list[Route]:
    """The routes that are under microversions; the document of all versions of Compute is not."""
    at = f"/openstack/regions/{{region}}/{service}"
    unversioned = {("GET", at)} if service == "compute" else set()
    known = set(NEEDS) | FOR_ANYBODY | OPEN
    return sorted(route for route in known - unversioned if route[1].startswith(at))


def vary(answer: httpx.Response) -> list[str]:
    return [each.strip().lower() for each in answer.headers.get("vary", "").split(",")]


@pytest.mark.long
@pytest.mark.parametrize(("service", "spoken"), [("compute", "2.90"), ("volume", "3.0")])
def test_every_answer_says_for_which_microversion_it_was_made(
    api: Api, member: str, service: str, spoken: str
) -> None:
    failed = 0
    for route in versioned(service):
        answer = send(api, route, member, headers={"OpenStack-API-Version": f"{service} {spoken}"})
        failed += answer.status_code >= 400
        assert answer.headers["openstack-api-version"] == f"{service} {spoken}", route
        named = vary(answer)
        assert named.count("openstack-api-version") == 1, route
        assert len(named) == len(set(named)), (route, named)
        if answer.status_code >= 400:
            assert "accept-language" in named, route
        if service == "compute":
            assert answer.headers[OLDER] == spoken, route
            assert OLDER.lower() in named, route
    assert failed > 20


@pytest.mark.long
@pytest.mark.parametrize(("service", "least"), [("compute", "2.1"), ("volume", "3.0")])
def test_a_version_that_is_not_spoken_is_refused_everywhere_as_the_service_does(
    api: Api, member: str, service: str, least: str
) -> None:
    allowed = PERMISSIONS[Role.MEMBER_ADMIN]
    for route in versioned(service):
        if route in NEEDS and NEEDS[route] not in allowed:
            continue
        beyond = f"{service} {least[0]}.9999"
        refused = send(api, route, member, headers={"OpenStack-API-Version": beyond})
        assert refused.status_code == 406, (route, refused.text)
        assert set(refused.json()) == {"computeFault"}, route
        assert refused.json()["computeFault"]["code"] == 406
        assert refused.headers["openstack-api-version"] == beyond, route

        nonsense = {"OpenStack-API-Version": f"{service} newest"}
        unread = send(api, route, member, headers=nonsense)
        assert unread.status_code == 400, (route, unread.text)
        assert set(unread.json()) == {"badRequest"}, route
        assert "openstack-api-version" not in unread.headers, route


def test_the_older_header_of_compute_is_answered_too(api: Api, member: str) -> None:
    path = f"{REGIONAL}/compute/v2.1/servers/zzzz"
    answer = api.client.get(path, headers={"X-Auth-Token": member, OLDER: "2.79"})
    assert answer.status_code == 404
    assert answer.headers[OLDER] == "2.79"
    assert answer.headers["openstack-api-version"] == "compute 2.79"


@pytest.mark.parametrize("path", VERSION_DOCUMENTS)
def test_strangers_may_ask_which_versions_there_are(api: Api, path: str) -> None:
    for each in (path, path.rstrip("/")):
        answer = api.client.get(each)
        assert answer.status_code == VERSION_DOCUMENTS[path], answer.text
        assert "version" in answer.text
    there = api.client.get(path).json()
    everywhere = path.replace("hokkaido", "there-is-none")
    elsewhere = api.client.get(everywhere)
    # Which regions there are is not told to strangers.
    assert elsewhere.json() == _moved(there, "hokkaido", "there-is-none")


def _moved(told: object, here: str, there: str) -> object:
    if isinstance(told, str):
        return told.replace(here, there)
    if isinstance(told, list):
        return [_moved(each, here, there) for each in told]
    if isinstance(told, dict):
        return {key: _moved(each, here, there) for key, each in told.items()}
    return told


@pytest.mark.parametrize(
    "path",
    [
        f"{REGIONAL}/network/v2.0",
        f"{REGIONAL}/volume/v3",
        f"{REGIONAL}/compute/v2.1/extensions",
        f"{REGIONAL}/image/v2",
        f"{REGIONAL}/image/v2/images",
        f"{REGIONAL}/compute/versions",
        "/openstack/regions/hokkaido",
        "/openstack/regions/Not%20a%20name/compute",
        "/openstack",
    ],
)
def test_what_is_behind_authentication_elsewhere_is_so_here(api: Api, path: str) -> None:
    assert api.client.get(path).status_code == 401
    assert api.client.post(path).status_code == 401


def test_the_one_place_that_strangers_are_sent_to_is_told_in_full(api: Api) -> None:
    for path in (f"{REGIONAL}/compute/v2.1/servers", f"{IDENTITY}/v3/projects"):
        for headers in ({}, {"X-Auth-Token": "nonsense"}):
            answer = api.client.get(path, headers=headers)
            assert answer.status_code == 401
            challenge = answer.headers["www-authenticate"]
            assert challenge == f'Keystone uri="{_root(api)}{IDENTITY}/v3"'
            assert "openstack-api-version" not in answer.headers
    api.app.state.public_url = "https://yui.example.jp/"
    try:
        answer = api.client.get(f"{REGIONAL}/compute/v2.1/servers")
    finally:
        api.app.state.public_url = None
    assert answer.headers["www-authenticate"] == (
        'Keystone uri="https://yui.example.jp/openstack/identity/v3"'
    )


def _root(api: Api) -> str:
    """Where the client sees it: as the version document says."""
    href = api.client.get(f"{IDENTITY}/v3").json()["version"]["links"][0]["href"]
    return str(href).removesuffix(f"{IDENTITY}/v3/")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_sentence_about_tokens_and_paths_fits_openstacks_clients(
    api: Api, member: str, language: str
) -> None:
    def told(path: str, token: str | None = None) -> str:
        headers = {"Accept-Language": language}
        headers |= {} if token is None else {"X-Auth-Token": token}
        text: str = api.client.get(path, headers=headers).json()["error"]["message"]
        assert re.search("[ぁ-ん]", text) if language == "ja" else text.isascii(), text
        return text

    for token in (None, "nonsense"):
        text = told(f"{REGIONAL}/compute/v2.1/servers", token)
        assert "X-Auth-Token" in text
        assert "Bearer" not in text
        assert "yui login" not in text
    absent = told(f"{IDENTITY}/v3/trusts", member)
    assert "/openapi.json" not in absent
    assert "docs/openstack-api.md" in absent
    kept = api.client.get(
        f"{REGIONAL}/compute/v2.1/servers",
        params={"name": "yui_aaaaaaaaaaaaaaaa_" + "x" * 43},
        headers={"X-Auth-Token": member, "Accept-Language": language},
    )
    assert kept.status_code == 400
    assert "X-Auth-Token" in kept.json()["badRequest"]["message"]


def _each_service() -> Iterator[tuple[str, bool]]:
    for service, version in (("compute", "v2.1"), ("image", "v2"), ("network", "v2.0"), ("volume", "v3")):  # fmt: skip
        yield f"{REGIONAL}/{service}/{version}/zzzz", service in ("compute", "volume")
    yield f"{IDENTITY}/v3/zzzz", False


def test_every_answer_has_a_request_id_that_the_log_knows(api: Api, member: str) -> None:
    for path, as_compute in _each_service():
        for headers in ({}, {"X-Auth-Token": member}):
            answer = api.client.get(path, headers=headers)
            id = answer.headers["x-openstack-request-id"]
            assert id == f"req-{answer.headers['x-request-id']}", path
            assert answer.headers.get("x-compute-request-id") == (id if as_compute else None), path


def test_identity_answers_head_wherever_it_answers_get(api: Api, member: str) -> None:
    account = {"X-Auth-Token": member, "X-Subject-Token": member}
    paths = [path for method, path in set(NEEDS) | FOR_ANYBODY | OPEN if method == "GET"]
    asked = sorted(filled(path) for path in paths if path.startswith(IDENTITY))
    assert len(asked) > 15
    for path in asked:
        for headers in ({}, account):
            got = api.client.get(path, headers=headers)
            head = api.client.head(path, headers=headers)
            assert head.status_code == got.status_code, path
            same = ("content-type", "yui-problem", "location", "www-authenticate", "vary")
            assert [head.headers.get(n) for n in same] == [got.headers.get(n) for n in same]


def test_images_servers_networks_and_volumes_answer_no_head(api: Api, member: str) -> None:
    for path in ("compute/v2.1/servers", "image/v2/images", "network/v2.0/networks", "volume/v3/volumes"):  # fmt: skip
        head = api.client.head(f"{REGIONAL}/{path}", headers={"X-Auth-Token": member})
        assert head.status_code == 405, path


def test_identity_says_where_its_version_is_and_that_answers_are_for_one_token(
    api: Api, member: str
) -> None:
    root = api.client.get(IDENTITY)
    assert root.headers["location"] == f"{_root(api)}{IDENTITY}/v3/"
    for path in (IDENTITY, f"{IDENTITY}/v3/projects", f"{IDENTITY}/v3/projects/zzzz"):
        for headers in ({}, {"X-Auth-Token": member}):
            assert "x-auth-token" in vary(api.client.get(path, headers=headers)), path


def test_a_quota_that_is_used_up_says_when_to_come_back_as_cinder_does(
    api: Api, member: str
) -> None:
    volume = {"volume": {"name": "archive", "size": 16_000}}
    answer = api.client.post(
        f"{REGIONAL}/volume/v3/volumes", json=volume, headers={"X-Auth-Token": member}
    )
    assert answer.status_code == 413, answer.text
    assert answer.headers["retry-after"] == "0"
    assert answer.json()["overLimit"]["retryAfter"] == "0"


@pytest.mark.long
def test_a_fault_of_ours_is_told_as_the_service_tells_its_own(api: Api, member: str) -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    at = "/openstack/regions/{region}/volume/v3/fault"
    api.app.add_api_route(at, fails)
    answer = api.client.get(f"{REGIONAL}/volume/v3/fault", headers={"X-Auth-Token": member})
    assert answer.status_code == 500
    assert answer.json()["computeFault"]["code"] == 500
    assert "ZeroDivision" not in answer.text
    assert answer.headers["x-openstack-request-id"] == f"req-{answer.headers['x-request-id']}"
    assert answer.headers["openstack-api-version"] == "volume 3.0"
