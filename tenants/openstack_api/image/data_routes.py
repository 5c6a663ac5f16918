"""The bytes of images: taken in as they come, and handed out to whom they belong."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Annotated, Any

from anyio import CancelScope, to_thread
from fastapi import APIRouter, Request, Response

from control_plane.http.auth import needs
from control_plane.http.body_limit import Streamed
from control_plane.http.edge import AtHand, Edge
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.image import Image, ImageUpload
from control_plane.store import Snapshot
from images.arriving import append, growing, make_room
from images.at_hand import Folder
from images.handing_out import HANDED_OUT, HandedOut, handed_out
from images.inspection import Limits
from images.uploads import UploadFolder, judged, need_sender, take_in
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.image.refusals import as_glance_says
from tenants.openstack_api.image.views import find
from tenants.openstack_api.image.words import claimed_sha256, declared_in, machine_in
from tenants.openstack_api.services import PREFIX, Service, in_region

router = APIRouter(prefix=in_region(Service.IMAGE) + "/v2", tags=["openstack image"])

Reader = Annotated[Principal, needs(Permission.IMAGES_READ)]
Writer = Annotated[Principal, needs(Permission.IMAGES_WRITE)]
_LIMITS = Limits()

IMAGE_FILES = Streamed(
    "PUT",
    re.compile(rf"{PREFIX}/regions/[^/]+/{Service.IMAGE}/v2/images/[^/]+/file"),
    _LIMITS.file * 1024**3,
)
"""What is taken in here, and by nobody before."""

_BYTES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.put("/images/{image}/file", status_code=204, openapi_extra=_BYTES)
@audited("image.add", "image")
async def send_file(
    image: str,
    request: Request,
    who: Writer,
    _region: InRegion,
    project: Project,
    *,
    edge: AtHand,
    folder: Folder,
) -> Response:
    """Takes all bytes of a queued image, with their length or without; it is judged and active when this
    comes back. What is refused leaves the image queued, without bytes."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != "application/octet-stream":
        raise _NO_BYTES
    with as_glance_says():
        found = await edge.look(lambda tx: _queued(tx, find(tx, image, project)))
        with folder.writing(found) as descriptor:
            try:
                await _receive(request, edge, folder, found, descriptor)
                await to_thread.run_sync(_complete, edge, folder, found, who)
            except BaseException:
                # Also where the client went away: what came is worth nothing without the rest.
                with CancelScope(shield=True):
                    await to_thread.run_sync(_forget_bytes, edge, found, descriptor)
                raise
    return Response(status_code=204)


@router.get("/images/{image}/file", response_class=HandedOut, status_code=200, responses=HANDED_OUT)
async def read_file(
    image: str, who: Reader, _region: InRegion, project: Project, edge: AtHand
) -> Response:
    """The bytes of an active image of one's own, or a range of them; those of the catalogue are not
    handed out."""
    found = await edge.look(lambda tx: find(tx, image, project))
    if isinstance(found, ImageUpload):
        return Response(status_code=204)
    with as_glance_says():
        return handed_out(found, who, edge)


async def _receive(
    request: Request, edge: Edge, folder: UploadFolder, upload: ImageUpload, descriptor: int
) -> None:
    os.ftruncate(descriptor, 0)
    said = _length(request)
    if said is not None:
        await to_thread.run_sync(make_room, edge.store, folder, upload.id, said, _LIMITS)
    room = growing(edge.store, folder, upload.id, _LIMITS)
    came = await append(descriptor, 0, request.stream(), room)
    if not came or said not in (None, came):
        raise YuiError(
            "image-file-incomplete",
            en=f"{came} bytes came, and not as many as were announced: send the file again.",
            ja=f"届いたのは {came} バイトで、指定された長さと異なります。ファイルを送り直してください。",
            status=400,
        )


def _complete(edge: Edge, folder: UploadFolder, upload: ImageUpload, who: Principal) -> None:
    now = edge.clock.now()
    with edge.store.read() as tx:
        # As it is described by now.
        current = tx.image_upload(upload.id)
    properties = dict(current.properties)
    image = judged(
        folder,
        current,
        declared_in(properties),
        machine_in(properties),
        limits=_LIMITS,
        at=now,
        sha256=claimed_sha256(properties),
    )
    with edge.store.write() as tx:
        take_in(tx, image, who, now)


def _forget_bytes(edge: Edge, upload: ImageUpload, descriptor: int) -> None:
    with edge.store.write(turn="images") as tx:
        known = {each.id: each for each in tx.image_uploads(upload.tenant)}
        # Unless it was taken in, just before the client went away.
        if upload.id in known:
            os.ftruncate(descriptor, 0)
            tx.save_image_upload(replace(known[upload.id], size_bytes=0))


def _queued(tx: Snapshot, found: Image | ImageUpload) -> ImageUpload:
    """Raises `image-not-queued`, `image-from-server`."""
    if isinstance(found, Image):
        raise _not_queued(
            found,
            "is active, and what it holds never changes",
            "は登録済みで、内容は変更できません",
        )
    if found.sha256 is not None:
        raise _not_queued(
            found,
            f"is being brought through /v1/images/uploads/{found.id}: go on there",
            f"は /v1/images/uploads/{found.id} で受け付け中です。そちらで続けてください",
        )
    return need_sender(tx, found)


def _not_queued(found: Image | ImageUpload, en: str, ja: str) -> YuiError:
    return YuiError(
        "image-not-queued",
        en=f"Image '{found.id}' {en}.",
        ja=f"イメージ「{found.id}」{ja}。",
        status=409,
        fields={"image": found.id},
    )


def _length(request: Request) -> int | None:
    """Raises `image-file-incomplete` for a length that is none."""
    said = request.headers.get("x-openstack-image-size") or request.headers.get("content-length")
    if said is None:
        return None
    if not said.isdecimal() or len(said) > 18:
        raise YuiError(
            "image-size-invalid",
            en="X-OpenStack-Image-Size is a number of bytes.",
            ja="X-OpenStack-Image-Size にはバイト数を指定してください。",
            status=400,
        )
    return int(said)


_NO_BYTES = YuiError(
    "media-type-unsupported",
    en="An image's bytes are sent as application/octet-stream.",
    ja="イメージのデータは application/octet-stream として送ってください。",
    status=415,
)
