"""What servers have of the network, as Compute shows it: their one interface, their security groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import SecurityGroupId
from control_plane.model.network import Direction, Protocol, SecurityGroup, SecurityRule
from control_plane.store import Snapshot
from tenants.networks.groups import groups_of
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.changing import Changes, ServerRef, own_server
from tenants.openstack_api.compute.server_view import Json, ServerView, View
from tenants.openstack_api.compute.unsupported import unsupported
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.network.derived import port_id, rule_id
from tenants.openstack_api.network.facts import Facts
from tenants.openstack_api.network.missing import missing
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.NETWORKS_READ)]
Writer = Annotated[Principal, needs(Permission.NETWORKS_WRITE)]
PortRef = Annotated[str, Path(max_length=255, description="A port's id.")]

_ONE_CARD = unsupported(
    "interfaceAttachment",
    "a server has one interface, which is made and removed with it",
    "サーバーのインターフェースは一つだけで、サーバーとともに作成・削除されます",
)


@router.get("/servers/{server}/os-interface")
async def read_interfaces(server: ServerRef, _: Reader, view: View, edge: AtHand) -> Response:
    """The one interface that a server has."""
    shown = await edge.look(lambda tx: _interface(tx, server, view))
    return told({"interfaceAttachments": [shown]})


@router.get("/servers/{server}/os-interface/{port}")
async def read_interface(
    server: ServerRef, port: PortRef, _: Reader, view: View, edge: AtHand
) -> Response:
    """The same by its port."""
    shown = await edge.look(lambda tx: _interface(tx, server, view))
    if shown["port_id"] != port:
        raise missing("port", port)
    return told({"interfaceAttachment": shown})


@router.post("/servers/{server}/os-interface")
@audited("server.interface", "server")
def attach_interface(
    server: ServerRef, _: Writer, changes: Changes, __: Annotated[dict[str, Any], Body()]
) -> Response:
    """Refused: a server has one interface."""
    with changes.edge.store.read() as tx:
        own_server(tx, server, changes.view)
    raise _ONE_CARD


@router.delete("/servers/{server}/os-interface/{port}")
@audited("server.interface", "server")
def detach_interface(server: ServerRef, port: PortRef, _: Writer, changes: Changes) -> Response:
    """Refused: a server has one interface."""
    with changes.edge.store.read() as tx:
        found = own_server(tx, server, changes.view)
    if port != port_id(found.id):
        raise missing("port", port)
    raise _ONE_CARD


@router.get("/servers/{server}/os-security-groups")
async def read_groups_of_server(server: ServerRef, _: Reader, view: View, edge: AtHand) -> Response:
    """The security groups whose rules hold for a server."""

    def look(tx: Snapshot) -> list[Json]:
        found = own_server(tx, server, view)
        names = {group.id: group.name for group in tx.security_groups(view.tenant)}
        return [_group(group, names) for group in groups_of(tx, found)]

    return told({"security_groups": await edge.look(look)})


def _interface(tx: Snapshot, server: str, view: ServerView) -> Json:
    found = own_server(tx, server, view)
    port = Facts(tx, view.tenant, view.region).port_view(port_id(found.id))
    shown: Json = {
        "port_id": port["id"],
        "port_state": port["status"],
        "net_id": port["network_id"],
        "mac_addr": port["mac_address"],
        "fixed_ips": port["fixed_ips"],
    }
    if since(view.version, 70):
        shown["tag"] = None
    return shown


def _group(group: SecurityGroup, names: Mapping[SecurityGroupId, str]) -> Json:
    """As Nova shows it: what may come in."""
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.tenant.text,
        "rules": [
            _rule(group, rule, names) for rule in group.rules if rule.direction is Direction.INGRESS
        ],
    }


def _rule(group: SecurityGroup, rule: SecurityRule, names: Mapping[SecurityGroupId, str]) -> Json:
    other = rule.remote_group
    return {
        "id": rule_id(group.id, rule),
        "parent_group_id": group.id,
        "ip_protocol": None if rule.protocol is Protocol.ANY else rule.protocol.value,
        "from_port": None if rule.ports is None else rule.ports.first,
        "to_port": None if rule.ports is None else rule.ports.last,
        "group": {}
        if other is None
        else {"name": names.get(other, other), "tenant_id": group.tenant.text},
        "ip_range": {} if rule.remote is None else {"cidr": str(rule.remote)},
    }
