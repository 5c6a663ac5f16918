"""Public keys with which people sign in to servers."""

from __future__ import annotations

from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import Begun, Inputs, Kind, gone


class KeypairKind(Kind):
    """Found by its name, as earlier versions wrote it into states."""

    inputs = ("name", "public_key")
    fixed = frozenset(inputs)

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> Begun:
        api.begin("POST", "/v1/keypairs", wanted, dry_run=dry_run)
        return Begun(str(wanted["name"]))

    def look(self, api: Connection, id: str, said: Inputs) -> Inputs | None:
        found = _called(api, id)
        if found is None:
            return None
        key = said.get("public_key")
        same = key is not None and _key(key) == _key(found["public_key"])
        return {
            "name": found["name"],
            "public_key": key if same else found["public_key"],
            "fingerprint": found["fingerprint"],
        }

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        found = _called(api, id)
        if found is not None:
            gone(api, f"/v1/keypairs/{segment(found['id'])}")


def _called(api: Connection, name: str) -> dict[str, Any] | None:
    return next((each for each in api.all("/v1/keypairs") if each["name"] == name), None)


def _key(line: str) -> list[str]:
    """Without its comment."""
    return line.split()[:2]


class Keypair(Resource, module="yui", name="Keypair"):
    """An OpenSSH public key under the resource's name."""

    fingerprint: Output[str]

    def __init__(
        self, name: str, *, public_key: Input[str], opts: ResourceOptions | None = None
    ) -> None:
        said = {"name": name, "public_key": public_key, "fingerprint": None}
        super().__init__(KeypairKind(), name, said, opts)
