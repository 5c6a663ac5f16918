"""Uploads over HTTP: begin, send parts, and let the whole be judged and taken in."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from control_plane.http.auth import needs
from control_plane.http.body_limit import Streamed
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun, Edge
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import ImageId
from control_plane.model.image import ImageUpload
from control_plane.store import Snapshot
from images.arriving import announced, append, growing
from images.at_hand import Folder
from images.inspection import Limits
from images.models import Completed, ImageOut, UploadIn, UploadOut
from images.uploads import (
    KEPT_FOR,
    PART_BYTES,
    UploadFolder,
    begin,
    forget_stale,
    judged,
    letting_go,
    need_offset,
    need_sender,
    new_upload,
    take_in,
)
from images.uploads import (
    give_up as abandon,
)

router = APIRouter(prefix="/v1/images/uploads", tags=["images"])
"""To stand before the routes of /v1/images/{image}."""

_LIMITS = Limits()

Writer = Annotated[Principal, needs(Permission.IMAGES_WRITE)]
Offset = Annotated[
    int, Query(ge=0, le=2**50, description="Where in the file this part begins: `received_bytes`.")
]

IMAGE_PARTS = Streamed("PUT", re.compile(r"/v1/images/uploads/[^/]+"), PART_BYTES)
"""What the routes below take in by themselves."""

_PART = {
    "requestBody": {
        "required": True,
        "description": f"The bytes that come next, at most {PART_BYTES} of them.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, response_model=UploadOut)
@audited("image.upload", "image")
def begin_upload(
    body: UploadIn,
    who: Writer,
    edge: AtHand,
    folder: Folder,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Begin to bring an image. Its whole length counts as used until it is given up; without a digest,
    as much as has come does. An upload of which nothing comes for three days is given up by itself."""

    def work(remember: Remember) -> UploadOut:
        now = edge.clock.now()
        forget_stale(edge.store, folder, now)
        wanted = new_upload(
            body.name,
            body.version,
            body.provenance,
            body.size_bytes,
            body.sha256,
            at=now,
            tenant=who.tenant,
            properties=tuple(sorted(body.properties.items())),
        )
        with edge.rehearsable(dry_run, turn="images") as tx:
            answer = UploadOut.of(begin(tx, folder, wanted, who, _LIMITS), 0, now + KEPT_FOR)
            remember(tx, answer)
        return answer

    return once.run(work, status=200 if dry_run else 201)


@router.get("")
def read_uploads(
    who: Writer, edge: AtHand, folder: Folder, limit: Limit = 100, cursor: Cursor = None
) -> Page[UploadOut]:
    """Uploads under way; a member's token gets its own alone."""
    with edge.store.read() as tx:
        uploads = tx.image_uploads(who.tenant)
        return page_of(
            uploads,
            key=lambda one: one.id,
            show=partial(_shown, tx, folder),
            limit=limit,
            cursor=cursor,
        )


@router.get("/{upload}")
def read_upload(upload: Name, who: Writer, edge: AtHand, folder: Folder) -> UploadOut:
    """How far it has come: the next part begins at `received_bytes`."""
    with edge.store.read() as tx:
        return _shown(tx, folder, tx.image_upload(ImageId(upload), who.tenant))


@router.put("/{upload}", openapi_extra=_PART)
@audited("image.upload-part", "image")
async def send_part(
    upload: Name, request: Request, who: Writer, edge: AtHand, *, folder: Folder, offset: Offset
) -> UploadOut:
    """Send the bytes that come next. What has come of a part that breaks off is kept: ask how far it
    has come, and go on there."""
    known = await to_thread.run_sync(_found, edge, who, upload)
    await _append(edge, folder, known, offset, request)
    return await edge.look(lambda tx: _shown(tx, folder, known))


@router.post("/{upload}/complete", status_code=201, response_model=ImageOut)
@audited("image.add", "image")
def complete_upload(
    upload: Name,
    body: Completed,
    who: Writer,
    edge: AtHand,
    *,
    folder: Folder,
    once: Once,
    dry_run: DryRun = False,
) -> Response:
    """The file is whole: compare its sha256, judge it against the admission standard, and take it
    into the catalogue, where its member alone sees it. Where it is refused, it stays: declare what
    was missing and complete it again, or give it up."""

    def work(remember: Remember) -> ImageOut:
        now = edge.clock.now()
        known = _found(edge, who, upload)
        with folder.writing(known):
            declared = body.declares.declared()
            image = judged(folder, known, declared, body.requirements, limits=_LIMITS, at=now)
            answer = ImageOut.of(image, who)
            if dry_run:
                return answer
            with edge.store.write() as tx:
                take_in(tx, image, who, now)
                remember(tx, answer)
        return answer

    return once.run(work, status=200 if dry_run else 201)


@router.delete("/{upload}", response_model=UploadOut)
@audited("image.upload-remove", "image")
def give_up(
    upload: Name, who: Writer, edge: AtHand, folder: Folder, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Give the upload up, and all that has come of it."""

    def work(remember: Remember) -> UploadOut:
        with edge.store.read() as tx:
            known = tx.image_upload(ImageId(upload), who.tenant)
            answer = _shown(tx, folder, known)
        if dry_run:
            return answer
        with letting_go(edge.store, folder, known), edge.store.write() as tx:
            abandon(tx, known, who, edge.clock.now())
            remember(tx, answer)
        return answer

    return once.run(work)


def _shown(tx: Snapshot, folder: UploadFolder, upload: ImageUpload) -> UploadOut:
    kept_until = folder.last_written(upload) + KEPT_FOR
    return UploadOut.of(upload, folder.received(upload), kept_until, tx.image_capture(upload.id))


def _found(edge: Edge, who: Principal, id: str) -> ImageUpload:
    """To be sent by somebody. Raises `image-upload-not-found`, `image-from-server`."""
    with edge.store.read() as tx:
        return need_sender(tx, tx.image_upload(ImageId(id), who.tenant))


async def _append(
    edge: Edge, folder: UploadFolder, upload: ImageUpload, offset: int, request: Request
) -> None:
    """Write the request's body to the end of the file. Raises `image-upload-elsewhere`,
    `image-upload-busy`, and what its room raises."""
    with folder.writing(upload) as descriptor:
        at = os.fstat(descriptor).st_size
        need_offset(upload, at, offset)
        open_ended = upload.sha256 is None
        room = growing(edge.store, folder, upload.id, _LIMITS) if open_ended else announced(upload)
        await append(descriptor, at, request.stream(), room)
