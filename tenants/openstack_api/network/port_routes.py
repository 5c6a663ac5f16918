"""Ports: each server has one, as long as it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response

from control_plane.http.edge import AtHand
from control_plane.http.refusals import audited
from control_plane.model.errors import YuiError
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.networks.groups import put_into_groups
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.network.asked import (
    PREFIX,
    TAGS,
    AnyId,
    ChangesHere,
    Reader,
    ThingsHere,
    Writer,
)
from tenants.openstack_api.network.facts import Facts
from tenants.openstack_api.network.lists import Listed, Row
from tenants.openstack_api.network.models import PortChangeIn, PortIn

router = APIRouter(prefix=f"{PREFIX}/ports", tags=[*TAGS])


def _has_address(row: Row, values: Sequence[str]) -> bool:
    """`ip_address=…` and `subnet_id=…`, each of which one of the port's addresses has."""
    wanted: dict[str, set[str]] = {}
    for value in values:
        key, _, text = value.partition("=")
        wanted.setdefault(key, set()).add(text)
    return any(
        all(fixed.get(key) in texts for key, texts in wanted.items()) for fixed in row["fixed_ips"]
    )


_PORTS = Listed(
    "ports",
    frozenset(
        [
            "id",
            "name",
            "tenant_id",
            "project_id",
            "network_id",
            "status",
            "admin_state_up",
            "mac_address",
            "device_id",
            "device_owner",
        ]
    ),
    {
        "fixed_ips": _has_address,
        "security_groups": lambda row, values: not set(values).isdisjoint(row["security_groups"]),
    },
)


@router.get("")
async def list_ports(_who: Reader, here: ThingsHere) -> Response:
    """The ports of the member's servers."""
    return await here.list(_PORTS, Facts.port_views)


@router.get("/{port}")
async def show_port(port: AnyId, _who: Reader, here: ThingsHere) -> Response:
    """One port."""
    return await here.one("port", lambda facts: facts.port_view(port))


@router.put("/{port}")
@audited("server.security-groups", "port")
def update_port(
    port: AnyId,
    body: PortChangeIn,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Puts the port's server into these security groups and no other."""

    def change(tx: Transaction, asker: Asker) -> dict[str, Any]:
        server = here.facts(tx).server_of_port(port)
        if body.port.security_groups is not None:
            put_into_groups(tx, server, body.port.security_groups, asker)
        return {"port": here.facts(tx).port_view(port)}

    return here.make(who, change)


@router.post("", status_code=201)
@audited("port.add", "port")
def create_port(_body: PortIn, _who: Writer, _project: Project, _region: InRegion) -> Response:
    """Refused (409): a server comes with its port."""
    raise YuiError(
        "ports-are-given",
        en="A server comes with its port, so none can be made: name the network when you make the server.",
        ja="ポートはサーバーとともに用意されるため、作成できません。サーバーの作成時にネットワークを指定してください。",
        status=409,
    )


@router.delete("/{port}", status_code=204)
@audited("port.remove", "port")
def delete_port(
    port: AnyId, _who: Writer, project: Project, region: InRegion, *, edge: AtHand
) -> Response:
    """Refused (409): a port goes with its server."""
    with edge.store.read() as tx:
        found = Facts(tx, project, region).port_view(port)
    raise YuiError(
        "port-in-use",
        en=f"Port '{found['id']}' belongs to server '{found['device_id']}' and goes with it: delete the server.",
        ja=f"ポート「{found['id']}」はサーバー「{found['device_id']}」のものです。サーバーを削除してください。",
        status=409,
    )
