"""What becomes of members' images over HTTP: shared, deleted, and how much of them may be kept."""

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
from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.units import GiB
from control_plane.store import Snapshot
from control_plane.store.rows import not_found
from images.at_hand import Folder
from images.models import ImageOut, ImageQuotaIn, ImageQuotaOut, SharedIn
from images.uploads import QUOTA, tell

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
                raise _not_owned(found.id)
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
            if found.owner is None or (who.tenant is not None and found.owner != who.tenant.text):
                raise _not_owned(found.id)
            if not found.private and who.tenant is not None:
                raise _is_shared(found.id)
            answer = ImageOut.of(found, who)
            tx.remove_image(found.id)
            said = ("was deleted", "を削除しました")
            tell(tx, found, who, edge.clock.now(), action="image.delete", said=said)
            remember(tx, answer)
        if not dry_run:
            folder.remove(found.id)
        return answer

    return once.run(work)


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
    gib = tx.image_quota(code) or QUOTA
    return ImageQuotaOut(tenant=code, quota_gib=gib, used_bytes=tx.image_bytes(code))


def _member(tx: Snapshot, who: Principal, code: str) -> str:
    if who.tenant is not None and who.tenant.text != code:
        raise not_found("tenant", code)
    return tx.tenant(code).code.text


def _not_owned(id: ImageId) -> YuiError:
    return YuiError(
        "image-not-owned",
        en=f"Image '{id}' belongs to the consortium's catalogue, and not to you: only what a member brought can be shared and deleted here.",
        ja=f"イメージ「{id}」は共同カタログのものです。ここで共有や削除ができるのは、団体が登録したイメージだけです。",
        status=409,
        fields={"image": id},
    )


def _is_shared(id: ImageId) -> YuiError:
    return YuiError(
        "image-shared",
        en=f"Image '{id}' is shared with all members, who may be using it: ask an operator to end that first.",
        ja=f"イメージ「{id}」はすべての団体と共有中です。先に運用担当者に共有の終了を依頼してください。",
        status=409,
        fields={"image": id},
    )
