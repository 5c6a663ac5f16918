"""What the routes of Network have in common: who asks, how lists leave, what belongs to whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand, Edge
from control_plane.http.idempotency import Once, OnceOnly, Remember
from control_plane.http.listing import written
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.openstack_api.answers import Answer, emptied
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.links import root_of
from tenants.openstack_api.network.facts import Facts
from tenants.openstack_api.network.lists import Listed, chosen
from tenants.openstack_api.network.views import View
from tenants.openstack_api.services import Service, in_region

PREFIX = in_region(Service.NETWORK) + "/v2.0"
TAGS = ["openstack network"]

Reader = Annotated[Principal, needs(Permission.NETWORKS_READ)]
Writer = Annotated[Principal, needs(Permission.NETWORKS_WRITE)]

AnyId = Annotated[str, Path(max_length=255)]
"""Clients ask by name too, and take 404 for an answer."""


@dataclass(frozen=True, slots=True)
class Here:
    """One member's things in one region, to be read."""

    request: Request
    edge: Edge
    project: MunicipalityCode
    region: RegionId

    async def list(self, listed: Listed, views: Callable[[Facts], list[View]]) -> Response:
        """Of the rows that `views` finds, what the request asks for."""
        query = self.request.query_params.multi_items()
        listed.check(query)
        url = f"{root_of(self.request)}{self.request.url.path}"
        return await self._told(lambda facts: listed.page(views(facts), query, url))

    async def one(self, name: str, view: Callable[[Facts], View]) -> Response:
        """What `view` finds, under its name, with no more than the fields that are asked for."""
        given = self.request.query_params.getlist("fields")
        fields = {field for text in given for field in text.split(",")}
        return await self._told(lambda facts: {name: chosen(view(facts), fields)})

    async def _told(self, document: Callable[[Facts], dict[str, Any]]) -> Response:
        def look(tx: Snapshot) -> bytes:
            return written(document(Facts(tx, self.project, self.region)))

        return Response(await self.edge.look(look), media_type="application/json")


async def _here(request: Request, project: Project, region: InRegion, edge: AtHand) -> Here:
    return Here(request, edge, project, region)


ThingsHere = Annotated[Here, Depends(_here)]
"""A route names it behind `who`, so that permission is asked for first."""


@dataclass(frozen=True, slots=True)
class Changing:
    """One member's things in one region, to be changed: each change in one transaction, once."""

    edge: Edge
    once: OnceOnly
    project: MunicipalityCode
    region: RegionId

    def facts(self, tx: Snapshot) -> Facts:
        return Facts(tx, self.project, self.region)

    def make(
        self,
        who: Principal,
        change: Callable[[Transaction, Asker], dict[str, Any]],
        *,
        status: int = 200,
        turn: str | None = None,
    ) -> Response:
        """`change` answers the body. `turn` as in `Store.write`."""

        def work(remember: Remember) -> Answer:
            with self.edge.store.write(turn=turn) as tx:
                answer = Answer(change(tx, Asker(who, self.edge.clock.now())))
                remember(tx, answer)
            return answer

        return self.once.run(work, status=status)

    def remove(
        self,
        who: Principal,
        change: Callable[[Transaction, Asker], object],
        *,
        turn: str | None = None,
    ) -> Response:
        """204."""

        def removed(tx: Transaction, asker: Asker) -> dict[str, Any]:
            change(tx, asker)
            return {}

        return emptied(self.make(who, removed, turn=turn))


async def _changing(project: Project, region: InRegion, edge: AtHand, once: Once) -> Changing:
    return Changing(edge, once, project, region)


ChangesHere = Annotated[Changing, Depends(_changing)]
"""A route names it behind `who`, too."""


def own(project: MunicipalityCode, *named: str | None) -> None:
    """Raises `project-foreign` (403) where another project is named as whose the new thing is to be."""
    if any(name not in (None, "", project.text) for name in named):
        raise YuiError(
            "project-foreign",
            en="A project makes things for itself alone: leave out project_id and tenant_id.",
            ja="ほかのプロジェクトのものは作成できません。project_id と tenant_id を省略してください。",
            status=403,
        )
