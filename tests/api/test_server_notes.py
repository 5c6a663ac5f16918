"""Members call their servers what they like, and write down what they are for."""

from __future__ import annotations

from typing import Any

from tests.api.capacity import may_have_much
from tests.api.conftest import MIKASA, UJI, Api, problem_of

SERVER = f"m{MIKASA}-library-database"


def described(town: Api, **body: Any) -> Any:
    return town.request("PATCH", f"/v1/servers/{SERVER}/notes", json=body)


def test_what_is_written_of_a_server_is_its_members_and_rehearsed_first(api: Api) -> None:
    api.join(MIKASA, "library")
    api.join(UJI, "library")
    town, other = api.tenant(MIKASA), api.tenant(UJI)
    path = f"/v1/servers/{SERVER}/notes"
    system = town.get(f"/v1/systems/m{MIKASA}-library").json()
    first = town.get(path).json()
    assert first["made_at"] == system["created_at"]
    assert (first["made_by"], first["labels"], first["tags"]) == (None, {}, [])

    wanted = {"description": "蔵書", "labels": {"窓口": "図書館"}, "tags": ["a"]}
    problem_of(described(town, **wanted), 422, "request-invalid")
    wanted["labels"] = {"desk": "図書館"}
    before = api.contents()
    plan = town.request("PATCH", f"{path}?dry_run=true", json=wanted).json()
    assert {d["path"].rpartition("/")[2] for d in plan["diff"]} == {"description", "labels", "tags"}
    assert api.contents() == before
    assert described(town, **wanted).status_code == 200
    assert described(town, tags=["b", "b"]).json()["tags"] == ["b"]
    assert described(town, description=None).json()["description"] is None
    found = town.get(path).json()
    assert (found["labels"], found["tags"]) == ({"desk": "図書館"}, ["b"])
    problem_of(described(town, labels={"a" * 256: "b"}), 422, "request-invalid")
    problem_of(described(town, labels={str(n): "b" for n in range(129)}), 422, "request-invalid")
    problem_of(other.get(path), 404, "server-not-found")
    entries = town.get("/v1/audit").json()["items"]
    done = [e for e in entries if (e["action"], e["outcome"]) == ("server.notes", "done")]
    assert {"labels", "tags", "description"} <= set(done[0]["fields"])


def test_a_name_is_a_members_own_once(api: Api) -> None:
    api.join(MIKASA, "library")
    may_have_much(api, MIKASA)
    town = api.tenant(MIKASA)
    renaming = f"/v1/servers/{SERVER}/rename"
    taken = {"name": f"m{MIKASA}-library-application"}
    problem_of(town.post(renaming, json=taken), 409, "server-name-taken")
    problem_of(town.post(renaming, json={"name": "Books!"}), 422, "request-invalid")
    plan = town.post(f"{renaming}?dry_run=true", json={"name": "books"}).json()
    assert [(d["from"], d["to"]) for d in plan["diff"]] == [(SERVER, "books")]
    id = town.get(f"/v1/servers/{SERVER}").json()["id"]
    assert town.post(renaming, json={"name": "books"}).json()["id"] == id
    assert town.get("/v1/servers/books").json()["id"] == id
    new = {"name": SERVER, "system": f"m{MIKASA}-library", "flavor": "m1.small", "image": "tiny"}
    more = {"site": "kyoto-dc", "labels": {"a": "b"}}
    elsewhere = town.post("/v1/servers", json={"servers": [new | more]})
    problem_of(elsewhere, 422, "site-not-found")
    group = town.post("/v1/security-groups", json={"name": "books", "rules": []}).json()["id"]
    more = {"site": "hokkaido-dc", "labels": {"a": "b"}, "security_groups": [group]}
    assert town.post("/v1/servers", json={"servers": [new | more]}).status_code == 202
    notes = town.get(f"/v1/servers/{SERVER}/notes").json()
    assert (notes["labels"], notes["sites"]) == ({"a": "b"}, ["hokkaido-dc"])
    groups = town.get(f"/v1/servers/{SERVER}/security-groups").json()
    assert group in str(groups)
