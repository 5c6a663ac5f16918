"""Security groups with their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import Input, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui import as_written
from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import Begun, ChangingKind, Inputs, gone, whole


class SecurityGroupKind(ChangingKind):
    inputs = ("name", "rules")

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> Begun:
        made = api.begin("POST", "/v1/security-groups", _body(wanted), dry_run=dry_run)
        return Begun("" if dry_run else str(made["id"]))

    def known_as(self, api: Connection, said: Inputs) -> str:
        return group_called(api, said["name"]) or str(said["name"])

    def change(
        self, api: Connection, id: str, before: Inputs, wanted: Inputs, *, dry_run: bool
    ) -> None:
        if before != wanted:
            path = f"/v1/security-groups/{segment(id)}"
            api.change("PUT", path, _body(wanted), dry_run=dry_run)

    def look(self, api: Connection, id: str, said: Inputs) -> Inputs | None:
        found = api.find(f"/v1/security-groups/{segment(id)}")
        if found is None:
            return None
        return {
            "name": found["name"],
            "rules": as_written.rules(said.get("rules", []), found["rules"]),
            "generation": found["generation"],
        }

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        gone(api, f"/v1/security-groups/{segment(id)}")


def group_called(api: Connection, name: str) -> str | None:
    """Its id."""
    found = api.all("/v1/security-groups")
    return next((str(each["id"]) for each in found if each["name"] == name), None)


def _body(wanted: Inputs) -> dict[str, Any]:
    return {"name": wanted["name"], "rules": whole(wanted.get("rules", []))}


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
