"""Who looks after whom: users, service accounts, their tokens, and what is opened in an emergency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from control_plane.access.break_glass import tell_lapsed
from control_plane.http.recognition import LastUsed
from control_plane.model.access import PERMISSIONS, Permission, Role, roles_with
from tests.access.conftest import SignedIn
from tests.api.conftest import MIKASA, UJI, Api, problem_of

REASON = "Both admins of Mikasa are ill and the tax system is down."


def patch(api: Api, user: dict[str, Any], query: str = "", **change: Any) -> Any:
    return api.request("PATCH", f"/v1/users/{user['id']}{query}", json=change)


@pytest.fixture
def town(signed_in: SignedIn) -> Api:
    """三笠市's admin, with a token of its own."""
    return signed_in.api.tenant(MIKASA)


class TestRoles:
    def test_a_user_of_a_member_may_do_nothing_that_its_admin_may_not(self) -> None:
        assert PERMISSIONS[Role.MEMBER_USER] < PERMISSIONS[Role.MEMBER_ADMIN]

    def test_an_auditor_only_reads(self) -> None:
        assert all(permission.endswith(".read") for permission in PERMISSIONS[Role.AUDITOR])
        assert Permission.AUDIT_READ in PERMISSIONS[Role.AUDITOR]

    def test_the_second_persons_permissions_are_nobody_elses(self) -> None:
        for alone in (Permission.MEMBERS_APPROVE, Permission.BINDINGS_APPROVE):
            assert roles_with(alone) == (Role.APPROVER,)

    def test_members_have_nothing_of_the_hardware(self) -> None:
        for role in (Role.MEMBER_ADMIN, Role.MEMBER_USER):
            assert not PERMISSIONS[role] & {
                Permission.POOL_READ,
                Permission.POOL_WRITE,
                Permission.METRICS_READ,
                Permission.SERVERS_MIGRATE,
                Permission.IMAGES_SHARE,
            }

    def test_every_permission_is_somebodys(self) -> None:
        assert all(roles_with(permission) for permission in Permission)


def test_operators_add_a_members_first_admin_and_the_rest_is_the_members_own(
    signed_in: SignedIn, town: Api
) -> None:
    api = signed_in.api
    body = {"issuer": signed_in.issuer.url, "name": "鈴木", "tenant": MIKASA}
    user = api.post("/v1/users", json={**body, "subject": "early", "role": "member-user"})
    problem_of(user, 403, "members-own-users")
    first = signed_in.add_user()
    second = api.post("/v1/users", json={**body, "subject": "suzuki", "role": "member-admin"})
    problem_of(second, 403, "members-own-users")
    problem_of(patch(api, first, disabled=True), 403, "members-own-users")
    assert town.post(
        "/v1/users", json={**body, "subject": "suzuki", "role": "member-user"}
    ).is_success
    assert [user["name"] for user in town.get("/v1/users").json()["items"]].count("鈴木") == 1
    seen = [event["kind"] for event in town.get("/v1/events").json()["items"]]
    assert seen.count("user.added") == 2
    trail = town.get("/v1/audit").json()["items"]
    assert "first operator" in [
        entry["fields"]["label"] for entry in trail if entry["action"] == "user.add"
    ]


def test_nobody_gives_more_than_they_have(signed_in: SignedIn, town: Api) -> None:
    operator = signed_in.api
    body = {"issuer": signed_in.issuer.url, "subject": "x", "name": "x"}
    for who, role, type in (
        (operator, "approver", "role-too-great"),
        (town, "operator", "role-too-great"),
        (town, "auditor", "role-too-great"),
        (town, "approver", "role-too-great"),
    ):
        problem_of(who.post("/v1/users", json={**body, "role": role}), 403, type)
        problem_of(who.post("/v1/tokens", json={"label": "x", "role": role}), 403, type)
        account = {"name": "x", "role": role}
        problem_of(who.post("/v1/service-accounts", json=account), 403, type)
    narrow = town.post(
        "/v1/tokens",
        json={"label": "n", "role": "member-admin", "scopes": ["tokens.write", "tokens.read"]},
    ).json()["token"]
    wider = town.with_token(narrow).post("/v1/tokens", json={"label": "w", "role": "member-user"})
    problem_of(wider, 403, "role-too-great")
    program = {"label": "p", "role": "operator", "scopes": ["tokens.write"]}
    narrow_operator = operator.with_token(operator.post("/v1/tokens", json=program).json()["token"])
    of_town = {"label": "x", "role": "member-admin", "tenant": MIKASA}
    problem_of(narrow_operator.post("/v1/tokens", json=of_town), 403, "role-too-great")
    same = {"label": "s", "role": "member-admin", "scopes": ["tokens.read"]}
    assert town.with_token(narrow).post("/v1/tokens", json=same).status_code == 201


