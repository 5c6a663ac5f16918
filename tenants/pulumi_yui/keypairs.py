"""Public keys with which people sign in to servers."""

from __future__ import annotations

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import Inputs, Kind, gone


class KeypairKind(Kind):
    inputs = ("name", "public_key")
    fixed = frozenset(inputs)

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> str:
        api.change("POST", "/v1/keypairs", wanted, dry_run=dry_run)
        return str(wanted["name"])

    def look(self, api: Connection, id: str) -> Inputs | None:
        found = api.find(f"/v1/keypairs/{segment(id)}")
        return None if found is None else {"fingerprint": found["fingerprint"]}

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        gone(api, f"/v1/keypairs/{segment(id)}")


class Keypair(Resource, module="yui", name="Keypair"):
    """An OpenSSH public key under the resource's name."""

    fingerprint: Output[str]

    def __init__(
        self, name: str, *, public_key: Input[str], opts: ResourceOptions | None = None
    ) -> None:
        said = {"name": name, "public_key": public_key, "fingerprint": None}
        super().__init__(KeypairKind(), name, said, opts)
