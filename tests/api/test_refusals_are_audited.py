"""Whoever tries what is refused stands in the audit trail, and can't fill it."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.http.refusals import Allowance
from control_plane.model.units import Seconds
from tests.api.conftest import MIKASA, UJI, Api, pool, problem_of
from tests.api.test_access_to_every_route import routes, send

CHANGES = {
    ("PUT", "/v1/pool"): ("pool.apply", "pool"),
    ("POST", "/v1/hosts/{host_id}/drain"): ("host.drain", "host:kyoto-1"),
    ("POST", "/v1/hosts/{host_id}/return"): ("host.return", "host:kyoto-1"),
    ("POST", "/v1/hosts/{host_id}/fence"): ("host.fence", "host:kyoto-1"),
    ("POST", "/v1/regions/{region_id}/certificate/check"): ("certificate.check", "region:kyoto"),
    ("POST", "/v1/members"): ("member.join", "member"),
    ("PATCH", "/v1/members/{code}"): ("member.change", "member:"),
    ("POST", "/v1/members/{code}/approve"): ("member.approve", "member:"),
    ("POST", "/v1/members/{code}/reject"): ("member.reject", "member:"),
    ("POST", "/v1/members/{code}/withdraw"): ("member.withdraw", "member:"),
    ("POST", "/v1/members/{code}/connect"): ("member.connect", "member:"),
    ("POST", "/v1/members/{code}/leave"): ("member.leave", "member:"),
    ("POST", "/v1/members/{code}/leave/approve"): ("member.leave-approve", "member:"),
    ("POST", "/v1/members/{code}/leave/reject"): ("member.leave-reject", "member:"),
    ("POST", "/v1/members/{code}/leave/cancel"): ("member.leave-cancel", "member:"),
    ("POST", "/v1/members/{code}/leave/confirm"): ("member.leave-confirm", "member:"),
    ("POST", "/v1/members/{code}/leave/waive"): ("member.leave-waive", "member:"),
    ("POST", "/v1/regions/{region_id}/reclaims"): ("reclaim.ask", "region:kyoto"),
    ("POST", "/v1/reclaims/{reclaim_id}/carry-out"): ("reclaim.carry-out", "reclaim:"),
    ("POST", "/v1/reclaims/{reclaim_id}/withdraw"): ("reclaim.withdraw", "reclaim:"),
    ("PUT", "/v1/members/{code}/quota"): ("quota.set", "member:"),
    ("POST", "/v1/servers/{server}/migrate"): ("server.migrate", "server:"),
    ("POST", "/v1/servers"): ("server.create", "server"),
    ("PATCH", "/v1/servers/{server}"): ("server.protect", "server:"),
    ("DELETE", "/v1/servers/{server}"): ("server.delete", "server:"),
    ("POST", "/v1/servers/{server}/resize"): ("server.resize", "server:"),
    ("POST", "/v1/servers/{server}/shelve"): ("server.shelve", "server:"),
    ("POST", "/v1/servers/{server}/unshelve"): ("server.unshelve", "server:"),
    ("POST", "/v1/servers/{server}/rename"): ("server.rename", "server:"),
    ("PATCH", "/v1/servers/{server}/notes"): ("server.notes", "server:"),
    ("POST", "/v1/servers/{server}/rebuild"): ("server.rebuild", "server:"),
    ("PUT", "/v1/servers/{server}/security-groups"): ("server.security-groups", "server:"),
    ("POST", "/v1/networks"): ("network.add", "network"),
    ("PATCH", "/v1/networks/{network}"): ("network.change", "network:"),
    ("DELETE", "/v1/networks/{network}"): ("network.remove", "network:"),
    ("PUT", "/v1/networks/{network}/offices"): ("network.offices", "network:"),
    ("POST", "/v1/security-groups"): ("security-group.add", "security-group"),
    ("PUT", "/v1/security-groups/{group}"): ("security-group.change", "security-group:"),
    ("DELETE", "/v1/security-groups/{group}"): ("security-group.remove", "security-group:"),
    ("POST", "/v1/keypairs"): ("keypair.add", "keypair"),
    ("DELETE", "/v1/keypairs/{keypair}"): ("keypair.remove", "keypair:"),
    ("POST", "/v1/server-groups"): ("server-group.add", "server-group"),
    ("DELETE", "/v1/server-groups/{server_group}"): ("server-group.remove", "server-group:"),
    ("POST", "/v1/servers/{server}/resize/confirm"): ("server.resize-confirm", "server:"),
    ("POST", "/v1/servers/{server}/resize/revert"): ("server.resize-revert", "server:"),
    ("POST", "/v1/bindings"): ("binding.request", "binding"),
    ("POST", "/v1/bindings/{binding}/approve"): ("binding.approve", "binding:"),
    ("POST", "/v1/bindings/{binding}/refuse"): ("binding.refuse", "binding:"),
    ("POST", "/v1/bindings/{binding}/revoke"): ("binding.revoke", "binding:"),
    ("POST", "/v1/volumes"): ("volume.create", "volume"),
    ("PATCH", "/v1/volumes/{volume}"): ("volume.protect", "volume:"),
    ("POST", "/v1/volumes/{volume}/grow"): ("volume.grow", "volume:"),
    ("DELETE", "/v1/volumes/{volume}"): ("volume.delete", "volume:"),
    ("POST", "/v1/servers/{server}/volumes"): ("volume.attach", "server:"),
    ("DELETE", "/v1/servers/{server}/volumes/{volume}"): ("volume.detach", "volume:"),
    ("POST", "/v1/servers/{server}/snapshots"): ("snapshot.create", "server:"),
    ("POST", "/v1/snapshots/{snapshot}/restore"): ("snapshot.restore", "snapshot:"),
    ("DELETE", "/v1/snapshots/{snapshot}"): ("snapshot.delete", "snapshot:"),
    ("POST", "/v1/repositories"): ("repository.add", "repository"),
    ("PATCH", "/v1/repositories/{repository}"): ("repository.retire", "repository:hill"),
    ("DELETE", "/v1/repositories/{repository}"): ("repository.remove", "repository:hill"),
    ("POST", "/v1/repositories/{repository}/check"): ("repository.check", "repository:hill"),
    ("POST", "/v1/repositories/{repository}/rewrap"): ("repository.rewrap", "repository:hill"),
    ("PUT", "/v1/region-links/{link}"): ("link.set", "link:"),
    ("DELETE", "/v1/region-links/{link}"): ("link.remove", "link:"),
    ("PUT", "/v1/members/{code}/location-rule"): ("location-rule.set", "member:"),
    ("DELETE", "/v1/members/{code}/location-rule"): ("location-rule.remove", "member:"),
    ("POST", "/v1/disasters"): ("disaster.declare", "disaster"),
    ("POST", "/v1/disasters/{disaster}/revoke"): ("disaster.revoke", "disaster:"),
    ("PUT", "/v1/systems/{system}/backup-policy"): ("backup-policy.set", "system:"),
    ("DELETE", "/v1/systems/{system}/backup-policy"): ("backup-policy.reset", "system:"),
    ("POST", "/v1/systems/{system}/backups"): ("backup.now", "system:"),
    ("POST", "/v1/recovery-points/{point}/restore"): ("backup.restore", "point:"),
    ("POST", "/v1/restores/{restore}/cancel"): ("backup.restore-cancel", "restore:"),
    ("POST", "/v1/members/{code}/backup-copy/taken"): ("backup-copy.taken", "member:"),
    ("POST", "/v1/members/{code}/backup-keys"): ("backup-key.ask", "member:"),
    ("POST", "/v1/backup-keys/{task}/agree"): ("backup-key.agree", "task:"),
    ("POST", "/v1/backup-keys/{task}/cancel"): ("backup-key.cancel", "task:"),
    ("POST", "/v1/systems"): ("system.add", "system"),
    ("DELETE", "/v1/systems/{system}"): ("system.delete", "system:"),
    ("POST", "/v1/images"): ("image.add", "image"),
    ("PATCH", "/v1/images/{image}"): ("image.share", "image:"),
    ("DELETE", "/v1/images/{image}"): ("image.delete", "image:"),
    ("PUT", "/v1/images/{image}/description"): ("image.describe", "image:"),
    ("POST", "/v1/servers/{server}/image"): ("image.from-server", "server:"),
    ("POST", "/v1/container-groups"): ("container-group.create", "container-group"),
    ("PUT", "/v1/container-groups/{container_group}"): (
        "container-group.change",
        "container-group:",
    ),
    ("DELETE", "/v1/container-groups/{container_group}"): (
        "container-group.delete",
        "container-group:",
    ),
    ("POST", "/v1/images/uploads"): ("image.upload", "image"),
    ("PUT", "/v1/images/uploads/{upload}"): ("image.upload-part", "image:"),
    ("POST", "/v1/images/uploads/{upload}/complete"): ("image.add", "image:"),
    ("DELETE", "/v1/images/uploads/{upload}"): ("image.upload-remove", "image:"),
    ("PUT", "/v1/members/{code}/image-quota"): ("image.quota", "member:"),
    ("POST", "/v1/tokens"): ("token.issue", "token"),
    ("DELETE", "/v1/tokens/{token_id}"): ("token.revoke", "token:"),
    ("POST", "/v1/users"): ("user.add", "user"),
    ("PATCH", "/v1/users/{user_id}"): ("user.change", "user:"),
    ("DELETE", "/v1/users/{user_id}"): ("user.remove", "user:"),
    ("POST", "/v1/service-accounts"): ("service-account.add", "service-account"),
    ("DELETE", "/v1/service-accounts/{account_id}"): ("service-account.remove", "service-account:"),
    ("POST", "/v1/service-accounts/{account_id}/tokens"): ("token.issue", "service-account:"),
    ("POST", "/v1/break-glass"): ("break-glass.open", "break-glass"),
    ("POST", "/v1/break-glass/{grant_id}/close"): ("break-glass.close", "break-glass:"),
}
"""What a member's users may not do, as the audit trail has it."""

