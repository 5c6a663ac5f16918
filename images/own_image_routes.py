"""What becomes of members' images over HTTP: described, shared, handed out, deleted, and how much of them
may be kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import ImageId
from control_plane.model.units import GiB
from control_plane.store import Snapshot
from control_plane.store.rows import not_found
from images.at_hand import Folder
from images.handing_out import HANDED_OUT, HandedOut, handed_out
from images.models import DescriptionIn, ImageOut, ImageQuotaIn, ImageQuotaOut, SharedIn
from images.own_images import delete, describe, not_owned
from images.uploads import quota_of, tell

router = APIRouter(prefix="/v1/images", tags=["images"])
quota_router = APIRouter(prefix="/v1", tags=["images"])


@router.patch("/{image}", response_model=ImageOut)
@audited("image.share", "image")
def share_image(
    image: Name,
    body: SharedIn,
    who: Annotated[Principal, needs(Permission.IMAGES_SHARE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Let all members use an image that one of them brought, or that one alone again. Servers that
    were made from it stay."""

    def work(remember: Remember) -> ImageOut:
        with edge.rehearsable(dry_run) as tx:
            found = tx.image(ImageId(image), who.tenant)
            if found.owner is None:
                raise not_owned(found.id)
            changed = replace(found, private=not body.shared)
            answer = ImageOut.of(changed, who)
            if changed != found:
                tx.put_image(changed)
                said = (
                    ("was shared with all members", "をすべての団体と共有しました")
                    if body.shared
                    else ("is no longer shared", "の共有をやめました")
                )
                at = edge.clock.now()
                tell(tx, changed, who, at, action="image.share", said=said)
            remember(tx, answer)
        return answer

    return once.run(work)


@router.delete("/{image}", response_model=ImageOut)
@audited("image.delete", "image")
def delete_image(
    image: Name,
    who: Annotated[Principal, needs(Permission.IMAGES_WRITE)],
    edge: AtHand,
    folder: Folder,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Delete an image that a member brought, with its file. One that servers are made from stays, as
    does one that is shared where a member asks."""

    def work(remember: Remember) -> ImageOut:
        with edge.rehearsable(dry_run) as tx:
            found = tx.image(ImageId(image), who.tenant)
            answer = ImageOut.of(found, who)
            delete(tx, found, who, edge.clock.now())
            remember(tx, answer)
        if not dry_run:
            folder.remove(found.id)
        return answer

    return once.run(work)


@router.put("/{image}/description", response_model=ImageOut)
@audited("image.describe", "image")
def describe_image(
    image: Name,
    body: DescriptionIn,
    who: Annotated[Principal, needs(Permission.IMAGES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Say anew what an image of one's own is called, and whatever else is to be known of it."""

    def work(remember: Remember) -> ImageOut:
        with edge.rehearsable(dry_run) as tx:
            found = tx.image(ImageId(image), who.tenant)
            properties = tuple(sorted(body.properties.items()))
            after = describe(
                tx, found, who, edge.clock.now(), name=body.name, properties=properties
            )
            answer = ImageOut.of(after, who)
            remember(tx, answer)
        return answer

    return once.run(work)


@router.get("/{image}/file", response_class=HandedOut, status_code=200, responses=HANDED_OUT)
async def read_file(
    image: Name, who: Annotated[Principal, needs(Permission.IMAGES_READ)], edge: AtHand
) -> Response:
    """The bytes of an image of one's own, or a range of them."""
    found = await edge.look(lambda tx: tx.image(ImageId(image), who.tenant))
    return handed_out(found, who, edge)


@quota_router.get("/members/{code}/image-quota")
def read_image_quota(
    code: CodeText, who: Annotated[Principal, needs(Permission.QUOTAS_READ)], edge: AtHand
) -> ImageQuotaOut:
    """How much of images the member may keep, and keeps."""
    with edge.store.read() as tx:
        return _quota(tx, _member(tx, who, code))


@quota_router.put("/members/{code}/image-quota", response_model=ImageQuotaOut)
@audited("image.quota", "member")
def set_image_quota(
    code: CodeText,
    body: ImageQuotaIn,
    who: Annotated[Principal, needs(Permission.QUOTAS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Let the member keep so much of images. What it keeps already stays, also where that is more."""

    def work(remember: Remember) -> ImageQuotaOut:
        with edge.rehearsable(dry_run) as tx:
            member = _member(tx, who, code)
            tx.set_image_quota(member, GiB(body.gib))
            answer = _quota(tx, member)
            tx.add_audit(
                who.did(
                    "image.quota",
                    f"member:{member}",
                    edge.clock.now(),
                    tenant=tx.tenant(member).code,
                    fields={"size_gib": body.gib},
                )
            )
            remember(tx, answer)
        return answer

    return once.run(work)


def _quota(tx: Snapshot, code: str) -> ImageQuotaOut:
    return ImageQuotaOut(tenant=code, quota_gib=quota_of(tx, code), used_bytes=tx.image_bytes(code))


def _member(tx: Snapshot, who: Principal, code: str) -> str:
    if who.tenant is not None and who.tenant.text != code:
        raise not_found("tenant", code)
    return tx.tenant(code).code.text
