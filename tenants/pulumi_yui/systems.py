"""Systems: from the catalogue of blueprints, or a member's own."""

from __future__ import annotations

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import Inputs, Kind, gone, whole

_SHOWN = ("tenant", "region", "zone", "tier", "state", "servers")


class SystemKind(Kind):
    inputs = ("blueprint", "name", "zone", "tier", "region")
    fixed = frozenset(inputs)

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> str:
        done = api.change("POST", "/v1/systems", whole(wanted), dry_run=dry_run)
        return "" if dry_run else str(done["subject"]).removeprefix("system:")

    def look(self, api: Connection, id: str) -> Inputs | None:
        found = api.find(f"/v1/systems/{segment(id)}")
        if found is None:
            return None
        return {key: found[key] for key in _SHOWN if key not in self.inputs}

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        gone(api, f"/v1/systems/{segment(id)}")


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
