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
from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.image import ImageUpload
from images.at_hand import Folder
from images.inspection import Limits
from images.models import Completed, ImageOut, UploadIn, UploadOut
from images.uploads import (
    KEPT_FOR,
    PART_BYTES,
    UploadFolder,
    begin,
    disk_full,
    forget_stale,
    is_full,
    judged,
    need_offset,
    new_upload,
    take_in,
)

router = APIRouter(prefix="/v1/images/uploads", tags=["images"])
"""To stand before the routes of /v1/images/{image}."""

_AT_ONCE = 1024 * 1024
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
    """Begin to bring an image. Its whole length counts as used until it is given up; an upload of
    which nothing comes for three days is given up by itself."""

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
            who=who,
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
        uploads, key=lambda one: one.id, show=partial(_shown, folder), limit=limit, cursor=cursor
    )


@router.get("/{upload}")
def read_upload(upload: Name, who: Writer, edge: AtHand, folder: Folder) -> UploadOut:
    """How far it has come: the next part begins at `received_bytes`."""
    return _shown(folder, _found(edge, who, upload))


@router.put("/{upload}", openapi_extra=_PART)
@audited("image.upload-part", "image")
async def send_part(
    upload: Name, request: Request, who: Writer, edge: AtHand, *, folder: Folder, offset: Offset
) -> UploadOut:
    """Send the bytes that come next. What has come of a part that breaks off is kept: ask how far it
    has come, and go on there."""
    known = await to_thread.run_sync(_found, edge, who, upload)
    await _append(folder, known, offset, request)
    return await to_thread.run_sync(_shown, folder, known)


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
        known = _found(edge, who, upload)
        answer = _shown(folder, known)
        with folder.writing(known), edge.rehearsable(dry_run) as tx:
            tx.remove_image_upload(known.id)
            tx.add_audit(
                who.did(
                    "image.upload-remove",
                    f"image:{known.id}",
                    edge.clock.now(),
                    tenant=who.tenant,
                    fields={"name": known.name},
                )
            )
            remember(tx, answer)
        if not dry_run:
            folder.remove(known.id)
        return answer

    return once.run(work)


def _shown(folder: UploadFolder, upload: ImageUpload) -> UploadOut:
    return UploadOut.of(upload, folder.received(upload), folder.last_written(upload) + KEPT_FOR)


def _found(edge: Edge, who: Principal, id: str) -> ImageUpload:
    with edge.store.read() as tx:
        return tx.image_upload(ImageId(id), who.tenant)


async def _append(folder: UploadFolder, upload: ImageUpload, offset: int, request: Request) -> None:
    """Write the request's body to the end of the file. Raises `image-upload-elsewhere`,
    `image-upload-busy`, `image-upload-too-long` and `image-disk-full`."""
    with folder.writing(upload) as descriptor:
        at = os.fstat(descriptor).st_size
        need_offset(upload, at, offset)
        waiting = bytearray()
        async for chunk in request.stream():
            waiting += chunk
            if at + len(waiting) > upload.size_bytes:
                raise _too_long(upload)
            if len(waiting) >= _AT_ONCE:
                at += await to_thread.run_sync(_write, descriptor, bytes(waiting), at)
                waiting.clear()
        await to_thread.run_sync(_write, descriptor, bytes(waiting), at)
        await to_thread.run_sync(os.fsync, descriptor)


def _write(descriptor: int, data: bytes, at: int) -> int:
    written = 0
    try:
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], at + written)
    except OSError as failed:
        if is_full(failed):
            raise disk_full() from failed
        raise
    return written


def _too_long(upload: ImageUpload) -> YuiError:
    return YuiError(
        "image-upload-too-long",
        en=f"'{upload.name}' was to have {upload.size_bytes} bytes, and more came: give it up and begin anew with its true length.",
        ja=f"「{upload.name}」は {upload.size_bytes} バイトのはずですが、それを超えるデータが届きました。取りやめて、正しい長さで始め直してください。",
        status=409,
        fields={"image_upload": upload.id, "size_bytes": upload.size_bytes},
    )
