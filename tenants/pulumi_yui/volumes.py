"""Volumes, and the servers that they are at."""

from __future__ import annotations

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, Refused, segment
from tenants.pulumi_yui.provider import Begun, ChangingKind, Inputs, gone, subject, whole

_LETS_GO = frozenset({"server-deleting", "server-moving", "server-disks-busy"})
"""Why a server does not let go of a volume yet."""


class VolumeKind(ChangingKind):
    inputs = ("name", "size_gib", "server", "region", "snapshot", "protected")
    fixed = frozenset({"region", "snapshot"})

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> Begun:
        answer = api.begin("POST", "/v1/volumes", whole(wanted), dry_run=dry_run)
        return Begun("" if dry_run else subject(answer), answer)

    def known_as(self, api: Connection, said: Inputs) -> str:
        del api
        return str(said["name"])

    def change(
        self, api: Connection, id: str, before: Inputs, wanted: Inputs, *, dry_run: bool
    ) -> None:
        path = _path(id)
        size = wanted.get("size_gib")
        if size is not None and size != before.get("size_gib"):
            # A smaller one is refused. As a replacement it would take the data with it.
            api.change("POST", f"{path}/grow", whole({"size_gib": size}), dry_run=dry_run)
        words: Inputs = {}
        if before.get("name") != wanted["name"]:
            words["name"] = wanted["name"]
        if before.get("protected", False) != wanted.get("protected", False):
            words["protected"] = bool(wanted.get("protected", False))
        if words:
            api.change("PATCH", path, words, dry_run=dry_run)
        old, new = before.get("server"), wanted.get("server")
        if old != new:
            if old is not None:
                _detach(api, old, id, dry_run=dry_run)
            if new is not None and not (dry_run and old is not None):
                there = f"/v1/servers/{segment(new)}/volumes"
                api.change("POST", there, {"volume": id}, dry_run=dry_run)

    def look(self, api: Connection, id: str, said: Inputs) -> Inputs | None:
        found = api.find(_path(id))
        if found is None or found["status"] == "deleting":
            return None
        actual = found["server"] if found["status"] != "detaching" else None
        return {
            "name": found["name"],
            "size_gib": found["size_gib"] if "size_gib" in said else None,
            "server": _server(api, said.get("server"), actual),
            "region": found["region"] if "region" in said else None,
            "protected": found["protected"],
            "status": found["status"],
            "device": found["device"],
        }

    def rehearse_anew(self, api: Connection, before: Inputs, wanted: Inputs) -> None:
        if before.get("protected"):
            api.begin("DELETE", _path(before["name"]), dry_run=True)
        super().rehearse_anew(api, before, wanted)

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        server = known.get("server")
        found = api.find(_path(id))
        if server is not None and found is not None and not found["protected"]:
            # One that is protected stays where it is, too.
            _detach(api, server, id, dry_run=False)
        gone(api, _path(id))

    def take_back(self, api: Connection, id: str, wanted: Inputs) -> None:
        if wanted.get("protected") and api.find(_path(id)) is not None:
            api.change("PATCH", _path(id), {"protected": False})
        self.remove(api, id, wanted)


def _path(id: str) -> str:
    return f"/v1/volumes/{segment(id)}"


def _detach(api: Connection, server: str, id: str, *, dry_run: bool) -> None:
    """Where the server is gone, or has it no more, that is well: a server that is removed lets go of it."""
    path = f"/v1/servers/{segment(server)}/volumes/{segment(id)}"
    try:
        api.change("DELETE", path, dry_run=dry_run, passing=_LETS_GO)
    except Refused as refused:
        if refused.status != 404:
            raise


def _server(api: Connection, said: str | None, actual: str | None) -> str | None:
    """A program may have written its name."""
    if said is None or actual is None or said == actual:
        return actual
    found = api.find(f"/v1/servers/{segment(said)}")
    return said if found is not None and found["id"] == actual else actual


class Volume(Resource, module="yui", name="Volume"):
    """A volume called as the resource is, at `server` where one is named."""

    status: Output[str]
    device: Output[str]

    def __init__(
        self,
        name: str,
        *,
        size_gib: Input[int] | None = None,
        server: Input[str] | None = None,
        region: Input[str] | None = None,
        snapshot: Input[str] | None = None,
        protected: Input[bool] = False,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            VolumeKind(),
            name,
            {
                "name": name,
                "size_gib": size_gib,
                "server": server,
                "region": region,
                "snapshot": snapshot,
                "protected": protected,
                "status": None,
                "device": None,
            },
            opts,
        )
