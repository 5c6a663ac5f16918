"""A member's own networks that may reach one of its networks here."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Input, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import ChangingKind, Inputs


class OfficesKind(ChangingKind):
    inputs = ("zone", "region", "offices")
    fixed = frozenset({"zone", "region"})

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> str:
        id = _network(api, wanted)
        _set(api, id, wanted["offices"], dry_run=dry_run)
        return id

    def change(self, api: Connection, before: Inputs, wanted: Inputs, *, dry_run: bool) -> None:
        id = before.get("id") or _network(api, wanted)
        _set(api, id, wanted["offices"], dry_run=dry_run)

    def look(self, api: Connection, id: str) -> Inputs | None:
        found = api.find(f"/v1/networks/{segment(id)}")
        return None if found is None else {"offices": found["offices"]}

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        if api.find(f"/v1/networks/{segment(id)}") is not None:
            _set(api, id, [], dry_run=False)


def _network(api: Connection, wanted: Inputs) -> str:
    found = [
        str(each["id"])
        for each in api.get("/v1/networks?limit=1000")["items"]
        if each["zone"] == wanted["zone"] and wanted.get("region") in (None, each["region"])
    ]
    if not found:
        raise api.refused(
            f"There is no network in the zone {wanted['zone']}: a network comes with its first server.",
            f"{wanted['zone']} 系にはネットワークがありません。ネットワークは最初のサーバーとともに作られます。",
        )
    if len(found) > 1:
        raise api.refused(
            f"There are several networks in the zone {wanted['zone']}: name the region.",
            f"{wanted['zone']} 系には複数のネットワークがあります。region を指定してください。",
        )
    return found[0]


def _set(api: Connection, id: str, offices: Sequence[str], *, dry_run: bool) -> None:
    path = f"/v1/networks/{segment(id)}/offices"
    api.change("PUT", path, {"offices": sorted(offices)}, dry_run=dry_run)


class Offices(Resource, module="yui", name="Offices"):
    """The networks (as `10.1.0.0/16`) from which the servers of one zone may be reached, as far as their
    security groups allow."""

    def __init__(
        self,
        name: str,
        *,
        zone: Input[str],
        offices: Input[Sequence[Input[str]]],
        region: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        said = {"zone": zone, "region": region, "offices": offices}
        super().__init__(OfficesKind(), name, said, opts)
