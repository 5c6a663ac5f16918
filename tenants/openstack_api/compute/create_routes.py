"""Servers are made."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.network import DEFAULT_GROUP
from control_plane.model.operation import Operation
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.creation import create
from tenants.openstack_api.answers import Answer
from tenants.openstack_api.compute.creating import Meant, meant
from tenants.openstack_api.compute.server_models import NewServer
from tenants.openstack_api.compute.server_view import ServerView, View
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

_FEWER = frozenset({"no-room", "quota-exceeded"})


@router.post("/servers", status_code=202)
@audited("server.create", "server")
def create_server(
    body: NewServer,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    view: View,
    edge: AtHand,
    once: Once,
) -> Response:
    """Makes servers from an image, all of them or none; with `min_count` below `max_count`, the fewer where
    the more don't fit. Refused are what can't be had: to start from a volume, further disks, a fixed address
    or a port, a password, files, a config drive (user data and keys come on a NoCloud disk)."""

    def work(remember: Remember) -> Answer:
        asker = Asker(who, edge.clock.now())
        with named_in_body():
            with edge.store.read() as tx:
                wanted = meant(tx, body, view.region, asker, view.version)
            try:
                return make(wanted, wanted.most, asker, remember)
            except YuiError as error:
                if error.type not in _FEWER or wanted.least == wanted.most:
                    raise
            return make(wanted, wanted.least, asker, remember)

    def make(wanted: Meant, count: int, asker: Asker, remember: Remember) -> Answer:
        def keep(tx: Transaction, operation: Operation) -> None:
            remember(tx, _answer(view, wanted, operation))

        asked = [replace(wanted.request, count=count)]
        made = create(edge.store, asked, asker, keep, founding=wanted.founding)
        return _answer(view, wanted, made.result)

    def location(answer: dict[str, dict[str, str]]) -> dict[str, str]:
        return {"Location": f"{view.endpoint}/servers/{answer['server']['id']}"}

    return once.run(work, status=202, headers=location)  # type: ignore[arg-type]


def _answer(view: ServerView, wanted: Meant, operation: Operation) -> Answer:
    """Of several, Nova tells of the first."""
    servers = (operation.fields or {})["servers"]
    assert isinstance(servers, list)  # noqa: S101 — as `create` writes it
    first = str(servers[0])
    names = [group.name for group in wanted.groups] or [DEFAULT_GROUP]
    return Answer(
        {
            "server": {
                "id": first,
                "links": view.links(first),
                "OS-DCF:diskConfig": "MANUAL",
                "security_groups": [{"name": name} for name in names],
            }
        }
    )
