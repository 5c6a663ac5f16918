"""The catalogue of blueprints over HTTP, and what a set of them takes of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Request

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.blueprint import Blueprint
from control_plane.model.blueprint_set import Footprint, footprint, lacks, recovery_order
from control_plane.model.ids import BlueprintId
from control_plane.model.tenant import PopulationBand
from control_plane.store import Snapshot
from tenants.blueprint_models import BlueprintOut, SetSize
from tenants.blueprint_views import blueprint_out, set_size
from tenants.catalogue import Catalogue
from tenants.routes import Membership

router = APIRouter(prefix="/v1", tags=["catalogue"])


async def _catalogue(request: Request) -> Catalogue:
    return cast(Membership, request.app.state.membership).catalogue


Known = Annotated[Catalogue, Depends(_catalogue)]


@router.get("/blueprints")
def read_blueprints(
    _: Annotated[Principal, needs(Permission.CATALOGUE_READ)],
    known: Known,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[BlueprintOut]:
    """The newest version of each standard system."""
    return page_of(
        known.newest(),
        key=lambda blueprint: blueprint.id,
        show=lambda blueprint: blueprint_out(blueprint, known.versions_of(blueprint.id)),
        limit=limit,
        cursor=cursor,
    )


@router.get("/blueprints/{blueprint}")
def read_blueprint(
    blueprint: Name,
    _: Annotated[Principal, needs(Permission.CATALOGUE_READ)],
    known: Known,
    version: Annotated[
        int | None, Query(ge=1, le=999_999, description="Without it: the newest.")
    ] = None,
) -> BlueprintOut:
    """One version of a standard system."""
    id = BlueprintId(blueprint)
    return blueprint_out(known.blueprint(id, version), known.versions_of(id))


@router.get("/catalogue/size")
def read_size(
    _: Annotated[Principal, needs(Permission.CATALOGUE_READ)],
    known: Known,
    edge: AtHand,
    population: Annotated[int, Query(ge=0, le=20_000_000, description="Residents.")],
    blueprint: Annotated[
        list[Name] | None,
        Query(max_length=100, description="Repeat it for several. Without it: all."),
    ] = None,
) -> SetSize:
    """What a member of that population takes of the pool with those systems."""
    wanted = (
        known.newest()
        if blueprint is None
        else recovery_order([known.blueprint(BlueprintId(id)) for id in dict.fromkeys(blueprint)])
    )
    with edge.store.read() as tx:
        sizes = _sizes(tx, wanted, PopulationBand.of(population))
    return set_size(population, sizes, lacks(wanted))


def _sizes(
    tx: Snapshot, blueprints: Sequence[Blueprint], band: PopulationBand
) -> list[tuple[Blueprint, Footprint]]:
    """Raises `flavor-not-found` where the pool lacks a size that a blueprint names."""
    flavors = {flavor.id: flavor for flavor in tx.flavors()}
    for blueprint in blueprints:
        for server in blueprint.servers:
            if server.flavors[band] not in flavors:
                tx.flavor(server.flavors[band])
    return [(blueprint, footprint(blueprint, band, flavors)) for blueprint in blueprints]
