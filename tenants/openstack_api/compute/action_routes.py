"""Actions on a server: one route, whose body says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from control_plane.http.auth import needs, permission_missing
from control_plane.http.bounds import RequestBody
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited, called
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from images.at_hand import Folder
from tenants.openstack_api.compute import actions
from tenants.openstack_api.compute.action_models import (
    ConsoleIn,
    GroupIn,
    ImageIn,
    LockIn,
    Nothing,
    RebootIn,
    RebuildIn,
    ResizeIn,
    UnshelveIn,
)
from tenants.openstack_api.compute.action_refusals import no_remote_console, refuse
from tenants.openstack_api.compute.changing import Changes, ServerRef, own_server
from tenants.openstack_api.compute.server_view import View
from tenants.openstack_api.links import service_url
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

_P = Permission


@dataclass(frozen=True, slots=True)
class Action:
    """`called` is the audit trail's word."""

    permission: Permission
    called: str
    body: type[RequestBody]
    do: Callable[[actions.Asked, Any], Response]


ACTIONS: Mapping[str, Action] = {
    "os-start": Action(_P.SERVERS_POWER, "server.start", Nothing, actions.start),
    "os-stop": Action(_P.SERVERS_POWER, "server.stop", Nothing, actions.stop),
    "reboot": Action(_P.SERVERS_POWER, "server.reboot", RebootIn, actions.reboot),
    "resize": Action(_P.SERVERS_WRITE, "server.resize", ResizeIn, actions.resize),
    "confirmResize": Action(
        _P.SERVERS_WRITE, "server.resize-confirm", Nothing, actions.confirm_resize
    ),
    "revertResize": Action(
        _P.SERVERS_WRITE, "server.resize-revert", Nothing, actions.revert_resize
    ),
    "rebuild": Action(_P.SERVERS_WRITE, "server.rebuild", RebuildIn, actions.rebuild),
    "lock": Action(_P.SERVERS_WRITE, "server.protect", LockIn, actions.lock),
    "unlock": Action(_P.SERVERS_WRITE, "server.protect", Nothing, actions.unlock),
    "shelve": Action(_P.SERVERS_WRITE, "server.shelve", Nothing, actions.shelve),
    "shelveOffload": Action(_P.SERVERS_WRITE, "server.shelve", Nothing, actions.shelve),
    "unshelve": Action(_P.SERVERS_WRITE, "server.unshelve", UnshelveIn, actions.unshelve),
    "forceDelete": Action(_P.SERVERS_WRITE, "server.delete", Nothing, actions.force_delete),
    "os-getConsoleOutput": Action(
        _P.SERVERS_CONSOLE, "server.console", ConsoleIn, actions.console_output
    ),
    "createImage": Action(_P.VOLUMES_WRITE, "image.from-server", ImageIn, actions.create_image),
    "addSecurityGroup": Action(
        _P.NETWORKS_WRITE, "server.security-groups", GroupIn, actions.add_security_group
    ),
    "removeSecurityGroup": Action(
        _P.NETWORKS_WRITE, "server.security-groups", GroupIn, actions.remove_security_group
    ),
}


def _described() -> dict[str, Any]:
    """For the API's description: one of the actions by its name, with its body."""
    bodies = [
        {
            "type": "object",
            "additionalProperties": False,
            "required": [name],
            "properties": {
                name: {"anyOf": [{"type": "null"}, action.body.model_json_schema()]}
                if action.body is Nothing
                else action.body.model_json_schema()
            },
        }
        for name, action in ACTIONS.items()
    ]
    return {"requestBody": {"content": {"application/json": {"schema": {"oneOf": bodies}}}}}


@router.post("/servers/{server}/action", status_code=202, openapi_extra=_described())
@audited("server.act", "server")
def act_on_server(
    server: ServerRef,
    body: Annotated[dict[str, Any], Body()],
    request: Request,
    who: Annotated[Principal, needs(_P.SERVERS_READ)],
    changes: Changes,
    *,
    folder: Folder,
) -> Response:
    """Starts, stops, reboots, resizes (and confirms or reverts that), rebuilds, locks, shelves, unshelves or
    deletes a server, tells its console's output, makes an image of its disk, adds and removes its security groups; each needs its own
    permission. A locked server is not changed before it is unlocked: who may lock it may unlock it."""
    if len(body) != 1:
        raise YuiError(
            "action-unclear",
            en=f"{len(body)} actions are asked for: send exactly one.",
            ja=f"操作が {len(body)} 件指定されています。1件だけ指定してください。",
            status=400,
        )
    ((name, given),) = body.items()
    action = ACTIONS.get(name)
    if action is None:
        with changes.edge.store.read() as tx:
            own_server(tx, server, changes.view)
        raise refuse(name)
    called(request, action.called)
    if not who.may(action.permission):
        raise permission_missing(action.permission)
    images = f"{service_url(request, Service.IMAGE, changes.view.region)}/images"
    asked = actions.Asked(name, server, who, changes, folder, images)
    return action.do(asked, _read(action.body, name, given))


@router.post("/servers/{server}/remote-consoles")
async def create_remote_console(
    server: ServerRef,
    _: Annotated[Principal, needs(_P.SERVERS_CONSOLE)],
    view: View,
    changes: Changes,
) -> Response:
    """Always refused: there are no remote consoles, and what the serial console says is told by an action."""
    await changes.edge.look(lambda tx: own_server(tx, server, view))
    raise no_remote_console()


def _read(model: type[RequestBody], name: str, given: object) -> RequestBody:
    try:
        return model.model_validate({} if given is None else given)
    except ValidationError as error:
        raise RequestValidationError(
            [{**each, "loc": ("body", name, *each["loc"])} for each in error.errors()]
        ) from None