def test_another_members_people_and_programs_are_not_there(signed_in: SignedIn, town: Api) -> None:
    signed_in.api.join(UJI)
    other = signed_in.api.tenant(UJI)
    user = signed_in.add_user()
    account = town.post("/v1/service-accounts", json={"name": "b", "role": "member-user"}).json()
    problem_of(other.get(f"/v1/users/{user['id']}"), 404, "user-not-found")
    problem_of(patch(other, user, disabled=True), 404, "user-not-found")
    path = f"/v1/service-accounts/{account['id']}"
    problem_of(other.get(path), 404, "service-account-not-found")
    problem_of(other.post(f"{path}/tokens", json={}), 404, "service-account-not-found")
    problem_of(other.request("DELETE", path), 404, "service-account-not-found")
    given = {"label": "x", "role": "member-user", "tenant": MIKASA}
    problem_of(other.post("/v1/tokens", json=given), 422, "tenant-not-found")
    mine = town.get("/v1/tokens").json()["items"][0]["id"]
    problem_of(other.request("DELETE", f"/v1/tokens/{mine}"), 404, "token-not-found")
    for path in ("/v1/users", "/v1/service-accounts", "/v1/tokens", "/v1/break-glass"):
        assert MIKASA not in other.get(path).text


def test_the_last_admin_stays_unless_it_is_meant(signed_in: SignedIn, town: Api) -> None:
    last = signed_in.add_user()
    for change in ({"disabled": True}, {"role": "member-user"}):
        problem_of(patch(town, last, **change), 409, "last-member-admin")
    problem_of(town.request("DELETE", f"/v1/users/{last['id']}"), 409, "last-member-admin")
    assert patch(town, last, name="佐藤 華子").status_code == 200
    body = {"issuer": signed_in.issuer.url, "subject": "b", "name": "b", "role": "member-admin"}
    second = town.post("/v1/users", json=body).json()
    assert patch(town, last, disabled=True).json()["disabled"] is True
    problem_of(patch(town, second, role="member-user"), 409, "last-member-admin")
    assert town.request("DELETE", f"/v1/users/{second['id']}?force=true").is_success


def test_a_user_stays_with_whom_it_belongs_to(signed_in: SignedIn, town: Api) -> None:
    user = signed_in.add_user()
    problem_of(patch(town, user, role="operator"), 422, "role-of-other-kind")
    again = {**{k: user[k] for k in ("issuer", "subject", "name", "role")}}
    problem_of(town.post("/v1/users", json=again), 409, "user-exists")
    unknown = {**again, "issuer": "https://evil.example"}
    problem_of(town.post("/v1/users", json=unknown), 422, "issuer-unknown")


def test_a_programs_token_is_as_narrow_as_its_account_and_ends(town: Api) -> None:
    scopes = ["servers.read", "servers.power"]
    account = town.post(
        "/v1/service-accounts", json={"name": "夜間停止", "role": "member-admin", "scopes": scopes}
    ).json()
    path = f"/v1/service-accounts/{account['id']}/tokens"
    problem_of(town.post(path, json={"scopes": ["users.write"]}), 422, "scope-not-of-account")
    problem_of(town.post(path, json={"expires_in_days": 367}), 422, "request-invalid")
    issued = town.post(path, json={"scopes": ["servers.read"]}).json()
    program = town.with_token(issued["token"])
    assert program.get("/v1/servers").json()["items"]
    problem_of(program.get("/v1/users"), 403, "permission-missing")
    me = program.get("/v1/me").json()
    assert (me["kind"], me["name"]) == ("service-account", "夜間停止")
    assert me["permissions"] == ["servers.read"]
    assert me["expires_at"] == issued["expires_at"]
    (listed,) = town.get(path).json()["items"]
    assert (listed["id"], listed["scopes"]) == (issued["id"], ["servers.read"])
    assert listed["last_used_at"]
    assert "token" not in listed
    assert town.request("DELETE", f"/v1/service-accounts/{account['id']}").is_success
    problem_of(program.get("/v1/servers"), 401, "token-invalid")


