"""Server groups (Compute API, "Server groups"): a member's, the same in every region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from control_plane.http.auth import needs
from control_plane.http.bounds import RequestBody, ShortText
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import GroupId
from control_plane.model.server_group import ServerGroup
from control_plane.store import Snapshot
from tenants.asking import Asker
from tenants.openstack_api.answers import Answer, emptied
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.paging import MOST, Limit
from tenants.openstack_api.compute.server_view import Json, ServerView, View
from tenants.openstack_api.compute.unsupported import unsupported
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.microversions import Version
from tenants.openstack_api.services import Service, in_region
from tenants.server_groups.groups import add_group, remove_group

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.SERVERS_READ)]
Writer = Annotated[Principal, needs(Permission.SERVERS_WRITE)]
GroupRef = Annotated[str, Path(max_length=255, description="A server group's id.")]
Policy = Literal["anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"]


class GroupIn(RequestBody):
    """`policies` until 2.63, `policy` and `rules` from 2.64 on."""

    name: ShortText
    policies: Annotated[list[Policy], Field(min_length=1, max_length=1)] | None = None
    policy: Policy | None = None
    rules: dict[str, Any] | None = None


class NewGroup(RequestBody):
    server_group: GroupIn


@router.get("/os-server-groups")
async def read_groups(
    _: Reader,
    view: View,
    edge: AtHand,
    request: Request,
    *,
    limit: Limit = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """The member's server groups, with their servers of the region."""
    if "all_projects" in request.query_params:
        raise YuiError(
            "projects-foreign",
            en="Server groups of other projects can't be listed: leave all_projects out.",
            ja="ほかのプロジェクトのサーバーグループは一覧できません。all_projects を省略してください。",
            status=403,
        )

    def look(tx: Snapshot) -> list[Json]:
        groups = tx.server_groups(view.tenant)
        return _shown(tx, groups[offset : offset + min(limit or MOST, MOST)], view)

    return told({"server_groups": await edge.look(look)})


@router.post("/os-server-groups")
@audited("server-group.add", "server-group")
def create_group(body: NewGroup, who: Writer, view: View, edge: AtHand, once: Once) -> Response:
    """Makes a server group of policy anti-affinity; servers are put into it when they are made."""
    _need_anti_affinity(body.server_group, view.version)

    def work(remember: Remember) -> Answer:
        with edge.store.write() as tx:
            asker = Asker(who, edge.clock.now())
            made = add_group(tx, view.tenant, body.server_group.name, asker)
            (shown,) = _shown(tx, [made], view)
            answer = Answer({"server_group": shown})
            remember(tx, answer)
        return answer

    return once.run(work)


@router.get("/os-server-groups/{server_group}")
async def read_group(server_group: GroupRef, _: Reader, view: View, edge: AtHand) -> Response:
    """One server group."""

    def look(tx: Snapshot) -> Json:
        (shown,) = _shown(tx, [tx.server_group(GroupId(server_group), view.tenant)], view)
        return shown

    return told({"server_group": await edge.look(look)})


@router.delete("/os-server-groups/{server_group}", status_code=204)
@audited("server-group.remove", "server-group")
def delete_group(
    server_group: GroupRef, who: Writer, view: View, edge: AtHand, once: Once
) -> Response:
    """Removes a server group; its servers stay, and may share a host from then on."""

    def work(remember: Remember) -> Answer:
        with edge.store.write() as tx:
            found = tx.server_group(GroupId(server_group), view.tenant)
            remove_group(tx, found, Asker(who, edge.clock.now()))
            remember(tx, Answer({}))
        return Answer({})

    return emptied(once.run(work), 204)


def _shown(tx: Snapshot, groups: Sequence[ServerGroup], view: ServerView) -> list[Json]:
    members = tx.servers_of_groups({group.id for group in groups}, view.region)
    return [_out(group, members.get(group.id, ()), view) for group in groups]


def _out(group: ServerGroup, members: Sequence[str], view: ServerView) -> Json:
    shown: Json = {"id": group.id, "name": group.name, "members": list(members)}
    if since(view.version, 64):
        shown |= {"policy": "anti-affinity", "rules": {}}
    else:
        shown |= {"policies": ["anti-affinity"], "metadata": {}}
    if since(view.version, 13):
        shown |= {"project_id": group.tenant.text, "user_id": group.made_by}
    return shown


def _need_anti_affinity(wanted: GroupIn, version: Version) -> None:
    new = since(version, 64)
    said = wanted.model_fields_set
    foreign = said & ({"policies"} if new else {"policy", "rules"})
    missing = "policy" if new else "policies"
    if foreign or missing not in said:
        raise YuiError(
            "policy-missing",
            en=f"In microversion {version} a server group is made with '{missing}'.",
            ja=f"マイクロバージョン {version} では、サーバーグループの作成に {missing} を指定します。",
            status=400,
        )
    (policy,) = wanted.policies or (wanted.policy,)
    if policy != "anti-affinity":
        raise unsupported(
            "policy",
            f"the policy {policy} can't be had: servers of a group are kept apart for certain (anti-affinity)",
            f"ポリシー {policy} には対応していません。anti-affinity を指定してください",
        )
    if wanted.rules:
        raise unsupported(
            "rules",
            "rules can't be had: a host has one server of a group at most",
            "rules には対応していません。一つのホストに置かれるのは、グループごとに1台だけです",
        )
