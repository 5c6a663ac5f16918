"""What is told of images that are made from servers."""

from __future__ import annotations

from datetime import datetime

from control_plane.model.access import AuditEntry
from control_plane.model.errors import YuiError
from control_plane.model.image import Image, ImageCapture
from control_plane.model.operation import Event, Severity

PRINCIPAL = "images"
"""Of entries about what nobody did by hand."""

SOURCE_GONE = YuiError(
    "image-source-gone",
    en="The server, or the copy of its disk, was removed before the image was whole.",
    ja="イメージが完成する前に、サーバーまたはそのディスクの複写が削除されました。",
    status=409,
)


def made(capture: ImageCapture, image: Image, at: datetime) -> Event:
    return _event(
        capture,
        "image.add",
        at,
        Severity.INFO,
        (
            f"Image {image.name} {image.version} ({image.id}) was made from server {capture.server_name}'s disk.",
            f"サーバー {capture.server_name} のディスクからイメージ {image.name} {image.version}({image.id})を作成しました。",
        ),
    )


def made_entry(capture: ImageCapture, image: Image, at: datetime) -> AuditEntry:
    return AuditEntry(
        at=at,
        principal=PRINCIPAL,
        role=None,
        tenant=capture.tenant.text,
        action="image.add",
        subject=f"image:{image.id}",
        outcome="done",
        fields={
            "name": image.name,
            "version": image.version,
            "sha256": image.sha256,
            "server": capture.server,
        },
    )


def put_off(capture: ImageCapture, why: str, at: datetime) -> Event:
    """`why` may name hardware."""
    return _event(
        capture,
        "image.put-off",
        at,
        Severity.WARNING,
        (
            f"The image from server {capture.server_name}'s disk is put off, and tried again: {why}",
            f"サーバー {capture.server_name} のディスクからのイメージ作成を延期しました。自動で再試行します。理由: {why}",
        ),
        member=(
            f"The image from server {capture.server_name}'s disk is put off, and tried again.",
            f"サーバー {capture.server_name} のディスクからのイメージ作成を延期しました。自動で再試行します。",
        ),
    )


def failed(capture: ImageCapture, refused: YuiError, at: datetime) -> Event:
    return _event(
        capture,
        "image.not-made",
        at,
        Severity.WARNING,
        (
            f"No image was made from server {capture.server_name}'s disk: {refused.en}",
            f"サーバー {capture.server_name} のディスクからイメージを作成できませんでした。{refused.ja}",
        ),
    )


def _event(
    capture: ImageCapture,
    kind: str,
    at: datetime,
    severity: Severity,
    said: tuple[str, str],
    *,
    member: tuple[str, str] | None = None,
) -> Event:
    return Event(
        kind,
        f"image:{capture.image}",
        at,
        severity,
        *said,
        tenant=capture.tenant.text,
        member_en=None if member is None else member[0],
        member_ja=None if member is None else member[1],
    )
