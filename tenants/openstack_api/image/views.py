"""Images as Glance shows them: those of the catalogue, and those still on their way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.image import Image, ImageCapture, ImageUpload
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from images.uploads import UploadFolder
from tenants.openstack_api.times import seconds

QUEUED, SAVING, ACTIVE = "queued", "saving", "active"


@dataclass(frozen=True, slots=True)
class Shown:
    """An image as far as Glance's words go; `min_disk` in GiB, `size` in bytes."""

    id: ImageId
    name: str
    status: str
    visibility: str
    owner: str | None
    disk_format: str | None
    at: datetime
    size: int | None
    sha256: str | None
    min_disk: int
    properties: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        at = seconds(self.at)
        return {
            **self.properties,
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "visibility": self.visibility,
            "owner": self.owner,
            "protected": False,
            "os_hidden": False,
            "container_format": "bare",
            "disk_format": self.disk_format,
            "size": self.size,
            "virtual_size": None,
            "checksum": None,
            "os_hash_algo": None if self.sha256 is None else "sha256",
            "os_hash_value": self.sha256,
            "min_disk": self.min_disk,
            "min_ram": 0,
            "tags": [],
            "created_at": at,
            "updated_at": at,
            "self": f"/v2/images/{self.id}",
            "file": f"/v2/images/{self.id}/file",
            "schema": "/v2/schemas/image",
        }


def find(tx: Snapshot, id: str, project: MunicipalityCode) -> Image | ImageUpload:
    """Raises `image-not-found`."""
    try:
        return tx.image(ImageId(id), project)
    except YuiError as missing:
        try:
            return tx.image_upload(ImageId(id), project)
        except YuiError:
            raise missing from None


def shown(
    tx: Snapshot, found: Image | ImageUpload, folder: UploadFolder, project: MunicipalityCode
) -> Shown:
    if isinstance(found, Image):
        return _of_image(found, project)
    return _of_upload(found, folder, tx.image_capture(found.id))


def all_shown(tx: Snapshot, folder: UploadFolder, project: MunicipalityCode) -> list[Shown]:
    """Everything that the member sees."""
    captures = {capture.image: capture for capture in tx.image_captures()}
    return [
        *(_of_image(image, project) for image in tx.images(project)),
        *(
            _of_upload(upload, folder, captures.get(upload.id))
            for upload in tx.image_uploads(project)
        ),
    ]


def _of_image(image: Image, project: MunicipalityCode) -> Shown:
    return Shown(
        id=image.id,
        name=image.name,
        status=ACTIVE,
        visibility="private" if image.private else "public",
        owner=project.text if image.owner == project.text else None,
        disk_format=image.format.value,
        at=image.added_at,
        size=image.size_bytes,
        sha256=image.sha256,
        min_disk=image.virtual_size,
        properties=dict(image.properties),
    )


def _of_upload(upload: ImageUpload, folder: UploadFolder, capture: ImageCapture | None) -> Shown:
    received = 0 if folder.directory is None else folder.received(upload)
    return Shown(
        id=upload.id,
        name=upload.name,
        status=SAVING if received or (capture is not None and capture.length) else QUEUED,
        visibility="private",
        owner=upload.tenant,
        disk_format=None if upload.format is None else upload.format.value,
        at=upload.begun_at,
        size=None,
        sha256=None,
        min_disk=0,
        properties=dict(upload.properties),
    )
