"""Members' tools sign in with what Yui gave them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import openstack
import pytest
from fastapi.testclient import TestClient
from openstack.exceptions import ConflictException, SDKException

from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.store import Store
from tenants.catalogue import Catalogue
from tests.api.conftest import MIKASA, UJI
from tests.openstack_api.cloud import REGION, Cloud
from tests.plain_http import ask as plainly


def asked(cloud: Cloud, identity: dict[str, Any], **more: Any) -> httpx.Response:
    body = {"auth": {"identity": identity, **more}}
    return plainly("POST", f"{cloud.auth_url}/auth/tokens", json=body, timeout=60)


def by_password(cloud: Cloud, **more: Any) -> dict[str, Any]:
    account = cloud.account()
    user = {"name": account.name, "domain": {"id": "default"}, "password": account.token}
    return {"methods": ["password"], "password": {"user": {**user, **more}}}


def with_session(cloud: Cloud, method: str, path: str, session: str, **more: Any) -> httpx.Response:
    headers = {"X-Auth-Token": session, **more.pop("headers", {})}
    return plainly(method, f"{cloud.auth_url}{path}", headers=headers, timeout=60, **more)


def test_the_sdk_signs_in_and_finds_every_service_of_its_region(cloud: Cloud) -> None:
    with cloud.connection() as connection:
        assert connection.current_project_id == MIKASA
        catalogue = connection.session.auth.get_access(connection.session).service_catalog
        found = catalogue.get_endpoints_data(region_name=REGION)
        assert [project.id for project in connection.identity.projects()] == [MIKASA]
        assert [region.id for region in connection.identity.regions()] == [REGION]
    assert {"identity", "compute", "image", "network", "block-storage"} <= set(found)
    assert all(endpoint[0].url.startswith(cloud.url) for endpoint in found.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "secret"},
        {"password": "yui_aaaaaaaaaaaaaaaa_" + "x" * 43},
        {"name": "somebody-else"},
        {"domain": {"name": "Other"}},
    ],
    ids=["no token", "a token that never was", "another's name", "another domain"],
)
def test_whatever_is_wrong_is_answered_alike_and_repeats_no_secret(
    cloud: Cloud, wrong: dict[str, Any]
) -> None:
    answer = asked(cloud, by_password(cloud, **wrong))
    assert answer.status_code == 401
    assert answer.headers["yui-problem"] == "sign-in-refused"
    assert answer.json()["error"]["title"] == "Unauthorized"
    assert "xxxx" not in answer.text
    assert cloud.account().token not in answer.text


def test_another_members_project_is_refused_as_one_that_never_was(cloud: Cloud) -> None:
    refused = [
        asked(cloud, by_password(cloud), scope={"project": {"name": name, "domain": {}}})
        for name in (UJI, "no-such")
    ]
    assert [answer.status_code for answer in refused] == [401, 401]
    assert refused[0].json() == refused[1].json()


@pytest.mark.parametrize(
    "domain", [{"id": "elsewhere"}, {"name": "elsewhere"}, {"id": "default", "name": "elsewhere"}]
)
def test_what_is_of_another_domain_is_refused_wherever_the_domain_is_said(
    cloud: Cloud, domain: dict[str, str]
) -> None:
    of_it = {"project": {"name": MIKASA, "domain": domain}}
    for project in (of_it, {"project": {**of_it["project"], "id": MIKASA}}):
        assert asked(cloud, by_password(cloud), scope=project).status_code == 401
    named = {"project": {"name": MIKASA, "domain": {"name": "Default"}}}
    assert asked(cloud, by_password(cloud), scope=named).status_code == 201
    assert asked(cloud, by_password(cloud, domain=domain), scope=named).status_code == 401
    both = asked(cloud, by_password(cloud), scope={**named, "domain": {"id": "default"}})
    assert both.status_code == 400
    listed = with_session(
        cloud, "GET", "/projects", cloud.session(), params={"domain_id": "elsewhere"}
    )
    assert listed.json()["projects"] == []


def test_a_token_for_no_project_is_told_as_such_and_is_good_for_choosing_one_alone(
    cloud: Cloud,
) -> None:
    signed_in = asked(cloud, by_password(cloud), scope="unscoped")
    session = signed_in.headers["x-subject-token"]
    itself = {"X-Subject-Token": session}
    shown = with_session(cloud, "GET", "/auth/tokens", session, headers=itself).json()["token"]
    assert shown == signed_in.json()["token"]
    assert not {"project", "roles", "catalog", "is_domain"} & set(shown)
    listed = with_session(cloud, "GET", "/auth/projects", session).json()["projects"]
    assert [each["id"] for each in listed] == [MIKASA]
    nova = plainly(
        "GET",
        f"{cloud.url}/openstack/regions/{REGION}/compute/v2.1/servers",
        headers={"X-Auth-Token": session},
        timeout=60,
    )
    assert nova.status_code == 403
    assert nova.json()["forbidden"]["message"].startswith("The token in X-Auth-Token is for no")
    refused = cloud.ask("GET", "/v1/servers", session, headers={"Accept-Language": "ja"})
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:yui:problem:token-unscoped"
    assert "プロジェクトを指定した" in refused.json()["detail"]
    assert with_session(cloud, "GET", "/auth/catalog", session).status_code == 403
    assert cloud.ask("GET", "/v1/me", session).json()["permissions"] == []
    chosen = asked(
        cloud,
        {"methods": ["token"], "token": {"id": session}},
        scope={"project": {"id": MIKASA}},
    )
    assert chosen.status_code == 201
    assert chosen.json()["token"]["project"]["id"] == MIKASA
    # And is not good for longer than what it was exchanged for.
    assert chosen.json()["token"]["expires_at"] == shown["expires_at"]
    own = chosen.headers["x-subject-token"]
    assert cloud.ask("GET", "/v1/servers", own).status_code == 200


def test_a_token_says_how_it_was_come_by_whoever_exchanged_it(cloud: Cloud) -> None:
    def told(session: str) -> dict[str, Any]:
        headers = {"X-Subject-Token": session}
        shown = with_session(cloud, "GET", "/auth/tokens", session, headers=headers)
        return dict(shown.json()["token"])

    def exchanged(session: str) -> str:
        again = asked(cloud, {"methods": ["token"], "token": {"id": session}})
        return str(again.headers["x-subject-token"])

    by_word = cloud.session()
    assert told(by_word)["methods"] == ["password"]
    assert told(exchanged(by_word))["methods"] == ["password", "token"]
    assert told(exchanged(exchanged(by_word)))["methods"] == ["password", "token"]
    assert "application_credential" not in told(by_word)

    token = cloud.account().token
    id = token.split("_")[1]
    given = {"id": id, "secret": token}
    signed_in = asked(
        cloud, {"methods": ["application_credential"], "application_credential": given}
    )
    by_credential = signed_in.headers["x-subject-token"]
    assert told(by_credential) == signed_in.json()["token"]
    for session in (by_credential, exchanged(by_credential)):
        assert told(session)["application_credential"] == {
            "id": id,
            "name": "tools",
            "restricted": True,
        }
    assert told(exchanged(by_credential))["methods"] == ["application_credential", "token"]


def test_an_application_credential_signs_in_narrowed_and_ends_its_sessions_with_it(
    cloud: Cloud,
) -> None:
    with cloud.connection() as connection:
        user = connection.current_user_id
        made = connection.identity.create_application_credential(
            user, name="nightly", roles=[{"name": "reader"}]
        )
        assert [role["name"] for role in made.roles] == ["reader"]
        auth = {"auth_url": cloud.auth_url, "application_credential_secret": made.secret}
        plain = {"load_yaml_config": False, "load_envvars": False, "region_name": REGION}
        narrowed = openstack.connect(
            auth_type="v3applicationcredential",
            auth={**auth, "application_credential_id": made.id},
            **plain,
        )
        session = narrowed.session.get_token()
        token = with_session(
            cloud, "GET", "/auth/tokens", session, headers={"X-Subject-Token": session}
        ).json()["token"]
        assert [role["name"] for role in token["roles"]] == ["reader"]
        refused = with_session(
            cloud,
            "POST",
            f"/users/{user}/application_credentials",
            session,
            json={"application_credential": {"name": "more"}},
        )
        assert refused.status_code == 403
        assert refused.headers["yui-problem"] == "permission-missing"
        for face in ("nightly", "tools"):
            with pytest.raises(ConflictException, match="called '"):
                connection.identity.create_application_credential(user, name=face)
        by_name = openstack.connect(
            auth_type="v3applicationcredential",
            auth={
                **auth,
                "application_credential_name": "nightly",
                "username": cloud.account().name,
                "user_domain_id": "default",
            },
            **plain,
        )
        assert by_name.current_project_id == MIKASA
        # What is one face's is the other's.
        shown = cloud.ask("GET", f"/v1/service-accounts/{user}/tokens").json()["items"]
        assert {"nightly", "tools"} == {each["label"] for each in shown}
        assert cloud.ask("GET", "/v1/me", made_token(made)).json()["tenant"] == MIKASA
        assert cloud.ask("DELETE", f"/v1/tokens/{made.id}").status_code == 200
        assert with_session(cloud, "GET", "/projects", session).status_code == 401
        with pytest.raises(SDKException, match="requires authentication"):
            openstack.connect(
                auth_type="v3applicationcredential",
                auth={**auth, "application_credential_id": made.id},
                **plain,
            ).authorize()


def made_token(credential: Any) -> str:
    return f"yui_{credential.id}_{credential.secret}"


def test_a_session_is_good_at_both_faces_until_it_is_ended(cloud: Cloud) -> None:
    session = cloud.session()
    assert cloud.ask("GET", "/v1/me", session).json()["tenant"] == MIKASA
    again = asked(cloud, {"methods": ["token"], "token": {"id": session}})
    assert again.status_code == 201
    ended = with_session(
        cloud, "DELETE", "/auth/tokens", session, headers={"X-Subject-Token": session}
    )
    assert ended.status_code == 204
    assert cloud.ask("GET", "/v1/me", session).status_code == 401
    assert cloud.ask("GET", "/v1/me", again.headers["x-subject-token"]).status_code == 200


def test_a_session_is_kept_as_a_digest_and_another_member_learns_nothing_of_it(
    cloud: Cloud,
) -> None:
    session, other = cloud.session(), cloud.session(UJI)
    kept = (cloud.folder / "state.db").read_bytes() + (cloud.folder / "state.db-wal").read_bytes()
    assert session.encode() not in kept
    assert session.split("_", 2)[2].encode() not in kept
    looked = with_session(cloud, "GET", "/auth/tokens", other, headers={"X-Subject-Token": session})
    never = with_session(cloud, "GET", "/auth/tokens", other, headers={"X-Subject-Token": "none"})
    assert looked.status_code == never.status_code == 404
    assert looked.json() == never.json()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"auth": 1}',
        b'{"auth": {"identity": {"methods": []}}}',
        b'{"auth": {"identity": {"methods": ["password"]}}}',
        b'{"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}',
        b'{"auth": {"identity": {"methods": ["token"], "token": {"id": ""}}}}',
    ],
)
def test_malformed_requests_are_answered_in_keystones_shape(cloud: Cloud, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = plainly(
        "POST", f"{cloud.auth_url}/auth/tokens", content=body, headers=headers, timeout=60
    )
    assert answer.status_code in (400, 401)
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    assert error["message"]


def test_versions_are_told_to_strangers(cloud: Cloud) -> None:
    told = plainly("GET", f"{cloud.url}/openstack/identity/", timeout=60)
    assert told.status_code == 300
    version = told.json()["versions"]["values"][0]
    assert version["links"][0]["href"] == f"{cloud.auth_url}/"
    assert plainly("GET", cloud.auth_url, timeout=60).json()["version"] == version


def test_links_lead_to_where_the_consortium_says_that_the_api_is(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    try:
        options = Options(Catalogue({}), public_url="https://yui.example.jp/")
        with TestClient(create_app(store, SimulatedWorld(), options)) as client:
            version = client.get("/openstack/identity/v3").json()["version"]
        assert version["links"][0]["href"] == "https://yui.example.jp/openstack/identity/v3/"
    finally:
        store.close()
