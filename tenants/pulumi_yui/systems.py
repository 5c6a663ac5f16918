"""Systems: from the catalogue of blueprints, or a member's own."""

from __future__ import annotations

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import Begun, Inputs, Kind, gone, subject, whole


class SystemKind(Kind):
    inputs = ("blueprint", "name", "zone", "tier", "region")
    fixed = frozenset(inputs)

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> Begun:
        answer = api.begin("POST", "/v1/systems", whole(wanted), dry_run=dry_run)
        return Begun("" if dry_run else subject(answer), answer)

    def look(self, api: Connection, id: str, said: Inputs) -> Inputs | None:
        found = api.find(f"/v1/systems/{segment(id)}")
        if found is None:
            return None
        actual = {**found, "name": found["name_en"]}
        return {
            **{key: actual[key] if key in said else None for key in self.inputs},
            **{key: found[key] for key in ("tenant", "state", "servers")},
        }

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        """Whatever is in it would go too: what it did not come with is not this program's to remove. What
        the program made in it went before."""
        others = [
            each["name"]
            for each in api.all(f"/v1/servers?system={segment(id)}")
            if each["status"] != "deleting" and ("name" in known or _made(api, each["id"]))
        ]
        if others:
            names = ", ".join(others[:5])
            raise api.refused(
                f"The system {id} has servers that this program did not make ({names}), and they would be removed with it: remove them first, or the whole system with `yui`.",
                f"システム {id} には、このプログラムで作成していないサーバー({names})があり、システムとともに削除されてしまいます。先にそれらを削除するか、`yui` でシステムごと削除してください。",
            )
        gone(api, f"/v1/systems/{segment(id)}")


def _made(api: Connection, server: str) -> bool:
    """By somebody: what came with its system has no maker."""
    notes = api.find(f"/v1/servers/{segment(server)}/notes")
    return notes is not None and notes["made_by"] is not None


class System(Resource, module="yui", name="System"):
    """With `blueprint`, that one; else a system of the member's own: `zone` is mynumber, lgwan or internet,
    `tier` the order of recovery, from 1."""

    tenant: Output[str]
    region: Output[str]
    state: Output[str]

    def __init__(
        self,
        name: str,
        *,
        blueprint: Input[str] | None = None,
        zone: Input[str] | None = None,
        tier: Input[int] | None = None,
        region: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        own = None if blueprint is not None else name
        super().__init__(
            SystemKind(),
            name,
            {
                "blueprint": blueprint,
                "name": own,
                "zone": zone,
                "tier": tier,
                "region": region,
                "tenant": None,
                "state": None,
            },
            opts,
        )
