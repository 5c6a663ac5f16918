"""A municipality applies, another person decides, and its life is told from then on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from control_plane.access.identity_providers import IdentityProviders
from control_plane.access.provider_settings import Provider
from control_plane.access.service import bootstrap_token
from control_plane.http.principal import Principal
from control_plane.model.access import PERMISSIONS, Permission, Role
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, HostId
from control_plane.model.membership import ApprovalRule
from control_plane.model.pool import Duty
from control_plane.model.units import Seconds
from control_plane.model.workload import Seen
from tenants.asked import JoinRequest
from tenants.membership import Applications, settle_memberships
from tenants.onboarding import Onboarding
from tenants.register import MemberRegister
from tests.api.conftest import (
    MEMBERS,
    MIKASA,
    NOW,
    QUICKLY,
    UJI,
    Api,
    Prepared,
    opened,
    problem_of,
    standard_catalogue,
)

ISSUER, OTHER_ISSUER = "https://id.example.jp", "https://login.example.jp"
SUZUKI = {"name": "鈴木", "issuer": ISSUER, "email": "suzuki@city.example.jp"}
QUOTA = {"vcpus": 12, "memory_mib": 16_384, "disk_gib": 200}
JOIN = {"code": MIKASA, "blueprints": ["resident-records"]}


@pytest.fixture
def api(prepared: Prepared, tmp_path: Path) -> Iterator[Api]:
    """A pool where it takes two persons to let a member in."""
    state = tmp_path / "state.db"
    state.write_bytes(prepared.state_file.read_bytes())
    trusted = [
        Provider(issuer=issuer, audience="yui", bind_by_email=invites)
        for issuer, invites in ((ISSUER, True), (OTHER_ISSUER, False))
    ]
    providers = IdentityProviders.of(trusted, lambda: NOW, lambda: Seconds(0))
    with opened(state, prepared.token, ApprovalRule.TWO_PERSONS, providers=providers) as api:
        yield api


@pytest.fixture
def approver(api: Api) -> Api:
    return api.with_token(bootstrap_token(api.store, Role.APPROVER, label="Sato", cost=QUICKLY))


def member(api: Api, code: str = MIKASA) -> dict[str, Any]:
    answer = api.get(f"/v1/members/{code}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def operation(api: Api, id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/operations/{id}").json()
    return found


def apply(api: Api, **more: Any) -> str:
    answer = api.post("/v1/members", json={**JOIN, **more})
    assert answer.status_code == 202, answer.text
    assert answer.json()["kind"] == "member.apply"
    return str(answer.json()["id"])


def told(api: Api, kind: str) -> list[dict[str, Any]]:
    return [e for e in api.get("/v1/events").json()["items"] if e["kind"] == kind]


def test_whoever_applies_gets_nothing_until_another_person_approves(
    api: Api, approver: Api
) -> None:
    applied = apply(api)
    assert operation(api, applied)["state"] == "running"
    assert (member(api)["state"], member(api)["applied_by"]) == ("applied", "first operator")
    assert api.get("/v1/servers").json()["items"] == []
    assert "would fit now" in told(api, "member.applied")[0]["en"]
    problem_of(
        api.post("/v1/tokens", json={"role": "member-admin", "tenant": MIKASA, "label": "x"}),
        422,
        "tenant-not-found",
    )

    answer = approver.post(f"/v1/members/{MIKASA}/approve")
    assert answer.status_code == 202, answer.text
    joining = answer.json()
    assert (joining["kind"], joining["total"]) == ("member.join", 2)
    assert answer.headers["location"] == f"/v1/operations/{joining['id']}"
    assert operation(api, applied)["state"] == "done"
    now = member(api)
    assert (now["state"], now["decided_by"], now["operation"]) == (
        "approved",
        "Sato",
        joining["id"],
    )
    assert len(api.get("/v1/servers").json()["items"]) == 2

    api.see_all(Seen.RUNNING)
    assert settle_memberships(api.store, NOW + timedelta(hours=1)) == 1
    assert (member(api)["state"], member(api)["since"]) == ("hosted", "2026-04-01T01:00:00Z")
    assert settle_memberships(api.store, NOW + timedelta(hours=2)) == 0
    (listed,) = api.get("/v1/members?state=hosted").json()["items"]
    assert listed["code"] == MIKASA
    town = api.tenant(MIKASA)
    kinds = {event["kind"] for event in town.get("/v1/events").json()["items"]}
    assert {"member.applied", "member.joined", "member.hosted"} <= kinds


def test_the_operators_role_alone_lets_nobody_in(api: Api, approver: Api) -> None:
    apply(api)
    before = api.contents()
    problem_of(api.post(f"/v1/members/{MIKASA}/approve"), 403, "permission-missing")
    problem_of(approver.post("/v1/members", json=JOIN), 403, "permission-missing")
    assert api.contents() == before


def test_one_person_with_both_permissions_is_still_one_person(api: Api) -> None:
    both = PERMISSIONS[Role.OPERATOR] | {Permission.MEMBERS_APPROVE}
    first = Principal("token-1", "Tanaka", Role.OPERATOR, None, both, account="tanaka")
    again = replace(first, token="token-2")  # noqa: S106 — a token's id, and no secret
    onboarding = Onboarding(
        api.store, standard_catalogue(), MemberRegister({m.code: m for m in MEMBERS})
    )
    applications = Applications(onboarding)
    request = JoinRequest(
        MIKASA, (standard_catalogue().blueprint(BlueprintId("facility-booking")).id,)
    )
    applications.apply(request, first, NOW, lambda _, __: None)
    before = api.contents()
    for who in (first, again):
        with pytest.raises(YuiError) as refused:
            applications.approve(MIKASA, who, NOW)
        assert (refused.value.type, refused.value.status) == ("second-person-needed", 403)
    assert api.contents() == before


def test_an_application_that_no_longer_fits_is_not_approved_and_stays(
    api: Api, approver: Api
) -> None:
    apply(api)
    with api.store.write() as tx:
        for host in tx.hosts():
            if host.id.startswith("hokkaido"):
                tx.save_host(replace(host, duty=Duty.MAINTENANCE))
    before = api.contents()
    refusal = problem_of(approver.post(f"/v1/members/{MIKASA}/approve"), 409, "no-room")
    assert refusal["detail"]
    assert api.contents() == before
    assert member(api)["state"] == "applied"
    with api.store.write() as tx:
        for host in tx.hosts():
            tx.save_host(replace(host, duty=Duty.IN_SERVICE))
    assert approver.post(f"/v1/members/{MIKASA}/approve").status_code == 202


def test_one_may_apply_for_what_does_not_fit_today_and_is_told(api: Api) -> None:
    with api.store.write() as tx:
        tx.save_host(replace(tx.host(HostId("hokkaido-1")), duty=Duty.MAINTENANCE))
        tx.save_host(replace(tx.host(HostId("hokkaido-2")), duty=Duty.MAINTENANCE))
    apply(api)
    (event,) = told(api, "member.applied")
    assert "would not fit now" in event["en"]
    assert event["fields"] == {"fits_now": False}


def test_a_rejected_application_says_why_and_may_be_made_again(api: Api, approver: Api) -> None:
    applied = apply(api)
    answer = approver.post(f"/v1/members/{MIKASA}/reject", json={"reason": "No vote was held yet."})
    assert answer.status_code == 200, answer.text
    ended = operation(api, applied)
    assert (ended["state"], ended["error"]["type"]) == ("failed", "application-rejected")
    assert "No vote was held yet." in ended["error"]["en"]
    assert (member(api)["state"], member(api)["reason"]) == ("rejected", "No vote was held yet.")
    assert api.get("/v1/members").json()["items"] == []
    problem_of(approver.post(f"/v1/members/{MIKASA}/approve"), 409, "application-decided")
    apply(api)
    assert member(api)["state"] == "applied"


def test_an_application_can_be_taken_back_once(api: Api) -> None:
    applied = apply(api)
    assert api.post(f"/v1/members/{MIKASA}/withdraw").json()["state"] == "withdrawn"
    assert operation(api, applied)["error"]["type"] == "application-withdrawn"
    problem_of(api.post(f"/v1/members/{MIKASA}/withdraw"), 409, "application-decided")


def test_who_has_applied_or_joined_does_not_apply_again(api: Api, approver: Api) -> None:
    apply(api)
    problem_of(api.post("/v1/members", json=JOIN), 409, "application-waits")
    approver.post(f"/v1/members/{MIKASA}/approve")
    problem_of(api.post("/v1/members", json=JOIN), 409, "tenant-exists")


def test_who_has_read_an_older_application_decides_nothing(api: Api, approver: Api) -> None:
    apply(api)
    read = approver.get(f"/v1/members/{MIKASA}").headers["etag"]
    api.post(f"/v1/members/{MIKASA}/withdraw")
    apply(api, blueprints=["facility-booking"])
    headers = {"If-Match": read}
    refused = approver.post(f"/v1/members/{MIKASA}/approve", headers=headers)
    problem_of(refused, 412, "member-changed")
    fresh = approver.get(f"/v1/members/{MIKASA}").headers["etag"]
    done = approver.post(f"/v1/members/{MIKASA}/approve", headers={"If-Match": fresh})
    assert done.status_code == 202
    again = approver.post(f"/v1/members/{MIKASA}/approve", headers={"If-Match": fresh})
    problem_of(again, 412, "member-changed")


def test_an_approval_can_be_rehearsed_and_sent_twice(api: Api, approver: Api) -> None:
    apply(api)
    before = api.contents()
    plan = approver.post(f"/v1/members/{MIKASA}/approve?dry_run=true")
    assert (plan.status_code, len(plan.json()["servers"])) == (200, 2)
    assert plan.json()["capacity"] == {"vcpus": 2, "memory_mib": 4096, "disk_gib": 20}
    assert api.contents() == before
    headers = {"Idempotency-Key": "approve-mikasa"}
    first = approver.post(f"/v1/members/{MIKASA}/approve", headers=headers)
    again = approver.post(f"/v1/members/{MIKASA}/approve", headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"


def test_a_member_with_a_site_of_its_own_is_connected_before_it_is_hosted(
    api: Api, approver: Api
) -> None:
    apply(api, own_site={"name": "三笠市役所 電算室", "contact": "総務課 内線 214"})
    approver.post(f"/v1/members/{MIKASA}/approve")
    api.see_all(Seen.RUNNING)
    assert settle_memberships(api.store, NOW) == 0
    said = {"statement": "Its resident records answered from our network."}
    assert api.post(f"/v1/members/{MIKASA}/connect", json=said).json()["state"] == "connected"
    assert settle_memberships(api.store, NOW) == 1
    now = member(api)
    assert (now["state"], now["own_site"]["name"]) == ("hosted", "三笠市役所 電算室")


def test_a_member_without_one_has_nothing_to_connect(api: Api, approver: Api) -> None:
    said = {"statement": "Its resident records answered from our network."}
    apply(api)
    refused = api.post(f"/v1/members/{MIKASA}/connect", json=said)
    problem_of(refused, 409, "member-not-awaiting-connection")
    approver.post(f"/v1/members/{MIKASA}/approve")
    problem_of(api.post(f"/v1/members/{MIKASA}/connect", json=said), 409, "own-site-missing")


def test_members_say_whom_to_reach_and_the_consortium_how_many_they_are(
    api: Api, approver: Api
) -> None:
    for code in (MIKASA, UJI):
        apply(api, code=code, blueprints=["facility-booking"])
        approver.post(f"/v1/members/{code}/approve")
    town = api.tenant(MIKASA)
    contact = {"name": "佐藤", "email": "dx@city.example.jp"}
    answer = town.request("PATCH", f"/v1/members/{MIKASA}", json={"contact": contact})
    assert answer.status_code == 200, answer.text
    assert answer.json()["contact"] == {**contact, "phone": None}
    for body, status, type in (
        ({"population": 400_000}, 403, "permission-missing"),
        ({"contact": {"email": "no address"}}, 422, "request-invalid"),
    ):
        problem_of(town.request("PATCH", f"/v1/members/{MIKASA}", json=body), status, type)
    other = town.request("PATCH", f"/v1/members/{UJI}", json={"contact": contact})
    problem_of(other, 404, "tenant-not-found")
    problem_of(town.get(f"/v1/members/{UJI}"), 404, "tenant-not-found")

    grown = api.request("PATCH", f"/v1/members/{MIKASA}", json={"population": 400_000}).json()
    assert (grown["band"], grown["contact"]["name"]) == ("300k-and-more", "佐藤")
    (size,) = grown["sizes"]
    assert size["flavor"] != size["would_be"]
    (server,) = town.get("/v1/servers").json()["items"]
    assert server["flavor"] == size["flavor"]


def test_all_of_it_stands_in_the_audit_trail_with_who_did_it(api: Api, approver: Api) -> None:
    apply(api)
    approver.post(f"/v1/members/{MIKASA}/approve")
    entries = {
        entry["action"]: entry["fields"]["label"]
        for entry in api.get("/v1/audit").json()["items"]
        if entry["subject"] == f"member:{MIKASA}"
    }
    assert entries == {"member.join": "first operator", "member.approve": "Sato"}


def test_a_member_comes_with_its_first_admins_and_the_quota_that_was_applied_for(
    api: Api, approver: Api
) -> None:
    apply(
        api,
        admins=[SUZUKI, {**SUZUKI, "name": "田中", "email": None, "subject": "t1"}],
        quota=QUOTA,
    )
    assert [admin["name"] for admin in member(api)["admins"]] == ["鈴木", "田中"]
    assert api.get("/v1/users").json()["items"] == []
    assert approver.post(f"/v1/members/{MIKASA}/approve").status_code == 202
    users = api.get("/v1/users").json()["items"]
    assert {(u["name"], u["role"], u["tenant"]) for u in users} == {
        ("鈴木", "member-admin", MIKASA),
        ("田中", "member-admin", MIKASA),
    }
    quota = api.get(f"/v1/members/{MIKASA}/quota").json()
    assert quota["quota"] == QUOTA
    assert quota["guaranteed"] == quota["used"]
    assert len(told(api, "user.added")) == 2


def test_what_is_wrong_with_first_admins_or_quota_is_said_when_applying(api: Api) -> None:
    before = api.contents()
    nobody = {"name": "鈴木", "email": "suzuki@city.example.jp"}
    for more, problem in (
        ({"admins": [nobody]}, "issuer-unclear"),
        ({"admins": [{**SUZUKI, "issuer": "https://evil.example"}]}, "issuer-unknown"),
        ({"admins": [{**SUZUKI, "issuer": OTHER_ISSUER}]}, "subject-needed"),
        ({"admins": [SUZUKI, SUZUKI]}, "user-exists"),
        ({"quota": {**QUOTA, "memory_mib": 1024}}, "quota-below-needs"),
    ):
        answer = api.post("/v1/members", json={**JOIN, **more})
        assert answer.json()["type"] == f"urn:yui:problem:{problem}", answer.text
    assert api.contents() == before


def test_each_step_of_joining_is_told(api: Api, approver: Api) -> None:
    apply(api)
    assert [(s["name"], s["ended"]) for s in member(api)["steps"]] == [
        ("approved", False),
        ("hosted", False),
    ]
    approver.post(f"/v1/members/{MIKASA}/approve")
    first = api.get("/v1/servers").json()["items"][0]["id"]
    api.see(first, Seen.RUNNING)
    (built,) = [step for step in member(api)["steps"] if step["name"] == "built"]
    assert (built["of"], built["done"], built["total"], built["ended"]) == (
        f"m{MIKASA}-resident-records", 1, 2, False,
    )  # fmt: skip
    api.see_all(Seen.RUNNING)
    settle_memberships(api.store, NOW)
    assert all(step["ended"] for step in member(api)["steps"])
