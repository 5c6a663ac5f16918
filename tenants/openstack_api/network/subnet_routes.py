"""Subnets: sites give them, nobody makes them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once
from control_plane.http.refusals import audited
from control_plane.model.errors import YuiError
from tenants.openstack_api.answers import Answer
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.network.asked import (
    PREFIX,
    TAGS,
    AnyId,
    Reader,
    ThingsHere,
    Writer,
)
from tenants.openstack_api.network.facts import Facts
from tenants.openstack_api.network.lists import Listed
from tenants.openstack_api.network.models import SubnetChangeIn, SubnetIn

router = APIRouter(prefix=f"{PREFIX}/subnets", tags=[*TAGS])

_SUBNETS = Listed(
    "subnets",
    frozenset(
        [
            "id",
            "name",
            "tenant_id",
            "project_id",
            "network_id",
            "ip_version",
            "cidr",
            "gateway_ip",
            "enable_dhcp",
            "ipv6_address_mode",
            "ipv6_ra_mode",
        ]
    ),
)


@router.get("")
async def list_subnets(_who: Reader, here: ThingsHere) -> Response:
    """The addresses of the member's networks at each site; the first of a site is called `<zone>-<site>`."""
    return await here.list(_SUBNETS, Facts.subnet_views)


@router.get("/{subnet}")
async def show_subnet(subnet: AnyId, _who: Reader, here: ThingsHere) -> Response:
    """One subnet."""
    return await here.one("subnet", lambda facts: facts.subnet_view(subnet))


@router.post("", status_code=201)
@audited("subnet.add", "subnet")
def create_subnet(
    body: SubnetIn, _who: Writer, project: Project, region: InRegion, *, edge: AtHand
) -> Response:
    """Refused (409): a network has its addresses from its sites, with no subnet to be made."""
    with edge.store.read() as tx:
        facts = Facts(tx, project, region)
        found = facts.network(body.subnet.network_id)
        had = [f"{subnet.name} ({subnet.addresses})" for subnet in facts.subnets[found.id]]
    raise YuiError(
        "subnets-are-given",
        en=f"Sites give networks their addresses, so none can be made: network '{found.id}' has {', '.join(had) or 'none before its first server'}.",
        ja=f"ネットワークのアドレスはサイトが割り当てるため、サブネットは作成できません。ネットワーク「{found.id}」のサブネット: {'、'.join(had) or 'なし(最初のサーバーで割り当てられます)'}。",
        status=409,
        fields={"network": found.id},
    )


@router.put("/{subnet}")
@audited("subnet.change", "subnet")
def update_subnet(
    subnet: AnyId,
    body: SubnetChangeIn,
    _who: Writer,
    project: Project,
    region: InRegion,
    *,
    edge: AtHand,
    once: Once,
) -> Response:
    """Answers the subnet where all that is asked for is so, else refused (409)."""

    def work(_: Any) -> Answer:
        with edge.store.read() as tx:
            view = Facts(tx, project, region).subnet_view(subnet)
        for name, value in body.subnet.items():
            if name not in view or view[name] != value:
                raise YuiError(
                    "subnet-stays",
                    en=f"Sites give networks their addresses, so '{name}' of a subnet can't be changed.",
                    ja=f"サブネットはサイトが割り当てるため、{name} は変更できません。",
                    status=409,
                )
        return Answer({"subnet": view})

    return once.run(work)


@router.delete("/{subnet}", status_code=204)
@audited("subnet.remove", "subnet")
def delete_subnet(
    subnet: AnyId, _who: Writer, project: Project, region: InRegion, *, edge: AtHand
) -> Response:
    """Refused (409): a network's addresses go with it."""
    with edge.store.read() as tx:
        found = Facts(tx, project, region).subnet_view(subnet)
    raise YuiError(
        "subnet-in-use",
        en=f"Subnet '{found['id']}' belongs to network '{found['network_id']}' and goes with it: delete the network.",
        ja=f"サブネット「{found['id']}」はネットワーク「{found['network_id']}」の一部です。ネットワークを削除してください。",
        status=409,
    )
