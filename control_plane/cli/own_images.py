"""`yui image upload` and what becomes of members' own images."""

from __future__ import annotations

import hashlib
import io
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from control_plane.cli import image_messages as i
from control_plane.cli import messages as m
from control_plane.cli.changes import shown
from control_plane.cli.client import ApiProblem, segment
from control_plane.cli.exit_codes import ExitCode, exit_code_of
from control_plane.cli.images import (
    Declare,
    ImageName,
    Provenance,
    Requirements,
    Version,
    app,
    declared,
    show_answer,
    text_of,
)
from control_plane.cli.options import DryRun
from control_plane.cli.output import Column, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.errors import YuiError
from images.models import ImageOut, ImageQuotaOut, UploadOut

_UPLOADS = "/v1/images/uploads"
_PART = 8 * 1024 * 1024
_PATIENCE = 120.0
"""Seconds for which the API may be away while a part is sent: another control plane needs this long at
most to take over."""
_MIB = 1024 * 1024

__all__ = ["app"]

ImageArgument = Annotated[str, typer.Argument(help="The image's id.", metavar="IMAGE")]


@app.command("upload")
def upload(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="The disk image on this machine: qcow2 or raw.", metavar="FILE")
    ],
    *,
    name: ImageName,
    version: Version,
    provenance: Provenance,
    declare: Declare = None,
    requirements: Requirements = None,
) -> None:
    """Bring an image of your own, which nobody else sees. Run it again where it broke off."""
    session = session_of(context)
    body: dict[str, object] = {"declares": declared(declare)}
    if requirements is not None:
        body["requirements"] = text_of(requirements)
    with _opened(file) as data:
        size, digest = os.fstat(data.fileno()).st_size, hashlib.file_digest(data, "sha256")
        wanted = {
            "name": name,
            "version": version,
            "provenance": provenance,
            "size_bytes": size,
            "sha256": digest.hexdigest(),
        }
        begun = _begun_before(session, wanted) or read(
            UploadOut, session.api.post(_UPLOADS, wanted)
        )
        session.underway = session.screen.text(i.UPLOAD_GOES_ON)
        _send(session, begun, data, size)
    document = session.api.post(f"{_UPLOADS}/{segment(begun.id)}/complete", body)
    session.underway = None
    show_answer(session, document)


@app.command("uploads")
def uploads(context: typer.Context) -> None:
    """List the uploads under way."""
    session = session_of(context)
    documents = session.api.every(_UPLOADS)
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [
            Column(m.ID),
            Column(m.IMAGE),
            Column(m.VERSION),
            Column(m.PROGRESS),
            Column(i.KEPT_UNTIL),
        ],
        [
            (
                one.id,
                one.name,
                one.version,
                f"{one.received_bytes // _MIB}/{_in_mib(one.size_bytes)} MiB",
                local_time(one.kept_until.isoformat()),
            )
            for one in read_all(UploadOut, documents)
        ],
    )


@app.command("give-up")
def give_up(
    context: typer.Context,
    upload: Annotated[str, typer.Argument(help="The upload's id.", metavar="UPLOAD")],
) -> None:
    """Give an upload up, and all that has come of it."""
    session = session_of(context)
    document = session.api.delete(f"{_UPLOADS}/{segment(upload)}")
    if not shown(session, document):
        session.screen.say(i.GIVEN_UP, name=read(UploadOut, document).name)


@app.command("delete")
def delete(context: typer.Context, image: ImageArgument, dry_run: DryRun = False) -> None:
    """Delete an image that you brought, with its file."""
    session = session_of(context)
    document = session.api.delete(f"/v1/images/{segment(image)}", dry_run=dry_run)
    if session.screen.json:
        session.screen.data(document)
        return
    said = m.POOL_DRY_RUN if dry_run else i.DELETED
    session.screen.say(said, **({} if dry_run else {"image": read(ImageOut, document).id}))


@app.command("share")
def share(
    context: typer.Context,
    image: ImageArgument,
    end: Annotated[
        bool, typer.Option("--end", help="Let the member that brought it alone use it again.")
    ] = False,
) -> None:
    """Let all members use an image that one of them brought."""
    session = session_of(context)
    document = session.api.patch(f"/v1/images/{segment(image)}", {"shared": not end})
    if not shown(session, document):
        session.screen.say(i.NOT_SHARED if end else i.SHARED, image=read(ImageOut, document).id)


@app.command("usage")
def usage(
    context: typer.Context,
    member: Annotated[str, typer.Argument(help="The municipality code.", metavar="CODE")],
    quota_gib: Annotated[
        int | None, typer.Option(help="Let the member keep so many GiB of images.", min=0)
    ] = None,
) -> None:
    """Show how much of images a member keeps and may keep, or set it."""
    session = session_of(context)
    path = f"/v1/members/{segment(member)}/image-quota"
    document = (
        session.api.get(path) if quota_gib is None else session.api.put(path, {"gib": quota_gib})
    )
    if session.screen.json:
        session.screen.data(document)
        return
    found = read(ImageQuotaOut, document)
    session.screen.say(
        i.USAGE,
        member=found.tenant,
        used=f"{found.used_bytes / 1024**3:.1f}",
        quota=found.quota_gib,
    )


def _begun_before(session: Session, wanted: dict[str, Any]) -> UploadOut | None:
    """An upload of the same file under the same words."""
    for document in session.api.every(_UPLOADS):
        if all(document.get(key) == value for key, value in wanted.items()):
            return read(UploadOut, document)
    return None


def _in_mib(size_bytes: int | None) -> str:
    return "?" if size_bytes is None else str(-(-size_bytes // _MIB))


def _send(session: Session, upload: UploadOut, data: io.BufferedReader, size: int) -> None:
    path = f"{_UPLOADS}/{segment(upload.id)}"
    at, give_up_at = upload.received_bytes, time.monotonic() + _PATIENCE
    with session.screen.progress(upload.name, -(-size // _MIB)) as bar:
        while at < size:
            bar.at(at // _MIB, -(-size // _MIB))
            data.seek(at)
            try:
                answer = session.api.part(path, data.read(_PART), offset=at)
                give_up_at = time.monotonic() + _PATIENCE
            except YuiError as error:
                gone = exit_code_of(error) is ExitCode.UNREACHABLE
                elsewhere = isinstance(error, ApiProblem) and error.type in _GO_ON
                if not (gone or elsewhere) or time.monotonic() > give_up_at:
                    raise
                time.sleep(1)
                answer = session.api.get(path) if elsewhere else None
            at = at if answer is None else read(UploadOut, answer).received_bytes


_GO_ON = frozenset({"image-upload-elsewhere", "image-upload-busy", "rate-limited"})
"""After a connection broke, what was sent before it may have come, or be coming still."""


def _opened(path: Path) -> io.BufferedReader:
    """Raises `image-file-missing`."""
    try:
        return path.open("rb")
    except OSError as error:
        raise YuiError(
            "image-file-missing",
            en=f"The image file {path} can't be opened ({error.strerror}): check its name and permissions.",
            ja=f"イメージファイル {path} を開けません({error.strerror})。名前と権限を確認してください。",
        ) from None
