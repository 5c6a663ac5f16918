"""Volumes that servers have (Compute API, "Servers with volume attachments").

A volume has one server at most, so that an attachment has no id of its own but the volume's.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from control_plane.http.auth import needs
from control_plane.http.bounds import Name, RequestBody
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import VolumeId
from control_plane.model.operation import Operation
from control_plane.model.volume import Volume
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import not_found
from tenants.asking import Asker
from tenants.openstack_api.answers import emptied
from tenants.openstack_api.compute.action_states import demand
from tenants.openstack_api.compute.bad_requests import bad_request
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.changing import Changes, ServerRef, own_server
from tenants.openstack_api.compute.paging import MOST, Limit
from tenants.openstack_api.compute.server_models import Anything, Short
from tenants.openstack_api.compute.server_view import Json, ServerView, View
from tenants.openstack_api.compute.unsupported import refuse_later, unsupported
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.services import Service, in_region
from tenants.volumes.volumes import attach, detach

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.VOLUMES_READ)]
Writer = Annotated[Principal, needs(Permission.VOLUMES_WRITE)]
VolumeRef = Annotated[str, Path(max_length=255, description="A volume's id.")]

_PATH = "/servers/{server}/os-volume_attachments"


class AttachmentIn(RequestBody):
    """`device` is read and not followed, as with Nova's usual hypervisor: the guest finds the volume where
    the answer says."""

    volume: Name = Field(alias="volumeId")
    device: Short | None = None
    tag: Anything = None
    delete_on_termination: bool | None = None


class NewAttachment(RequestBody):
    attachment: AttachmentIn = Field(alias="volumeAttachment")


@router.get(_PATH)
async def read_attachments(
    server: ServerRef,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """The volumes of a server, also while they are let go of."""

    def look(tx: Snapshot) -> list[Json]:
        found = own_server(tx, server, view)
        held = tx.volumes(server=found.id)
        page = held[offset : offset + min(limit or MOST, MOST)]
        return [_shown(volume, found, view) for volume in page]

    return told({"volumeAttachments": await edge.look(look)})


@router.get(_PATH + "/{volume}")
async def read_attachment(
    server: ServerRef, volume: VolumeRef, _: Reader, view: View, edge: AtHand
) -> Response:
    """One of them."""

    def look(tx: Snapshot) -> Json:
        found = own_server(tx, server, view)
        return _shown(_held(tx, found, volume), found, view)

    return told({"volumeAttachment": await edge.look(look)})


@router.post(_PATH)
@audited("volume.attach", "server")
def attach_volume(
    server: ServerRef, body: NewAttachment, who: Writer, changes: Changes
) -> Response:
    """Gives a volume to a server, at once where that runs; both are on the same storage."""
    wanted, view = body.attachment, changes.view
    refuse_later(wanted, view.version, {"tag": 49, "delete_on_termination": 79})
    if wanted.tag is not None:
        raise unsupported(
            "tag",
            "tag can't be had: the guest finds a volume by its id, below /dev/disk/by-id",
            "tag は使えません。ゲストではボリュームの ID(/dev/disk/by-id)で見分けられます",
        )
    if wanted.delete_on_termination:
        raise unsupported(
            "delete_on_termination",
            "delete_on_termination can't be had: volumes outlive their servers until they are deleted themselves",
            "delete_on_termination は使えません。ボリュームは、削除するまでサーバーの削除後も残ります",
        )

    def change(tx: Transaction, found: Server, asker: Asker) -> Json:
        demand(tx, view, found, "attach")
        volume = tx.volume(VolumeId(wanted.volume), view.tenant)
        if volume.region != view.region:
            raise not_found("volume", wanted.volume)
        with bad_request(*_UNFIT):
            after, _begun = attach(tx, volume, found, asker, _forget)
        return {"volumeAttachment": _shown(after, found, view)}

    return changes.server(who, server, change)


@router.delete(_PATH + "/{volume}", status_code=202)
@audited("volume.detach", "volume")
def detach_volume(server: ServerRef, volume: VolumeRef, who: Writer, changes: Changes) -> Response:
    """Asks a server to let go of a volume; it stays the server's own until it is known to have."""

    def change(tx: Transaction, found: Server, asker: Asker) -> None:
        demand(tx, changes.view, found, "detach")
        detach(tx, _held(tx, found, volume), asker, _forget)

    return emptied(changes.server(who, server, change), 202)


_UNFIT = ("volume-in-use", "volume-not-ready", "volume-elsewhere", "volume-deleting")


def _forget(_: Operation) -> None:
    """The answer tells of no operation."""


def _held(tx: Snapshot, server: Server, volume: str) -> Volume:
    found = next((each for each in tx.volumes(server=server.id) if each.id == volume), None)
    if found is None:
        raise not_found("volume", volume)
    return found


def _shown(volume: Volume, server: Server, view: ServerView) -> Json:
    version = view.version
    shown: Json = {
        "serverId": server.id,
        "volumeId": volume.id,
        "device": f"/dev/disk/by-id/virtio-{volume.id}",
    }
    if since(version, 89):
        shown |= {"attachment_id": volume.id, "bdm_uuid": volume.id}
    else:
        shown["id"] = volume.id
    if since(version, 70):
        shown["tag"] = None
    if since(version, 79):
        shown["delete_on_termination"] = False
    return shown
