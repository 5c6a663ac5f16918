"""How a system is backed up, where that is not what its blueprint says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi import Input, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import ChangingKind, Inputs, gone, whole


class BackupPolicyKind(ChangingKind):
    inputs = ("system", "policy")
    fixed = frozenset({"system"})

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> str:
        api.change("PUT", _path(wanted["system"]), whole(wanted["policy"]), dry_run=dry_run)
        return str(wanted["system"])

    def change(self, api: Connection, before: Inputs, wanted: Inputs, *, dry_run: bool) -> None:
        del before
        self.make(api, wanted, dry_run=dry_run)

    def look(self, api: Connection, id: str) -> Inputs | None:
        found = api.find(_path(id))
        return None if found is None else {}

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        gone(api, _path(id))


def _path(system: str) -> str:
    return f"/v1/systems/{segment(system)}/backup-policy"


class BackupPolicy(Resource, module="yui", name="BackupPolicy"):
    """`policy` as `PUT /v1/systems/{system}/backup-policy` takes it."""

    def __init__(
        self,
        name: str,
        *,
        system: Input[str],
        policy: Input[Mapping[str, Any]],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__(BackupPolicyKind(), name, {"system": system, "policy": policy}, opts)
