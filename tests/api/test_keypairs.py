"""Members keep public keys, and the servers that they make are opened by them."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

from control_plane.model.ids import ServerId
from tests.api.conftest import UJI, Api, problem_of
from tests.api.town import Town

ED25519 = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl alice@laptop"
)
"""The example key of `ssh-keygen`'s own tests of Ed25519."""
FINGERPRINT = "65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd"


def line_of(public: Any) -> str:
    return str(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


@pytest.fixture
def town(api: Api) -> Town:
    return Town(api)


def test_a_key_that_was_added_opens_the_server_that_is_made_with_it(town: Town) -> None:
    body = {"name": "Alice @ home", "public_key": f"{ED25519}\n"}
    added = town.api.post("/v1/keypairs", json=body)
    assert added.status_code == 201, added.text
    key = added.json()
    assert (key["fingerprint"], key["public_key"]) == (FINGERPRINT, ED25519)
    assert key["private_key"] is None
    server = town.made(keypair=key["name"])
    assert server["keypair"] == key["name"]
    assert town.api.get("/v1/servers?name=web").json()["items"][0]["keypair"] == key["name"]
    with town.operator.store.read() as tx:
        host = tx.host(tx.server(ServerId(server["id"])).placement.host)  # type: ignore[union-attr]
    machine = town.operator.world.machine(host)
    assert machine.definitions[ServerId(server["id"])].public_keys == (ED25519,)
    assert town.delete(f"/v1/keypairs/{key['id']}").status_code == 200
    assert town.show("web")["keypair"] == key["name"], "the server keeps it"
    problem_of(town.create(town.ask(name="x", keypair=key["name"])), 422, "keypair-not-found")
    assert town.ended(town.delete("/v1/servers/web"))["state"] == "done"


def test_a_key_that_is_made_here_is_told_once_and_kept_nowhere(town: Town) -> None:
    headers = {"Idempotency-Key": "make-me-one-key"}
    made = town.api.post("/v1/keypairs", json={"name": "made"}, headers=headers).json()
    private = load_ssh_private_key(made["private_key"].encode(), None)
    assert made["public_key"].startswith(line_of(private.public_key()))
    again = town.api.post("/v1/keypairs", json={"name": "made"}, headers=headers)
    problem_of(again, 409, "private-key-shown-once")
    shown = town.api.get(f"/v1/keypairs/{made['id']}").json()
    assert shown == {k: v for k, v in made.items() if k != "private_key"}
    secret = made["private_key"].splitlines()[1].encode()
    file = town.operator.store.file
    assert file is not None
    for each in (file, file.with_name(file.name + "-wal")):
        assert not each.exists() or secret not in each.read_bytes()


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("hello", "public-key-unreadable"),
        ("ssh-ed25519 AAAA", "public-key-unreadable"),
        (f"{ED25519}\n{ED25519}", "public-key-unreadable"),
        (f'command="reboot" {ED25519}', "public-key-unreadable"),
        (f"{ED25519}\x1b[2J", "public-key-unreadable"),
        (f"{ED25519}\u202e", "public-key-unreadable"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "public-key-unsupported"),
        (line_of(rsa.generate_private_key(65537, 1024).public_key()), "public-key-too-short"),  # noqa: S505
        ("ssh-dss AAAAB3NzaC1kc3MAAAA=", "public-key-unsupported"),
        ("x" * 5000, "request-invalid"),
    ],
)
def test_what_is_no_key_to_trust_is_refused(api: Api, text: str, type: str) -> None:
    api.join("012220")
    town = api.tenant("012220")
    problem_of(town.post("/v1/keypairs", json={"name": "a", "public_key": text}), 422, type)


def test_names_are_each_members_own(api: Api) -> None:
    api.join("012220")
    api.join(UJI)
    own, other = api.tenant("012220"), api.tenant(UJI)
    curve = line_of(ec.generate_private_key(ec.SECP256R1()).public_key())
    body = {"name": "shared", "public_key": curve}
    assert own.post("/v1/keypairs", json=body).status_code == 201
    problem_of(own.post("/v1/keypairs", json=body), 409, "keypair-exists")
    theirs = other.post("/v1/keypairs", json=body).json()
    problem_of(own.get(f"/v1/keypairs/{theirs['id']}"), 404, "keypair-not-found")
    assert len(own.get("/v1/keypairs").json()["items"]) == 1
    assert len(api.get("/v1/keypairs").json()["items"]) == 2
    before = api.contents()
    plan = own.post("/v1/keypairs?dry_run=true", json={"name": "b", "public_key": curve}).json()
    assert plan["diff"][0]["path"] == "/keypairs/b"
    assert api.contents() == before
