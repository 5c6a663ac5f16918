"""How a system is backed up, where that is not what its blueprint says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi import Input, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui import as_written
from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import Begun, ChangingKind, Inputs, gone, whole


class BackupPolicyKind(ChangingKind):
    inputs = ("system", "policy")
    fixed = frozenset({"system"})
    repeatable = True

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> Begun:
        system = str(wanted["system"])
        found = self.look(api, system, wanted)
        if found is not None and found["policy"] not in (None, wanted["policy"]):
            raise api.refused(
                f"{system} has a backup policy of its own already, and another one: another program or person gave it. Write the same, or take it away there first.",
                f"{system} には、別のプログラムか人が設定した、内容の異なるバックアップ方針がすでにあります。同じ内容を書くか、先にそちらで解除してください。",
            )
        api.change("PUT", _path(system), whole(wanted["policy"]), dry_run=dry_run)
        return Begun(system)

    def known_as(self, api: Connection, said: Inputs) -> str:
        del api
        return str(said["system"])

    def change(
        self, api: Connection, id: str, before: Inputs, wanted: Inputs, *, dry_run: bool
    ) -> None:
        if before.get("policy") != wanted["policy"]:
            api.change("PUT", _path(id), whole(wanted["policy"]), dry_run=dry_run)

    def look(self, api: Connection, id: str, said: Inputs) -> Inputs | None:
        found = api.find(_path(id))
        if found is None:
            return None
        # Where its blueprint's policy holds, it has none of its own.
        own = found["of"] == "system"
        policy = as_written.policy(said.get("policy", {}), found["policy"]) if own else None
        return {"system": found["system"], "policy": policy}

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
