"""Images are announced, described anew and deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.image import Image, ImageFormat, ImageUpload
from control_plane.model.tenant import MunicipalityCode
from images.at_hand import Folder
from images.inspection import Limits
from images.own_images import delete, describe
from images.uploads import begin, describe_upload, forget_stale, give_up, letting_go, new_upload
from tenants.openstack_api.answers import Answer, emptied
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.image.models import ImageIn
from tenants.openstack_api.image.patching import (
    PATCH_BODY,
    Changes,
    Described,
    changed,
    need_bare,
    need_usual,
    need_visibility,
)
from tenants.openstack_api.image.refusals import as_glance_says
from tenants.openstack_api.image.views import find, shown
from tenants.openstack_api.image.words import disk_format, properties_of, refuse, reserved
from tenants.openstack_api.links import service_url
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.IMAGE) + "/v2", tags=["openstack image"])

Writer = Annotated[Principal, needs(Permission.IMAGES_WRITE)]
_LIMITS = Limits()


@router.post("/images", status_code=201)
@audited("image.upload", "image")
def create_image(
    body: ImageIn,
    request: Request,
    who: Writer,
    region: InRegion,
    project: Project,
    *,
    edge: AtHand,
    folder: Folder,
    once: Once,
) -> Response:
    """Announces an image of one's own, whose bytes come next; one of which nothing comes for three days is
    given up by itself."""
    properties = _wanted(body, project)

    def work(remember: Remember) -> Answer:
        now = edge.clock.now()
        forget_stale(edge.store, folder, now)
        wanted = new_upload(
            body.name or "",
            dict(properties).get("os_version") or f"{now:%Y-%m-%d}",
            f"Brought by {who.label} with OpenStack's tools",
            None,
            None,
            at=now,
            tenant=project,
            format=disk_format(body.disk_format),
            properties=properties,
        )
        if body.name is None:
            wanted = replace(wanted, name=wanted.id)
        with edge.store.write(turn="images") as tx:
            begun = begin(tx, folder, wanted, who, _LIMITS)
            answer = Answer(shown(tx, begun, folder, project).document())
            remember(tx, answer)
        return answer

    def place(document: dict[str, object]) -> dict[str, str]:
        base = service_url(request, Service.IMAGE, region)
        return {"Location": f"{base}/images/{document['id']}"}

    with as_glance_says():
        return once.run(work, status=201, headers=lambda body: place(dict(body)))


@router.patch("/images/{image}", openapi_extra=PATCH_BODY)
@audited("image.describe", "image")
def change_image(
    image: str,
    who: Writer,
    _region: InRegion,
    project: Project,
    changes: Changes,
    *,
    edge: AtHand,
    folder: Folder,
    once: Once,
) -> Response:
    """Says anew what an image of one's own is called and what its properties are (JSON Patch)."""

    def work(remember: Remember) -> Answer:
        with edge.store.write() as tx:
            found = find(tx, image, project)
            now = shown(tx, found, folder, project)
            format = None if now.disk_format is None else ImageFormat(now.disk_format)
            before = _described(found, format, now.visibility)
            after = changed(before, changes)
            if isinstance(found, ImageUpload):
                described: Image | ImageUpload = describe_upload(
                    tx,
                    replace(
                        found, name=after.name, format=after.format, properties=after.properties
                    ),
                    who,
                    edge.clock.now(),
                )
            elif after.format is not found.format:
                raise refuse(
                    "disk_format", "is what the image is", "は実際の形式から変更できません"
                )
            elif after == before:
                described = found
            else:
                described = describe(
                    tx,
                    found,
                    who,
                    edge.clock.now(),
                    name=after.name,
                    properties=after.properties,
                )
            answer = Answer(shown(tx, described, folder, project).document())
            remember(tx, answer)
        return answer

    with as_glance_says():
        return once.run(work)


@router.delete("/images/{image}", status_code=204)
@audited("image.delete", "image")
def delete_image(
    image: str,
    who: Writer,
    _region: InRegion,
    project: Project,
    *,
    edge: AtHand,
    folder: Folder,
    once: Once,
) -> Response:
    """Deletes an image of one's own with its file, or gives up one that is still to come."""

    def work(remember: Remember) -> Answer:
        answer, now = Answer({}), edge.clock.now()
        with edge.store.read() as tx:
            found = find(tx, image, project)
        if isinstance(found, ImageUpload):
            with letting_go(edge.store, folder, found), edge.store.write() as tx:
                give_up(tx, found, who, now)
                remember(tx, answer)
            return answer
        with edge.store.write() as tx:
            delete(tx, tx.image(found.id, project), who, now)
            remember(tx, answer)
        folder.remove(found.id)
        return answer

    with as_glance_says():
        return emptied(once.run(work, status=204))


def _wanted(body: ImageIn, project: MunicipalityCode) -> tuple[tuple[str, str], ...]:
    """The properties. Raises what `words` raises for what can't be had."""
    if body.id is not None:
        raise refuse(
            "id", "is drawn here: leave it out", "は自動で決まります。指定しないでください"
        )
    if body.owner not in (None, project.text):
        raise reserved("owner")
    need_visibility(body.visibility)
    need_bare(body.container_format)
    for name in ("protected", "os_hidden", "min_disk", "min_ram", "tags"):
        need_usual(name, getattr(body, name))
    disk_format(body.disk_format)
    return properties_of(body.others)


def _described(
    found: Image | ImageUpload, format: ImageFormat | None, visibility: str
) -> Described:
    return Described(found.name, format, visibility, found.properties)
