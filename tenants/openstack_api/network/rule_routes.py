"""Rules of security groups."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from control_plane.http.refusals import audited
from control_plane.model.errors import YuiError
from control_plane.model.ids import SecurityGroupId
from control_plane.model.network import SecurityGroup, SecurityRule
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.networks.groups import add_rule, remove_rule
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
from tenants.openstack_api.network.derived import rule_id, rule_with
from tenants.openstack_api.network.facts import Facts
from tenants.openstack_api.network.lists import Listed
from tenants.openstack_api.network.missing import missing
from tenants.openstack_api.network.models import RulesIn
from tenants.openstack_api.network.rules import rule_asked
from tenants.openstack_api.network.views import View, rule_view

router = APIRouter(prefix=f"{PREFIX}/security-group-rules", tags=[*TAGS])

_RULES = Listed(
    "security_group_rules",
    frozenset(
        [
            "id",
            "tenant_id",
            "project_id",
            "security_group_id",
            "direction",
            "ethertype",
            "protocol",
            "port_range_min",
            "port_range_max",
            "remote_ip_prefix",
            "normalized_cidr",
            "remote_group_id",
            "remote_address_group_id",
            "description",
        ]
    ),
)


@router.get("")
async def list_security_group_rules(_who: Reader, here: ThingsHere) -> Response:
    """The rules of all the member's security groups."""

    def views(facts: Facts) -> list[View]:
        groups = facts.tx.security_groups(facts.tenant)
        return [rule_view(group, rule) for group in groups for rule in group.rules]

    return await here.list(_RULES, views)


@router.get("/{rule}")
async def show_security_group_rule(rule: AnyId, _who: Reader, here: ThingsHere) -> Response:
    """One rule."""
    return await here.one(
        "security_group_rule", lambda facts: rule_view(*_found(facts.tx, facts.tenant, rule))
    )


@router.post("", status_code=201)
@audited("security-group.change", "security-group")
def create_security_group_rule(
    body: RulesIn,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Lets one more kind of connection begin, over IPv4; or several kinds, all or none."""
    for wanted in body.rules:
        own(here.project, wanted.tenant_id, wanted.project_id)
    asked = [(one.security_group_id, rule_asked(one, here.project)) for one in body.rules]

    def change(tx: Transaction, asker: Asker) -> dict[str, Any]:
        made = []
        for id, rule in asked:
            group = tx.security_group(SecurityGroupId(id), here.project)
            saved, new = add_rule(tx, group, rule, asker)
            if saved.generation == group.generation:
                raise _exists(group, new)
            made.append(rule_view(saved, new))
        if body.security_group_rule is None:
            return {"security_group_rules": made}
        return {"security_group_rule": made[0]}

    return here.make(who, change, status=201, turn=_turn(here.project))


@router.delete("/{rule}", status_code=204)
@audited("security-group.change", "security-group")
def delete_security_group_rule(
    rule: AnyId,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Takes a rule away."""

    return here.remove(
        who,
        lambda tx, asker: remove_rule(tx, *_found(tx, here.project, rule), asker),
        turn=_turn(here.project),
    )


def _turn(project: MunicipalityCode) -> str:
    """Clients ask for a group's rules one by one and all at the same time."""
    return f"security groups of {project}"


def _found(tx: Snapshot, project: MunicipalityCode, id: str) -> tuple[SecurityGroup, SecurityRule]:
    """Raises `security-group-rule-not-found`."""
    found = rule_with(tx.security_groups(project), id)
    if found is None:
        raise missing("security-group-rule", id)
    return found


def _exists(group: SecurityGroup, rule: SecurityRule) -> YuiError:
    id = rule_id(group.id, rule)
    return YuiError(
        "security-group-rule-exists",
        en=f"Security group rule already exists. Rule id is {id}.",
        ja=f"同じルールがすでにあります(ID: {id})。",
        status=409,
        fields={"rule": id},
    )