def test_when_a_token_was_used_is_saved_without_a_write_per_request(signed_in: SignedIn) -> None:
    api = signed_in.api
    used: LastUsed = api.app.state.last_used
    used.flush(api.store)
    before = api.contents()
    for _ in range(5):
        api.get("/v1/me")
    assert api.contents() == before
    with api.store.read() as tx:
        assert tx.tokens()[0].last_used_at is not None


def test_a_token_without_permission_for_hardware_is_shown_none(signed_in: SignedIn) -> None:
    body = {"label": "x", "role": "operator", "scopes": ["servers.read"]}
    narrow = signed_in.api.with_token(signed_in.api.post("/v1/tokens", json=body).json()["token"])
    assert {server["host"] for server in narrow.get("/v1/servers").json()["items"]} == {None}


class TestBreakGlass:
    @pytest.fixture
    def grant(self, signed_in: SignedIn) -> dict[str, Any]:
        body = {"tenant": MIKASA, "role": "member-admin", "reason": REASON, "minutes": 30}
        answer = signed_in.api.post("/v1/break-glass", json=body)
        assert answer.status_code == 201, answer.text
        opened: dict[str, Any] = answer.json()
        return opened

    def test_it_gives_the_members_admins_permissions_for_that_member_alone(
        self, signed_in: SignedIn, grant: dict[str, Any]
    ) -> None:
        api = signed_in.api
        api.join(UJI)
        under = {"Yui-Break-Glass": grant["id"]}
        me = api.get("/v1/me", headers=under).json()
        assert (me["tenant"], me["break_glass"], me["role"]) == (MIKASA, grant["id"], "operator")
        assert set(me["permissions"]) == PERMISSIONS[Role.MEMBER_ADMIN]
        assert UJI not in api.get("/v1/servers", headers=under).text
        problem_of(api.get("/v1/hosts", headers=under), 403, "permission-missing")
        assert "pool.read" in api.get("/v1/me").json()["permissions"]

    def test_all_that_is_asked_under_it_is_audited_where_the_member_sees_it(
        self, signed_in: SignedIn, town: Api, grant: dict[str, Any]
    ) -> None:
        api = signed_in.api
        under = {"Yui-Break-Glass": grant["id"]}
        server = api.get("/v1/servers", headers=under).json()["items"][0]["id"]
        assert api.post(f"/v1/servers/{server}/stop", headers=under).status_code == 202
        api.post("/v1/servers/nobody/stop", headers=under)
        trail = town.get("/v1/audit?limit=1000").json()["items"]
        marked = [e for e in trail if (e["fields"] or {}).get("break_glass") == grant["id"]]
        asked = [e["fields"]["request"] for e in marked if e["action"] == "break-glass.use"]
        assert asked == [
            "GET /v1/servers",
            f"POST /v1/servers/{server}/stop",
            "POST /v1/servers/nobody/stop",
        ]
        stops = [(e["action"], e["outcome"]) for e in marked if e["action"] == "server.stop"]
        assert stops == [("server.stop", "done"), ("server.stop", "server-not-found")]
        opened = next(e for e in trail if e["action"] == "break-glass.open")
        assert opened["fields"]["reason"] == REASON
        (seen,) = town.get("/v1/break-glass").json()["items"]
        assert (seen["id"], seen["reason"], seen["state"]) == (grant["id"], REASON, "open")

    def test_the_member_and_the_operators_are_told_when_it_opens_closes_and_lapses(
        self, signed_in: SignedIn, town: Api, grant: dict[str, Any]
    ) -> None:
        api = signed_in.api
        second = api.post(
            "/v1/break-glass",
            json={"tenant": MIKASA, "role": "member-user", "reason": REASON, "minutes": 5},
        ).json()
        assert api.post(f"/v1/break-glass/{grant['id']}/close").json()["state"] == "closed"
        again = api.post(f"/v1/break-glass/{grant['id']}/close")
        problem_of(again, 409, "break-glass-over")
        now = api.app.state.edge.clock.now()
        tell_lapsed(api.store, now + timedelta(minutes=4))
        for _ in range(2):
            tell_lapsed(api.store, now + timedelta(minutes=6))
        for reader in (api, town):
            kinds = [
                (event["kind"], event["subject"].removeprefix("break-glass:"))
                for event in reader.get("/v1/events?limit=1000").json()["items"]
                if event["kind"].startswith("break-glass")
            ]
            assert kinds == [
                ("break-glass.opened", grant["id"]),
                ("break-glass.opened", second["id"]),
                ("break-glass.closed", grant["id"]),
                ("break-glass.lapsed", second["id"]),
            ]

    def test_one_that_is_over_or_anothers_opens_nothing(
        self, signed_in: SignedIn, town: Api, grant: dict[str, Any]
    ) -> None:
        api = signed_in.api
        other = api.with_token(
            api.post("/v1/tokens", json={"role": "operator", "label": "other"}).json()["token"]
        )
        for who, id in ((other, grant["id"]), (town, grant["id"]), (api, "bg-none"), (api, "")):
            refused = who.get("/v1/servers", headers={"Yui-Break-Glass": id})
            problem_of(refused, 403, "break-glass-not-open")
        api.post(f"/v1/break-glass/{grant['id']}/close")
        closed = api.get("/v1/servers", headers={"Yui-Break-Glass": grant["id"]})
        problem_of(closed, 403, "break-glass-not-open")

    def test_it_cant_be_prolonged_from_within(
        self, signed_in: SignedIn, grant: dict[str, Any]
    ) -> None:
        api, under = signed_in.api, {"Yui-Break-Glass": grant["id"]}
        body = {"label": "x", "role": "member-admin", "expires_in_days": 366}
        issued = api.post("/v1/tokens", json=body, headers=under).json()
        assert issued["expires_at"] == grant["expires_at"]

    def test_the_second_person_can_be_stood_in_for_and_the_first_one_made(
        self, signed_in: SignedIn
    ) -> None:
        api = signed_in.api
        body = {"role": "approver", "reason": "There is no approver yet.", "minutes": 10}
        grant = api.post("/v1/break-glass", json=body).json()
        under = {"Yui-Break-Glass": grant["id"]}
        assert "members.approve" in api.get("/v1/me", headers=under).json()["permissions"]
        user = {"issuer": signed_in.issuer.url, "subject": "a", "name": "a", "role": "approver"}
        problem_of(api.post("/v1/users", json=user), 403, "role-too-great")
        assert api.post("/v1/users", json=user, headers=under).status_code == 201

    @pytest.mark.parametrize(
        ("change", "type"),
        [
            ({"minutes": 241}, "request-invalid"),
            ({"reason": "because"}, "request-invalid"),
            ({"role": "operator"}, "break-glass-too-much"),
            ({"role": "approver"}, "break-glass-too-much"),
            ({"role": None, "permissions": ["pool.write"]}, "break-glass-too-much"),
            ({"permissions": ["servers.write"]}, "break-glass-unclear"),
            ({"role": None}, "break-glass-unclear"),
            ({"tenant": "262048"}, "tenant-not-found"),
            ({"tenant": None}, "break-glass-too-much"),
        ],
    )
    def test_what_is_too_much_too_long_or_without_reason_is_refused(
        self, signed_in: SignedIn, change: dict[str, Any], type: str
    ) -> None:
        body = {"tenant": MIKASA, "role": "member-admin", "reason": REASON, "minutes": 30}
        sent = {k: v for k, v in {**body, **change}.items() if v is not None}
        problem_of(signed_in.api.post("/v1/break-glass", json=sent), 422, type)
