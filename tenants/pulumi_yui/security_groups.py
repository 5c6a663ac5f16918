"""Security groups with their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import Input, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import ChangingKind, Inputs, gone, whole


class SecurityGroupKind(ChangingKind):
    inputs = ("name", "rules")
    fixed = frozenset({"name"})

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> str:
        made = api.change("POST", "/v1/security-groups", _body(wanted), dry_run=dry_run)
        return "" if dry_run else str(made["id"])

    def change(self, api: Connection, before: Inputs, wanted: Inputs, *, dry_run: bool) -> None:
        id = before.get("id") or _id_of(api, wanted["name"])
        api.change("PUT", f"/v1/security-groups/{segment(id)}", _body(wanted), dry_run=dry_run)

    def look(self, api: Connection, id: str) -> Inputs | None:
        found = api.find(f"/v1/security-groups/{segment(id)}")
        return None if found is None else {"generation": found["generation"]}

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        gone(api, f"/v1/security-groups/{segment(id)}")


def _body(wanted: Inputs) -> dict[str, Any]:
    return {"name": wanted["name"], "rules": whole(wanted.get("rules", []))}


def _id_of(api: Connection, name: str) -> str:
    found = api.get("/v1/security-groups?limit=1000")["items"]
    return next((str(each["id"]) for each in found if each["name"] == name), name)


class SecurityGroup(Resource, module="yui", name="SecurityGroup"):
    """`rules` as `/v1/security-groups` takes them: `direction`, and `protocol`, `ports`, `remote`,
    `remote_group` or `offices`."""

    def __init__(
        self,
        name: str,
        *,
        rules: Input[Sequence[Input[Mapping[str, Any]]]] = (),
        opts: ResourceOptions | None = None,
    ) -> None:
        given = list(rules) if isinstance(rules, tuple) else rules
        super().__init__(SecurityGroupKind(), name, {"name": name, "rules": given}, opts)
