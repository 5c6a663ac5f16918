"""Security groups, and where a member's offices are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from control_plane.http.refusals import audited
from control_plane.model.ids import SecurityGroupId
from control_plane.model.network import Direction
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.networks.groups import add_group, remove_group, revise_group
from tenants.networks.models import RuleIn
from tenants.openstack_api.network.asked import (
    PREFIX,
    TAGS,
    AnyId,
    ChangesHere,
    Reader,
    ThingsHere,
    Writer,
    own,
)
from tenants.openstack_api.network.facts import Facts
from tenants.openstack_api.network.lists import Listed
from tenants.openstack_api.network.missing import missing
from tenants.openstack_api.network.models import GroupChangeIn, GroupIn
from tenants.openstack_api.network.views import View, group_view, offices_id, offices_view

router = APIRouter(prefix=PREFIX, tags=[*TAGS])

_GROUPS = Listed(
    "security_groups",
    frozenset(["id", "name", "description", "tenant_id", "project_id", "stateful", "shared"]),
)
_ADDRESS_GROUPS = Listed(
    "address_groups", frozenset(["id", "name", "description", "tenant_id", "project_id"])
)

_OUT_TO_ANYWHERE = RuleIn(direction=Direction.EGRESS)
"""What Neutron gives a new group, as far as there is IPv4."""


@router.get("/security-groups")
async def list_security_groups(_who: Reader, here: ThingsHere) -> Response:
    """The member's security groups, which are the same in all its regions."""

    def views(facts: Facts) -> list[View]:
        return [group_view(group) for group in facts.tx.security_groups(facts.tenant)]

    return await here.list(_GROUPS, views)


@router.get("/security-groups/{group}")
async def show_security_group(group: AnyId, _who: Reader, here: ThingsHere) -> Response:
    """One security group, with its rules."""

    def view(facts: Facts) -> View:
        return group_view(facts.tx.security_group(SecurityGroupId(group), facts.tenant))

    return await here.one("security_group", view)


@router.post("/security-groups", status_code=201)
@audited("security-group.add", "security-group")
def create_security_group(
    body: GroupIn,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Makes a security group, whose servers reach anywhere and are reached from nowhere yet."""
    wanted = body.security_group
    own(here.project, wanted.tenant_id, wanted.project_id)

    def change(tx: Transaction, asker: Asker) -> dict[str, Any]:
        made = add_group(
            tx,
            here.project,
            wanted.name,
            [_OUT_TO_ANYWHERE],
            asker,
            description=wanted.description or "",
        )
        return {"security_group": group_view(made)}

    return here.make(who, change, status=201)


@router.put("/security-groups/{group}")
@audited("security-group.change", "security-group")
def update_security_group(
    group: AnyId,
    body: GroupChangeIn,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Gives a security group another name or description."""
    wanted = body.security_group

    def change(tx: Transaction, asker: Asker) -> dict[str, Any]:
        found = tx.security_group(SecurityGroupId(group), here.project)
        saved = revise_group(tx, found, wanted.name, wanted.description, asker)
        return {"security_group": group_view(saved)}

    return here.make(who, change)


@router.delete("/security-groups/{group}", status_code=204)
@audited("security-group.remove", "security-group")
def delete_security_group(
    group: AnyId,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Removes a security group that no server is in and no other group's rule names."""

    def change(tx: Transaction, asker: Asker) -> None:
        remove_group(tx, tx.security_group(SecurityGroupId(group), here.project), asker)

    return here.remove(who, change)


@router.get("/address-groups")
async def list_address_groups(_who: Reader, here: ThingsHere) -> Response:
    """One group, `offices`: the member's own networks, as it declared them for its networks."""
    return await here.list(
        _ADDRESS_GROUPS, lambda facts: [offices_view(facts.tenant, facts.networks)]
    )


@router.get("/address-groups/{group}")
async def show_address_group(group: AnyId, _who: Reader, here: ThingsHere) -> Response:
    """The one group that there is."""
    return await here.one("address_group", lambda facts: _offices(facts, group))


def _offices(facts: Facts, id: str) -> View:
    if id != offices_id(facts.tenant):
        raise missing("address-group", id)
    return offices_view(facts.tenant, facts.networks)