READS = {("POST", "/v1/explain"), ("POST", "/v1/images/{image}/verify")}


def refused(api: Api) -> list[dict[str, Any]]:
    trail = api.get("/v1/audit?limit=1000").json()["items"]
    return [entry for entry in trail if entry["outcome"] != "done"]


@pytest.mark.long
def test_every_change_that_a_user_may_not_make_is_recorded_when_it_tries(api: Api) -> None:
    api.join(MIKASA)
    # One token alone would come to the number beyond which refusals are only counted.
    users = {m: api.tenant(MIKASA, "member-user") for m in ("DELETE", "PATCH", "POST", "PUT")}
    for method, path in sorted(set(routes(api))):
        if method != "GET":
            before = len(refused(api))
            answer = send(users[method], method, path)
            new = refused(api)[before:]
            if answer.is_success or (method, path) in READS:
                assert new == [], (method, path)
                continue
            (entry,) = new
            action, subject = CHANGES[method, path]
            assert (entry["action"], entry["outcome"]) == (action, "permission-missing")
            assert entry["subject"].startswith(subject)
            assert (entry["role"], entry["tenant"]) == ("member-user", MIKASA)
            assert entry["fields"]["label"] == f"town {MIKASA}"
            assert entry["fields"]["request_id"] == answer.headers["x-request-id"]


