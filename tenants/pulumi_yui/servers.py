"""Servers of a member's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import ChangingKind, Inputs, gone, whole

_AT_CREATION = (
    "name",
    "system",
    "flavor",
    "image",
    "role",
    "start_order",
    "anti_affinity",
    "user_data",
    "keypair",
    "protected",
)


class ServerKind(ChangingKind):
    inputs = (*_AT_CREATION, "security_groups", "running")
    fixed = frozenset(_AT_CREATION) - {"flavor", "protected"}

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> str:
        asked = {key: wanted[key] for key in _AT_CREATION if key in wanted}
        api.change("POST", "/v1/servers", whole({"servers": [asked]}), dry_run=dry_run)
        if dry_run:
            return ""
        path = f"/v1/servers/{segment(wanted['name'])}"
        id = str(api.get(path)["id"])
        if "security_groups" in wanted:
            api.change("PUT", f"{path}/security-groups", {"groups": wanted["security_groups"]})
        if wanted.get("running") is False:
            api.change("POST", f"{path}/stop")
        return id

    def change(self, api: Connection, before: Inputs, wanted: Inputs, *, dry_run: bool) -> None:
        path = f"/v1/servers/{segment(wanted['name'])}"

        def differs(key: str) -> bool:
            return before.get(key) != wanted.get(key)

        def ask(method: str, what: str, body: dict[str, Any] | None = None) -> None:
            api.change(method, path + what, body, dry_run=dry_run)

        if differs("protected"):
            ask("PATCH", "", {"protected": bool(wanted.get("protected", False))})
        if differs("security_groups"):
            if not wanted.get("security_groups"):
                raise api.refused(
                    "security_groups: a server has one at least; name 'default' for the usual.",
                    "security_groups:サーバーには1つ以上必要です。標準のものは 'default' と指定します。",
                )
            ask("PUT", "/security-groups", {"groups": wanted["security_groups"]})
        if differs("flavor"):
            ask("POST", "/resize", {"flavor": wanted["flavor"]})
        if bool(before.get("running", True)) != bool(wanted.get("running", True)):
            ask("POST", "/start" if wanted.get("running", True) else "/stop")

    def look(self, api: Connection, id: str) -> Inputs | None:
        found = api.find(f"/v1/servers/{segment(id)}")
        if found is None or found["status"] == "deleting":
            return None
        return {
            "flavor": found["flavor"],
            "image": found["image"],
            "protected": found["protected"],
            "running": found["power"] == "running",
            "address": found["address"],
            "mac": found["mac"],
            "status": found["status"],
        }

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        gone(api, f"/v1/servers/{segment(id)}")


class Server(Resource, module="yui", name="Server"):
    """A server called as the resource is. `security_groups` are ids of them; `user_data` is for cloud-init, and
    is sealed in the stack's state."""

    address: Output[str]
    mac: Output[str]
    status: Output[str]

    def __init__(
        self,
        name: str,
        *,
        system: Input[str],
        flavor: Input[str],
        image: Input[str],
        role: Input[str] | None = None,
        start_order: Input[int] | None = None,
        anti_affinity: Input[str] | None = None,
        user_data: Input[str] | None = None,
        keypair: Input[str] | None = None,
        protected: Input[bool] = False,
        running: Input[bool] = True,
        security_groups: Input[Sequence[Input[str]]] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            ServerKind(),
            name,
            {
                "name": name,
                "system": system,
                "flavor": flavor,
                "image": image,
                "role": role,
                "start_order": start_order,
                "anti_affinity": anti_affinity,
                "user_data": None if user_data is None else Output.secret(user_data),
                "keypair": keypair,
                "protected": protected,
                "running": running,
                "security_groups": security_groups,
                "address": None,
                "mac": None,
                "status": None,
            },
            ResourceOptions.merge(opts, ResourceOptions(additional_secret_outputs=["user_data"])),
        )
