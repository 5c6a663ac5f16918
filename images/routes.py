"""Images over HTTP: everyone with a token reads the catalogue, operators add to it, members to their own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.language import preferred
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import AuditEntry, Permission
from control_plane.model.ids import ImageId
from images.at_hand import Directory
from images.catalogue import NewImage, add_image, describe, list_images, standing, verify_image
from images.directory import file_below
from images.inspection import Limits
from images.models import ImageIn, ImageOut, Standard

router = APIRouter(prefix="/v1/images", tags=["images"])

_LIMITS = Limits()


@router.get("")
def images(
    principal: Annotated[Principal, needs(Permission.IMAGES_READ)],
    edge: AtHand,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ImageOut]:
    """The catalogue; a member's token sees its own private images besides, and no other's."""
    with edge.store.read() as tx:
        found = tx.images(principal.tenant)
    return page_of(
        found,
        key=lambda image: image.id,
        show=lambda image: ImageOut.of(image, principal),
        limit=limit,
        cursor=cursor,
    )


@router.get("/standard")
def standard(
    _: Annotated[Principal, needs(Permission.IMAGES_READ)],
    accept_language: Annotated[str | None, Header(max_length=500)] = None,
) -> Standard:
    """What an image must satisfy to join the pool, and why."""
    return Standard.told_in(preferred(accept_language))


@router.get("/{image}")
def image(
    image: Name, principal: Annotated[Principal, needs(Permission.IMAGES_READ)], edge: AtHand
) -> ImageOut:
    with edge.store.read() as tx:
        found = tx.image(ImageId(image), principal.tenant)
    return ImageOut.of(found, principal)


@router.post("", status_code=201, response_model=ImageOut)
@audited("image.add", "image")
def add(
    body: ImageIn,
    principal: Annotated[Principal, needs(Permission.IMAGES_SHARE)],
    edge: AtHand,
    directory: Directory,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    def work(remember: Remember) -> ImageOut:
        now = edge.clock.now()
        new = NewImage(
            id=ImageId(body.id or body.name),
            name=body.name,
            version=body.version,
            path=file_below(directory, body.path),
            provenance=body.provenance,
            expected_sha256=body.sha256,
            declared=body.declares.declared(),
            machine=body.requirements,
        )
        described = describe(new, now, _LIMITS)
        if dry_run:
            known = standing(list_images(edge.store), described)
            return ImageOut.of(known or described, principal)
        with edge.store.write() as tx:
            answer = ImageOut.of(add_image(tx, described), principal)
            tx.add_audit(
                AuditEntry(
                    at=now,
                    principal=principal.token,
                    role=principal.role,
                    tenant=None,
                    action="image.add",
                    subject=f"image:{described.id}",
                    outcome="done",
                    fields={"sha256": described.sha256, "version": described.version},
                )
            )
            remember(tx, answer)
        return answer

    return once.run(work, status=200 if dry_run else 201)


@router.post("/{image}/verify")
def verify(
    image: Name, principal: Annotated[Principal, needs(Permission.IMAGES_SHARE)], edge: AtHand
) -> ImageOut:
    """Read the file again and compare its sha256 with the catalogue's."""
    return ImageOut.of(verify_image(edge.store, ImageId(image)), principal)
