"""The audit trail over HTTP: operators and auditors read all of it, a member its own and no number of
anybody else's."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from control_plane.journal.audit_check import check
from control_plane.journal.audit_key import signing_key
from control_plane.journal.audit_signing import Signer
from tests.api.conftest import MIKASA, UJI, Api, problem_of


@pytest.fixture
def signing(api: Api, tmp_path: Any) -> Api:
    """Both towns have joined, and the trail is signed."""
    key = signing_key(api.store, tmp_path / "audit.key", api.world.clock.now())
    api.app.state.signer = Signer(api.store, api.world.clock, key)
    api.join(MIKASA, "facility-booking")
    api.join(UJI, "facility-booking")
    return api


def exported(api: Any, query: str = "") -> list[bytes]:
    answer = api.get(f"/v1/audit/export{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [line + b"\n" for line in answer.content.splitlines()]


def test_an_operator_exports_everything_and_it_is_whole(signing: Api) -> None:
    verdict = check(exported(signing))
    assert verdict.whole
    assert {"all", "consortium", f"member:{MIKASA}", f"member:{UJI}"} == set(verdict.chains)
    assert check(exported(signing, f"?chain=member:{MIKASA}")).whole


def test_a_members_numbers_are_its_own_and_nobody_elses_things_stand_in_them(signing: Api) -> None:
    town = signing.tenant(MIKASA)
    for _ in range(3):
        problem_of(town.post("/v1/servers/none/stop"), 404, "server-not-found")
        problem_of(signing.tenant(UJI).post("/v1/servers/none/stop"), 404, "server-not-found")
    page = town.get("/v1/audit?limit=2").json()
    items = page["items"] + town.get(f"/v1/audit?after={page['next']}").json()["items"]
    assert [item["sequence"] for item in items] == list(range(1, len(items) + 1))
    assert [item["position"] for item in items] == [item["sequence"] for item in items]
    assert {item["chain"] for item in items} == {f"member:{MIKASA}"}
    newest = town.get("/v1/audit?newest=true&limit=1").json()
    assert newest["next"] == len(items)
    lines = exported(town)
    assert check(lines).whole
    for text in (b"".join(lines).decode(), town.get("/v1/audit/heads").text, json.dumps(items)):
        assert UJI not in text
        assert "consortium" not in text
        assert "kyoto-1" not in text


@pytest.mark.parametrize("path", ["", "/export", "/heads"])
@pytest.mark.parametrize("chain", [f"member:{UJI}", "member:999999", "consortium", "all"])
def test_another_members_chain_is_none_for_a_member(signing: Api, path: str, chain: str) -> None:
    answer = signing.tenant(MIKASA).get(f"/v1/audit{path}?chain={chain}")
    problem_of(answer, 404, "audit-chain-not-found")


def test_heads_are_those_of_the_newest_entries_and_name_their_key(signing: Api) -> None:
    exported(signing)
    heads = signing.get("/v1/audit/heads").json()
    assert heads["signing"] is True
    last = signing.get("/v1/audit?newest=true&limit=1").json()["items"][0]
    (over_all,) = (head for head in heads["items"] if head["chain"] == "all")
    assert over_all["position"] == last["sequence"]
    assert {head["key"] for head in heads["items"]} == {heads["keys"][0]["public"]}
    (own,) = signing.tenant(MIKASA).get("/v1/audit/heads").json()["items"]
    assert own["chain"] == f"member:{MIKASA}"


def test_a_part_is_chosen_by_time(signing: Api) -> None:
    whole = [json.loads(line) for line in exported(signing)]
    times = [line["entry"]["at"] for line in whole if line["type"] == "entry"]
    lines = exported(signing, f"?from={times[0]}&to={times[-1]}")
    assert check(lines).whole
    assert check(lines).entries >= len(times)
    nothing = check(exported(signing, "?from=2100-01-01T00:00:00Z"))
    assert (nothing.whole, nothing.entries) == (True, 0)
    problem_of(signing.get("/v1/audit/export?from=yesterday"), 422, "request-invalid")
    beyond = signing.get("/v1/audit/export?from=0001-01-01T00:00:00%2B14:00")
    problem_of(beyond, 422, "time-out-of-range")


@pytest.mark.parametrize(
    "spoil",
    [
        "at='?', fields='{', hardware='7', role='king'",
        "fields='[1e999]', hardware='{\"x\": 1e999}'",
        "subject=x'ff00', hash=x'00', link=7",
        "position='first'",
        "fields='9007199254740993', tenant='??'",
    ],
)
def test_an_entry_that_somebody_spoiled_is_shown_and_not_stumbled_over(
    signing: Api, spoil: str
) -> None:
    signing.get("/v1/audit/export?chain=consortium")
    with signing.store.read() as tx:
        last = tx.audit_end("consortium").position
    with sqlite3.connect(signing.store.file or "") as state:
        changed = f"UPDATE audit_entries SET {spoil} WHERE chain='consortium' AND position={last}"  # noqa: S608
        assert state.execute(changed).rowcount == 1
    state.close()
    answer = signing.get("/v1/audit?chain=consortium")
    assert answer.status_code == 200, answer.text
    assert not check(exported(signing)).whole
    signing.app.state.signer.sign(tell=True)
    problem_of(signing.post("/v1/hosts/none/drain"), 404, "host-not-found")
    assert not check(exported(signing)).whole
