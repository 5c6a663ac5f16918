"""Volumes, and the servers that they are at."""

from __future__ import annotations

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import ChangingKind, Inputs, gone, whole


class VolumeKind(ChangingKind):
    inputs = ("name", "size_gib", "server", "region", "snapshot", "protected")
    fixed = frozenset({"name", "region", "snapshot"})

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> str:
        api.change("POST", "/v1/volumes", whole(wanted), dry_run=dry_run)
        return "" if dry_run else str(api.get(f"/v1/volumes/{segment(wanted['name'])}")["id"])

    def change(self, api: Connection, before: Inputs, wanted: Inputs, *, dry_run: bool) -> None:
        path = f"/v1/volumes/{segment(wanted['name'])}"
        size = wanted.get("size_gib")
        if size is not None and size != before.get("size_gib"):
            # A smaller one is refused. As a replacement it would take the data with it.
            api.change("POST", f"{path}/grow", whole({"size_gib": size}), dry_run=dry_run)
        if before.get("protected") != wanted.get("protected"):
            body = {"protected": bool(wanted.get("protected", False))}
            api.change("PATCH", path, body, dry_run=dry_run)
        old, new = before.get("server"), wanted.get("server")
        if old != new:
            if old is not None:
                volume = f"/v1/servers/{segment(old)}/volumes/{segment(wanted['name'])}"
                api.change("DELETE", volume, dry_run=dry_run)
            if new is not None and not (dry_run and old is not None):
                there = f"/v1/servers/{segment(new)}/volumes"
                api.change("POST", there, {"volume": wanted["name"]}, dry_run=dry_run)

    def look(self, api: Connection, id: str) -> Inputs | None:
        found = api.find(f"/v1/volumes/{segment(id)}")
        if found is None or found["status"] == "deleting":
            return None
        return {
            "size_gib": found["size_gib"],
            "protected": found["protected"],
            "status": found["status"],
            "device": found["device"],
        }

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        server = known.get("server")
        if server is not None:
            gone(api, f"/v1/servers/{segment(server)}/volumes/{segment(id)}")
        gone(api, f"/v1/volumes/{segment(id)}")


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
