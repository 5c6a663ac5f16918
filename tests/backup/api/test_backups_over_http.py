"""Backups as operators and members ask for them and see them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backup.records.restores import finish_key_task, record_test
from backup.records.runs import begin_copy, finish_copy, progress_copy
from control_plane.model.backup.ids import (
    KeyTaskId,
    RecoveryPointId,
    RepositoryId,
    RestoreTestId,
)
from control_plane.model.backup.upkeep import Upkeep, UpkeepWork
from control_plane.model.backup.work import RestoreTest, Trouble
from control_plane.model.ids import SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Power, Seen
from tests.api.backups import AFAR, NIGHTLY, point_of
from tests.api.conftest import MIKASA, NOW, UJI, Api, problem_of

MINE = f"m{MIKASA}-resident-records"
THEIRS = f"m{UJI}-resident-records"


def with_points(api: Api) -> None:
    with api.store.write() as tx:
        point_of(tx, tx.system(SystemId(MINE)))
        point_of(tx, tx.system(SystemId(THEIRS)), "rp-uji")


def policy(**changes: Any) -> dict[str, Any]:
    return {**NIGHTLY, **changes}


def test_a_system_is_backed_up_as_its_blueprint_says_until_a_member_says_otherwise(
    towns: Api,
) -> None:
    town = towns.tenant(MIKASA)
    path = f"/v1/systems/{MINE}/backup-policy"
    found = town.get(path).json()
    assert (found["of"], found["policy"]["rpo_hours"]) == ("blueprint", 1)
    assert found["repositories"] == {"on-site": "hill", "other-region": "afar"}
    assert [each["type"] for each in found["refusals"]] == ["no-repository-for-place"]
    before = towns.contents()
    rehearsed = town.put(path + "?dry_run=true", json=policy()).json()
    assert rehearsed["dry_run"] is True
    changes = {
        each["path"].removeprefix(path.removeprefix("/v1") + "/"): each
        for each in rehearsed["diff"]
    }
    assert (changes["rpo_hours"]["from"], changes["rpo_hours"]["to"]) == (1, 24)
    assert changes["copies/hour"]["op"] == "remove"
    assert changes["copies/day 23:30/generations"]["to"] == 5
    assert towns.contents() == before
    kept = town.put(path, json=policy()).json()
    assert (kept["of"], kept["set_by"], kept["refusals"]) == ("system", f"town {MIKASA}", [])
    assert kept["next_at"] is not None

    alone = policy(copies=[{**NIGHTLY["copies"][0], "places": ["on-site"]}])
    problem = problem_of(town.put(path, json=alone), 422, "copies-share-hazard")
    assert "hokkaido-dc" in problem["detail"]
    timeless = policy(copies=[{"every": "day", "generations": 5, "places": ["on-site"]}])
    problem_of(town.put(path, json=timeless), 422, "backup-policy-invalid")
    elsewhere = policy(regions=["nowhere"])
    problem_of(town.put(path, json=elsewhere), 422, "region-not-found")
    problem_of(towns.tenant(UJI).put(path, json=policy()), 404, "system-not-found")
    trail = town.get("/v1/audit?limit=100").json()["items"]
    (entry,) = (e for e in trail if (e["action"], e["outcome"]) == ("backup-policy.set", "done"))
    assert entry["fields"]["policy"]["rpo_hours"] == 24
    assert town.request("DELETE", path).json()["of"] == "blueprint"


def test_a_members_rule_keeps_its_copies_where_its_ordinance_says(towns: Api) -> None:
    town = towns.tenant(MIKASA)
    path = f"/v1/members/{MIKASA}/location-rule"
    law = {
        "prefectures": ["北海道"],
        "basis": "個人情報保護条例 第12条",
        "decided_on": "2026-03-01",
    }
    warned = town.put(path + "?dry_run=true", json=law).json()["warnings"]
    assert any("個人情報保護条例 第12条" in each["en"] for each in warned)
    assert town.put(path, json=law).json()["recorded_by"] == f"town {MIKASA}"
    refused = town.put(f"/v1/systems/{MINE}/backup-policy", json=policy())
    problem_of(refused, 422, "place-forbidden")
    problem_of(town.put(path, json={**law, "prefectures": []}), 422, "location-rule-empty")
    problem_of(towns.tenant(UJI).get(path), 404, "tenant-not-found")
    assert town.request("DELETE", path).json()["basis"] is None
    assert town.put(f"/v1/systems/{MINE}/backup-policy", json=policy()).status_code == 200


def test_a_point_is_asked_for_seen_by_size_and_restored(towns: Api) -> None:
    town, other = towns.tenant(MIKASA), towns.tenant(UJI)
    asked = town.post(f"/v1/systems/{MINE}/backups", json={"keep_days": 7})
    assert (asked.status_code, asked.json()["kind"]) == (202, "backup.now")
    again = town.post(f"/v1/systems/{MINE}/backups", json={"keep_days": 7})
    assert again.json()["id"] == asked.json()["id"], "it waits already"
    with_points(towns)
    (listed,) = town.get("/v1/recovery-points").json()["items"]
    assert listed["bytes"] == 2 * 2**33
    assert {c["repository"]: (c["place"], c["state"]) for c in listed["copies"]} == {
        "hill": ("on-site", "held"),
        "afar": ("other-region", "held"),
    }
    assert len(towns.get("/v1/recovery-points").json()["items"]) == 2
    shown = town.get("/v1/recovery-points/rp-mikasa").json()
    assert "newest" in {each["why"] for each in shown["kept"]}
    problem_of(other.get("/v1/recovery-points/rp-mikasa"), 404, "recovery-point-not-found")

    path = "/v1/recovery-points/rp-mikasa/restore"
    problem_of(town.post(path, json={"to": "in-place"}), 409, "server-running")
    problem_of(town.post(path, json={"to": "region"}), 422, "restore-invalid")
    problem_of(town.post(path, json={"to": "file", "disks": ["vol-9"]}), 422, "restore-invalid")
    problem_of(other.post(path, json={"to": "new"}), 404, "recovery-point-not-found")
    before = towns.contents()
    now = {"to": "new", "at_once": True}
    (warning,) = town.post(path + "?dry_run=true", json=now).json()["warnings"]
    assert "stand still while the repository can't be read" in warning["en"]
    assert "一時停止" in warning["ja"]
    for strange in ({"to": "file", "at_once": True}, {**now, "start": False}):
        problem_of(town.post(path, json=strange), 422, "restore-invalid")
    planned = town.post(path + "?dry_run=true", json={"to": "region", "region": "kyoto"}).json()
    assert planned["diff"][0]["to"]["to"] == "region"
    assert towns.contents() == before
    begun = town.post(path, json={"to": "file", "format": "raw"})
    assert begun.status_code == 202, begun.text
    (job,) = town.get("/v1/restores").json()["items"]
    assert (job["state"], job["operation"]) == ("waiting", begun.json()["id"])
    assert other.get("/v1/restores").json()["items"] == []
    assert town.post(f"/v1/restores/{job['id']}/cancel").json()["state"] == "cancelled"
    problem_of(town.post(f"/v1/restores/{job['id']}/cancel"), 409, "restore-begun")
    operation = town.get(f"/v1/operations/{begun.json()['id']}").json()
    assert operation["state"] == "failed"

    for server in town.get("/v1/servers").json()["items"]:
        towns.see(server["id"], Seen.STOPPED)
        with towns.store.write() as tx:
            found = tx.server(server["id"])
            tx.save_server(replace(found, power=Power.STOPPED))
    assert town.post(path, json={"to": "in-place"}).status_code == 202


def test_what_is_wrong_shows_in_the_status_and_the_metrics(towns: Api) -> None:
    with_points(towns)
    town = towns.tenant(MIKASA)
    (mine,) = town.get("/v1/backup-status").json()["items"]
    assert (mine["lag_hours"], mine["rpo_hours"], mine["proven_at"]) == (24.0, 1, None)
    missing, breach = mine["breaches"]
    assert (missing["what"], missing["place"]) == ("no-repository", "off-site")
    assert breach["what"] == "objective-missed"
    assert breach["en"].endswith("older than its objective for 23 h")
    assert mine["newest_away_at"] == mine["newest_at"]
    assert len(towns.get("/v1/backup-status").json()["items"]) == 2
    assert len(towns.get(f"/v1/backup-status?system={MINE}").json()["items"]) == 1
    told = towns.get("/metrics").text
    assert f'yui_backup_lag_seconds{{system="{MINE}",tenant="{MIKASA}"}}' in told
    assert "yui_backup_proof_age_seconds{" not in told
    assert 'yui_backup_shortfalls{what="objective-missed"} 2.0' in told


def test_how_long_ago_a_restore_was_proven_shows_for_each_system(towns: Api) -> None:
    with_points(towns)
    with towns.store.write() as tx:
        began = NOW - timedelta(hours=12, minutes=5)
        point, system = RecoveryPointId("rp-mikasa"), SystemId(MINE)
        ended = NOW - timedelta(hours=12)
        ids = RestoreTestId("rt-1"), tx.system(system).tenant, system, point
        record_test(tx, RestoreTest(*ids, AFAR, began, ended, None))
    status = {one["system"]: one for one in towns.get("/v1/backup-status").json()["items"]}
    assert status[MINE]["proven_at"] == "2026-03-31T12:00:00Z"
    assert status[MINE]["proof_age_days"] == 0.5
    assert (status[THEIRS]["proven_at"], status[THEIRS]["proof_age_days"]) == (None, None)
    told = towns.get("/metrics").text
    age = f'yui_backup_proof_age_seconds{{system="{MINE}",tenant="{MIKASA}"}} 43200.0'
    assert [line for line in told.splitlines() if "proof_age_seconds{" in line] == [age]


def test_what_is_not_done_in_a_repository_shows_to_those_who_look_after_it(towns: Api) -> None:
    member = MunicipalityCode(MIKASA)
    collecting = Upkeep(AFAR, member, UpkeepWork.COLLECTING).done(NOW - timedelta(days=3))
    why = Trouble("It is full.", "空き容量がありません。")
    with towns.store.write() as tx:
        tx.put_upkeep(collecting.failed(NOW - timedelta(hours=2), why))
        tx.put_upkeep(replace(collecting, repository=RepositoryId("gone")))
    (told,) = [
        one
        for one in towns.get("/v1/repository-upkeep").json()["items"]
        if one["repository"] == AFAR
    ]
    assert (told["tenant"], told["work"]) == (MIKASA, "collecting")
    assert (told["trouble_en"], told["trouble_ja"]) == (why.en, why.ja)
    assert told["failing_since"] == "2026-03-31T22:00:00Z"
    assert towns.tenant(MIKASA).get("/v1/repository-upkeep").json()["items"] == []
    shown = towns.get("/metrics").text
    of = f'repository="{AFAR}",tenant="{MIKASA}"'
    assert f"yui_backup_collection_age_seconds{{{of}}} 259200.0" in shown
    assert f'yui_backup_upkeep_failing_seconds{{{of},work="collecting"}} 7200.0' in shown
    assert 'repository="gone"' not in shown


def foretold(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = (
        api.tenant(MIKASA).get(f"/v1/systems/{MINE}/backup-forecast?repository=afar").json()
    )
    return found


def put_point(api: Api, id: str, hours_ago: int, stored: int, *held: str) -> None:
    with api.store.write() as tx:
        point = point_of(tx, tx.system(SystemId(MINE)), id, NOW - timedelta(hours=hours_ago))
        copies = tuple(each for each in point.copies if each.repository in held)
        tx.save_recovery_point(replace(point, stored_bytes=stored, copies=copies))


def test_how_long_a_copy_takes_is_told_of_what_is_left_of_it(towns: Api) -> None:
    before = foretold(towns)
    assert (before["link"], before["first"], before["at_most"]) == ("north", True, True)
    assert before["en"] == "the afar's first copy (at most 21.5 GB) takes at most 0.5 h."
    put_point(towns, "rp-1", 30, 9 * 10**9, "hill")
    told = foretold(towns)
    assert (told["bytes"], told["hours"], told["at_most"]) == (9 * 10**9, 0.2, False)
    assert told["en"] == "the afar's 9.0 GB first copy takes 0.2 h."
    assert told["ja"] == "the afarへの最初のコピー(9.0 GB)には 0.2 時間かかります。"
    with towns.store.write() as tx:
        begin_copy(tx, RecoveryPointId("rp-1"), AFAR, NOW, 9 * 10**9)
        progress_copy(tx, RecoveryPointId("rp-1"), AFAR, 6 * 10**9)
    told = foretold(towns)
    assert (told["bytes"], told["first"]) == (3 * 10**9, False)
    with towns.store.write() as tx:
        finish_copy(tx, RecoveryPointId("rp-1"), AFAR, NOW, 9 * 10**9)
    assert foretold(towns)["ja"] == "the afarへのコピーはすべて終わっています。"
    put_point(towns, "rp-2", 1, 45 * 10**8, "hill")
    told = foretold(towns)
    assert (told["bytes"], told["hours"], told["first"]) == (45 * 10**8, 0.1, False)
    assert told["en"] == "What is left to copy to the afar (4.5 GB) takes 0.1 h."
    assert towns.request("DELETE", "/v1/region-links/north").status_code < 300
    told = foretold(towns)
    assert (told["bytes"], told["hours"], told["arrives_at"]) == (45 * 10**8, None, None)
    assert "is not known: set it with `yui link set`" in told["en"]
    assert "分かりません" in told["ja"]


def test_a_copy_is_foretold_behind_its_members_earlier_tiers(towns: Api) -> None:
    put_point(towns, "rp-1", 1, 45 * 10**9, "hill")
    alone = foretold(towns)["hours"]
    with towns.store.write() as tx:
        first = tx.system(SystemId(MINE))
        other = replace(first, id=SystemId(f"m{MIKASA}-library"), tier=3)
        tx.add_system(other)
        point = point_of(tx, other, "rp-later", NOW - timedelta(hours=1))
        copies = tuple(each for each in point.copies if each.repository == "hill")
        tx.save_recovery_point(replace(point, stored_bytes=45 * 10**9, copies=copies))
    assert foretold(towns)["hours"] == alone == 1.0
    path = f"/v1/systems/{other.id}/backup-forecast?repository=afar"
    assert towns.tenant(MIKASA).get(path).json()["hours"] == 2.0


def test_a_disaster_is_declared_for_all_or_for_some_and_revoked_once(towns: Api) -> None:
    body = {"around": "2026-03-31T00:00:00Z", "tenants": [UJI], "reason": "地震"}
    with_points(towns)
    rehearsed = towns.post("/v1/disasters?dry_run=true", json=body).json()
    assert rehearsed["diff"][0]["to"] == {"points_pinned_at_least": 1}
    declared = towns.post("/v1/disasters", json=body).json()
    assert towns.tenant(MIKASA).get("/v1/disasters").json()["items"] == []
    (seen,) = towns.tenant(UJI).get("/v1/disasters").json()["items"]
    assert (seen["tenants"], seen["declared_by"]) == ([UJI], None)
    point = towns.tenant(UJI).get("/v1/recovery-points/rp-uji").json()
    assert "pinned" in {each["why"] for each in point["kept"]}
    town = towns.tenant(UJI)
    ask = {"errand": "destroy", "reason": "We leave."}
    problem_of(town.post(f"/v1/members/{UJI}/backup-keys", json=ask), 409, "disaster-declared")
    problem_of(town.post("/v1/disasters", json=body), 403, "permission-missing")
    path = f"/v1/disasters/{declared['id']}/revoke"
    assert towns.post(path, json={"reason": "復旧"}).json()["revoked_at"] is not None
    problem_of(towns.post(path, json={"reason": "復旧"}), 409, "disaster-revoked")


def test_keys_are_exported_for_their_member_alone_and_destroyed_by_two(towns: Api) -> None:
    town, colleague = towns.tenant(MIKASA), towns.tenant(MIKASA)
    path = f"/v1/members/{MIKASA}/backup-keys"
    escrow = {"errand": "escrow", "reason": "For the safe.", "recipient": "A" * 43 + "="}
    problem_of(towns.post(path, json=escrow), 403, "members-own-keys")
    problem_of(town.post(path, json={**escrow, "recipient": None}), 422, "recipient-needed")
    task = town.post(path, json=escrow).json()
    assert task["state"] == "agreed"
    with towns.store.write() as tx:
        finish_key_task(tx, tx.key_task(KeyTaskId(task["id"])), NOW + timedelta(days=1), "c2VhbGVk")
    assert town.get(path).json()["items"][0]["result"] == "c2VhbGVk"
    assert towns.get(path).json()["items"][0]["result"] is None
    assert "c2VhbGVk" not in towns.get("/v1/audit?limit=1000").text

    destroy = town.post(path, json={"errand": "destroy", "reason": "We leave."}).json()
    assert destroy["state"] == "asked"
    agree = f"/v1/backup-keys/{destroy['id']}/agree"
    problem_of(town.post(agree), 403, "second-person-needed")
    problem_of(towns.post(agree), 403, "permission-missing")
    problem_of(towns.tenant(UJI).post(agree), 404, "key-task-not-found")
    agreed = colleague.post(agree).json()
    assert (agreed["state"], agreed["agreed_by"]) == ("agreed", f"town {MIKASA}")
    problem_of(colleague.post(agree), 409, "key-task-decided")


def test_a_repository_has_its_keys_wrapped_by_another(
    towns: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/v1/repositories/hill/rewrap"
    new = tmp_path / "new.key"
    new.write_text("22" * 32)
    old = towns.get("/v1/repositories/hill").json()["key_ref"]
    kind, _, name = old.partition(":")
    assert kind == "env"
    ask = {"key_ref": f"file:{new}", "reason": "漏えいの疑い"}
    problem_of(towns.post(path, json=ask), 422, "repository-key-unavailable")
    monkeypatch.setenv(name, "11" * 32)
    (tmp_path / "same.key").write_text("11" * 32)
    same = {**ask, "key_ref": f"file:{tmp_path}/same.key"}
    problem_of(towns.post(path, json=same), 409, "repository-key-same")
    problem_of(towns.tenant(MIKASA).post(path, json=ask), 403, "permission-missing")
    (change,) = towns.post(f"{path}?dry_run=true", json=ask).json()["diff"]
    assert {old, ask["key_ref"]} <= set(change.values())
    assert towns.get("/v1/repositories/hill").json()["former_key_ref"] is None
    begun = towns.post(path, json=ask)
    assert begun.status_code == 202, begun.text
    assert (begun.json()["key_ref"], begun.json()["former_key_ref"]) == (ask["key_ref"], old)
    problem_of(towns.post(path, json=ask), 409, "rewrap-under-way")
    (entry,) = [
        each
        for each in towns.get("/v1/audit?limit=1000").json()["items"]
        if each["action"] == "repository.rewrap" and each["outcome"] == "done"
    ]
    assert entry["fields"]["reason"] == ask["reason"]
    assert "22222222" not in towns.get("/v1/audit?limit=1000").text


def test_a_place_is_added_checked_retired_and_removed_when_empty(towns: Api) -> None:
    body = {
        "id": "valley",
        "name": "谷の書庫",
        "place": "s3://valley/yui?endpoint=https://rgw.example.jp",
        "key_ref": "file:/etc/yui/valley.key",
        "prefecture": "京都府",
        "region": "kyoto",
        "site": "kyoto-dc",
        "hazards": ["yodo-flood"],
        "lock_days": 30,
    }
    assert towns.post("/v1/repositories?dry_run=true", json=body).json()["diff"][0]["op"] == "add"
    made = towns.post("/v1/repositories", json=body)
    assert made.status_code == 201, made.text
    problem_of(towns.post("/v1/repositories", json=body), 409, "repository-exists")
    elsewhere = {**body, "id": "x", "region": "hokkaido"}
    problem_of(towns.post("/v1/repositories", json=elsewhere), 422, "site-elsewhere")
    checked = towns.post("/v1/repositories/valley/check").json()
    assert (checked["sound"], checked["trouble"]) == (True, None)
    seen = towns.tenant(MIKASA).get("/v1/repositories/valley").json()
    assert (seen["place"], seen["key_ref"], seen["prefecture"]) == (None, None, "京都府")
    problem_of(towns.tenant(MIKASA).post("/v1/repositories", json=body), 403, "permission-missing")
    assert towns.request("PATCH", "/v1/repositories/valley", json={"retired": True}).json()[
        "retired"
    ]
    with_points(towns)
    problem_of(towns.request("DELETE", "/v1/repositories/hill"), 409, "repository-in-use")
    assert towns.request("DELETE", "/v1/repositories/valley").status_code == 200
    own = {**body, "id": "own", "region": None, "site": None, "tenant": MIKASA}
    assert towns.post("/v1/repositories", json=own).status_code == 201
    problem_of(towns.tenant(UJI).get("/v1/repositories/own"), 404, "repository-not-found")
    assert towns.tenant(MIKASA).get("/v1/repositories/own").json()["place"] == body["place"]
    line = {
        "regions": ["kyoto", "hokkaido"],
        "mbit_per_s": 20,
        "begins": "20:00",
        "ends": "06:00",
        "other_mbit_per_s": 120,
    }
    assert towns.put("/v1/region-links/lgwan", json=line).json()["ends"] == "06:00"
    problem_of(
        towns.put("/v1/region-links/lgwan", json={**line, "ends": None}), 422, "link-invalid"
    )
    assert towns.request("DELETE", "/v1/region-links/lgwan").status_code == 200
