"""Servers of a member's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, Refused, segment
from tenants.pulumi_yui.provider import Begun, ChangingKind, Inputs, gone, subject, whole
from tenants.pulumi_yui.security_groups import group_called

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
    "site",
)
_DEFAULT = "default"
"""The security group of servers that are in no other."""


class ServerKind(ChangingKind):
    inputs = (*_AT_CREATION, "security_groups", "running")
    fixed = frozenset(_AT_CREATION) - {"name", "flavor", "protected"}

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> Begun:
        asked = {key: wanted[key] for key in _AT_CREATION if key in wanted}
        if wanted.get("security_groups"):
            asked["security_groups"] = _ids(api, wanted["security_groups"])
        body = whole({"servers": [asked]})
        answer = api.begin("POST", "/v1/servers", body, dry_run=dry_run)
        return Begun("" if dry_run else subject(answer), answer)

    def finish(self, api: Connection, id: str, wanted: Inputs) -> None:
        if wanted.get("running") is False:
            api.change("POST", f"{_path(id)}/stop")

    def known_as(self, api: Connection, said: Inputs) -> str:
        del api
        return str(said["name"])

    def change(
        self, api: Connection, id: str, before: Inputs, wanted: Inputs, *, dry_run: bool
    ) -> None:
        def differs(key: str) -> bool:
            return before.get(key) != wanted.get(key)

        def ask(method: str, what: str, body: dict[str, Any] | None = None) -> None:
            api.change(method, _path(id) + what, body, dry_run=dry_run)

        if differs("name"):
            ask("POST", "/rename", {"name": wanted["name"]})
        if differs("protected"):
            ask("PATCH", "", {"protected": bool(wanted.get("protected", False))})
        if differs("security_groups"):
            groups = _ids(api, wanted.get("security_groups") or [_DEFAULT])
            ask("PUT", "/security-groups", {"groups": groups})
        if differs("flavor"):
            ask("POST", "/resize", {"flavor": wanted["flavor"]})
        runs = bool(wanted.get("running", True))
        if bool(before.get("running", True)) != runs:
            shelved = runs and api.get(_path(id))["power"] == "shelved"
            ask("POST", "/unshelve" if shelved else "/start" if runs else "/stop")

    def look(self, api: Connection, id: str, said: Inputs) -> Inputs | None:
        found = api.find(_path(id))
        if found is None or found["status"] == "deleting":
            return None
        shown = ("system", "role", "start_order")
        return {
            **{key: found[key] if key in said else None for key in shown},
            "name": found["name"],
            "flavor": found["flavor"],
            "image": found["image"],
            "anti_affinity": _apart(said.get("anti_affinity"), found),
            "keypair": _keypair(api, said.get("keypair"), found["keypair"]),
            "protected": found["protected"],
            "site": _site(api, id, said.get("site")),
            "running": found["power"] == "running",
            **_groups(api, found["id"], said.get("security_groups")),
            "address": found["address"],
            "mac": found["mac"],
            "status": found["status"],
        }

    def rehearse_anew(self, api: Connection, before: Inputs, wanted: Inputs) -> None:
        if before.get("protected"):
            api.begin("DELETE", _path(before["name"]), dry_run=True)
        super().rehearse_anew(api, before, wanted)

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        gone(api, _path(id))

    def take_back(self, api: Connection, id: str, wanted: Inputs) -> None:
        if wanted.get("protected") and api.find(_path(id)) is not None:
            api.change("PATCH", _path(id), {"protected": False})
        self.remove(api, id, wanted)


def _path(id: str) -> str:
    return f"/v1/servers/{segment(id)}"


def _ids(api: Connection, groups: Sequence[str]) -> list[str]:
    """The API takes ids alone."""
    if _DEFAULT not in groups:
        return list(groups)
    default = group_called(api, _DEFAULT) or _DEFAULT
    return [default if each == _DEFAULT else each for each in groups]


def _groups(api: Connection, id: str, said: Sequence[str] | None) -> Inputs:
    """A program that names none has the server in the default one. Nothing is known of them to a token that
    may not look."""
    try:
        found = api.get(f"{_path(id)}/security-groups")["groups"]
    except Refused as refused:
        if said is None and refused.status == 403:
            return {}
        raise
    wanted = _ids(api, said or [_DEFAULT])
    same = set(wanted) == set(found) or (not found and not said)
    return {"security_groups": said if same else sorted(found)}


def _apart(said: str | None, found: Inputs) -> str | None:
    """The API puts the system before the word."""
    group = found["server_group"]
    if said is None or group is None:
        return None
    return said if group == f"{found['system']}-{said}" else str(group)


def _site(api: Connection, id: str, said: str | None) -> str | None:
    if said is None:
        return None
    sites: list[str] = api.get(f"{_path(id)}/notes")["sites"]
    return said if said in sites else next(iter(sites), None)


def _keypair(api: Connection, said: str | None, name: str | None) -> str | None:
    """A program may have written its id. What was removed since stays as it was written: the server keeps the
    key."""
    if said is None or name is None or said == name:
        return said and name
    found = api.find(f"/v1/keypairs/{segment(said)}")
    return said if found is None or found["name"] == name else name


class Server(Resource, module="yui", name="Server"):
    """A server called as the resource is. `security_groups` are ids of them, or `default`, which is also what it
    is in without any; `user_data` is for cloud-init, and is sealed in the stack's state. Without `site` it is at
    any of its region's, also when it is replaced."""

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
        site: Input[str] | None = None,
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
                "site": site,
                "address": None,
                "mac": None,
                "status": None,
            },
            ResourceOptions.merge(opts, ResourceOptions(additional_secret_outputs=["user_data"])),
        )
