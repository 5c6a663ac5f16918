"""A member's own networks that may reach one of its networks here."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Input, ResourceOptions
from pulumi.dynamic import Resource

from tenants.pulumi_yui import as_written
from tenants.pulumi_yui.connection import Connection, segment
from tenants.pulumi_yui.provider import Begun, ChangingKind, Inputs


class OfficesKind(ChangingKind):
    inputs = ("zone", "region", "offices")
    fixed = frozenset({"zone", "region"})
    repeatable = True

    def make(self, api: Connection, wanted: Inputs, *, dry_run: bool) -> Begun:
        id = _network(api, wanted)
        found = api.get(f"/v1/networks/{segment(id)}")["offices"]
        if found and as_written.networks(wanted["offices"], found) != wanted["offices"]:
            raise api.refused(
                f"The network {id} has other offices already ({', '.join(sorted(found))}): another program or person declares them. Write the same, or take them away there first.",
                f"ネットワーク {id} には、別のプログラムか人が設定した、異なる庁内ネットワーク({'、'.join(sorted(found))})がすでにあります。同じ内容を書くか、先にそちらで解除してください。",
            )
        _set(api, id, wanted["offices"], dry_run=dry_run)
        return Begun(id)

    def known_as(self, api: Connection, said: Inputs) -> str:
        return _network(api, said)

    def change(
        self, api: Connection, id: str, before: Inputs, wanted: Inputs, *, dry_run: bool
    ) -> None:
        if before.get("offices") != wanted["offices"]:
            _set(api, id, wanted["offices"], dry_run=dry_run)

    def look(self, api: Connection, id: str, said: Inputs) -> Inputs | None:
        found = api.find(f"/v1/networks/{segment(id)}")
        if found is None:
            return None
        return {
            "zone": found["zone"],
            "region": found["region"] if "region" in said else None,
            "offices": as_written.networks(said.get("offices", []), found["offices"]),
        }

    def remove(self, api: Connection, id: str, known: Inputs) -> None:
        del known
        if api.find(f"/v1/networks/{segment(id)}") is not None:
            _set(api, id, [], dry_run=False)


def _network(api: Connection, wanted: Inputs) -> str:
    found = [
        str(each["id"])
        for each in api.all("/v1/networks")
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