def test_refusals_of_every_kind_are_recorded_with_their_reason(api: Api) -> None:
    api.join(MIKASA, "facility-booking")
    (server,) = api.get("/v1/servers").json()["items"]
    api.post("/v1/members", json={"code": MIKASA, "blueprints": ["facility-booking"]})
    api.post("/v1/members", json={"code": "not a code", "blueprints": []})
    api.post("/v1/hosts/kyoto-1/drain", headers={"If-Match": '"g999"'})
    api.post(f"/v1/servers/{server['id']}/migrate", json={"target": "nowhere"})
    api.post("/v1/servers/nobody/stop")
    api.put("/v1/pool", content=b"{", headers={"Content-Type": "application/json"})
    assert [(entry["action"], entry["fields"]["status"]) for entry in refused(api)] == [
        ("member.join", 409),
        ("member.join", 422),
        ("host.drain", 412),
        ("server.migrate", 422),
        ("server.stop", 404),
        ("pool.apply", 400),
    ]
    assert refused(api)[2]["outcome"] == "host-changed"
    assert refused(api)[4]["subject"] == "server:nobody"


def test_what_was_only_looked_at_or_rehearsed_is_no_refused_change(api: Api) -> None:
    api.get("/v1/hosts/nowhere")
    api.post("/v1/hosts/nowhere/drain?dry_run=true")
    api.post("/v1/explain", json={"region": "nowhere", "flavor": "m1.small"})
    api.post("/v1/nothing/here")
    api.request("PATCH", "/v1/pool")
    assert refused(api) == []


def test_a_route_that_knows_no_rehearsal_is_not_excused_by_the_word(api: Api) -> None:
    api.post("/v1/tokens?dry_run=true", json={"role": "member-admin", "label": "mine"})
    (entry,) = refused(api)
    assert (entry["action"], entry["outcome"]) == ("token.issue", "tenant-missing")


def test_what_a_stranger_tries_is_recorded_once_and_then_counted(api: Api) -> None:
    for number in range(30):
        headers = {"Authorization": "Bearer yui_aaaa_bbbb"} if number % 2 else {}
        assert api.client.put("/v1/pool", json=pool(), headers=headers).status_code == 401
    (entry,) = refused(api)
    assert (entry["principal"], entry["role"], entry["tenant"]) == ("stranger", None, None)
    assert (entry["action"], entry["subject"]) == ("token.check", "api")
    assert entry["outcome"] == "token-missing"
    assert "bbbb" not in str(api.get("/v1/audit?limit=1000").json())


def test_who_is_refused_without_end_fills_no_state(api: Api) -> None:
    api.join(UJI)
    town = api.tenant(UJI)
    for _ in range(130):
        problem_of(town.post("/v1/hosts/kyoto-1/drain"), 403, "permission-missing")
    assert len(refused(api)) == 100
    problem_of(api.post("/v1/hosts/nowhere/drain"), 404, "host-not-found")
    assert refused(api)[-1]["subject"] == "host:nowhere"


def test_whoever_was_counted_is_written_again_in_the_next_window_with_the_count() -> None:
    allowance = Allowance(2, Seconds(600))
    taken = [allowance.take("a", Seconds(float(at))) for at in (0, 1, 2, 3, 599, 600, 601, 602)]
    assert taken == [0, 0, None, None, None, 3, 0, None]
    assert allowance.take("b", Seconds(602.0)) == 0


@pytest.mark.parametrize("name", ["x" * 3000, "%EF%BF%BD", "<b>%20%22"])
def test_a_path_that_holds_anything_is_recorded_as_plain_text(api: Api, name: str) -> None:
    answer = api.post(f"/v1/hosts/{name}/drain")
    assert answer.status_code == 422
    (entry,) = refused(api)
    assert entry["subject"].startswith("host:")
    assert entry["subject"].isprintable()
    assert len(entry["subject"]) <= 85
