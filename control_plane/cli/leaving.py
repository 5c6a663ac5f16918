"""`yui member leave` and what follows it: agree, stay after all, fetch the export, confirm it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from control_plane.cli import leaving_messages as lm
from control_plane.cli import messages as m
from control_plane.cli.changes import finish
from control_plane.cli.client import answer_not_understood, segment
from control_plane.cli.language import Message
from control_plane.cli.members import Code, app, tell_member
from control_plane.cli.options import DryRun, Wait, Yes, confirm
from control_plane.cli.output import Column
from control_plane.cli.session import Session, read, session_of
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from tenants.leaving.models import ExportFile, ExportOut

__all__ = ["app"]

_AT_ONCE = 1024 * 1024

Reason = Annotated[str, typer.Option(help="Why, in one sentence; it is kept.")]


@app.command()
def leave(
    context: typer.Context,
    code: Code,
    *,
    reason: Reason,
    destroy_keys: Annotated[
        bool,
        typer.Option("--destroy-keys", help="Keep a record of which of its keys were destroyed."),
    ] = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Ask for a member to leave with its disks and data; another person agrees."""
    session = session_of(context)
    MunicipalityCode(code)
    path = f"/v1/members/{segment(code)}/leave"
    body: dict[str, object] = {"reason": reason, "destroy_keys": destroy_keys}
    document = session.api.post(path, body, dry_run=dry_run)
    if not dry_run and not session.screen.json:
        session.screen.note(lm.LEAVE_ASKED, code=code)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command("approve-leave")
def approve_leave(context: typer.Context, code: Code) -> None:
    """Agree that a member leaves: another person than who asked. Its servers are stopped from then on."""
    _step(context, code, "leave/approve", None, lm.LEAVE_APPROVED)


@app.command("reject-leave")
def reject_leave(context: typer.Context, code: Code, *, reason: Reason) -> None:
    """Turn down that a member leaves."""
    _step(context, code, "leave/reject", {"reason": reason}, lm.STAYS)


@app.command("cancel-leave")
def cancel_leave(context: typer.Context, code: Code, *, reason: Reason) -> None:
    """Let a member stay after all: its servers start again. Not any more once its export is confirmed."""
    _step(context, code, "leave/cancel", {"reason": reason}, lm.STAYS)


@app.command()
def export(
    context: typer.Context,
    code: Code,
    *,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Fetch all files into this folder, and check them. What is there already is not fetched again."
        ),
    ] = None,
) -> None:
    """List what a leaving member takes along, or fetch it."""
    session = session_of(context)
    path = f"/v1/members/{segment(code)}/export"
    document = session.api.get(path)
    found = read(ExportOut, document)
    if to is not None:
        with session.screen.progress(code, sum(file.size for file in found.files)) as bar:
            done = 0
            for file in found.files:
                bar.at(done, sum(each.size for each in found.files), file.path)
                _fetch(session, f"{path}/file", file, to)
                done += file.size
    if session.screen.json:
        session.screen.data(document)
        return
    if to is None:
        session.screen.table(
            [Column(lm.FILE), Column(lm.BYTES, "right"), Column(m.SHA256)],
            [(file.path, f"{file.size:,}", file.sha256) for file in found.files],
        )
    else:
        session.screen.say(lm.FETCHED, count=len(found.files), folder=to)
    for missing in found.missing:
        session.screen.note(lm.NO_DISK, path=missing)


@app.command("confirm-export")
def confirm_export(
    context: typer.Context,
    code: Code,
    *,
    statement: Annotated[
        str,
        typer.Option(
            help="That you have the export and could read it, in one sentence; it is kept."
        ),
    ],
    yes: Yes = False,
) -> None:
    """Confirm that your municipality has its export: all it has in the pool is removed then."""
    session = session_of(context)
    if not confirm(session, lm.CONFIRM_ASK, yes=yes, code=code):
        session.screen.say(m.ABORTED)
        return
    _step(context, code, "leave/confirm", {"statement": statement}, lm.BEING_REMOVED)


@app.command("waive-export")
def waive_export(
    context: typer.Context,
    code: Code,
    *,
    reason: Annotated[
        str, typer.Option(help="Why nobody at the member can confirm, in one sentence; it is kept.")
    ],
    yes: Yes = False,
) -> None:
    """Remove what a member has without its own word, as an approver; its export stays."""
    session = session_of(context)
    if not confirm(session, lm.CONFIRM_ASK, yes=yes, code=code):
        session.screen.say(m.ABORTED)
        return
    _step(context, code, "leave/waive", {"reason": reason}, lm.BEING_REMOVED)


def _step(
    context: typer.Context, code: str, path: str, body: dict[str, object] | None, said: Message
) -> None:
    session = session_of(context)
    tell_member(session, session.api.post(f"/v1/members/{segment(code)}/{path}", body), said)


def _fetch(session: Session, path: str, file: ExportFile, folder: Path) -> None:
    """Have the file in `folder`, its digest checked; what an earlier attempt left is gone on with."""
    parts = PurePosixPath(file.path).parts
    if not parts or any(part in ("..", "/") for part in parts):
        raise answer_not_understood()
    place = folder.joinpath(*parts)
    part = place.with_name(f"{place.name}.part")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.is_file() and _sha256(place) == file.sha256:
            return
        held = part.stat().st_size if part.is_file() else 0
        if held > file.size:
            part.unlink()
            held = 0
        with part.open("ab") as out:
            part.chmod(0o600)
            if held < file.size:
                for chunk in session.api.parts(path, held, path=file.path):
                    out.write(chunk)
        if _sha256(part) != file.sha256:
            part.unlink()
            raise YuiError(
                "export-file-spoiled",
                en=f"{file.path} did not arrive as it was exported, so it was thrown away: fetch it again.",
                ja=f"{file.path} が正しく届かなかったため破棄しました。もう一度取得してください。",
            )
        part.rename(place)
    except OSError as error:
        raise YuiError(
            "export-not-kept",
            en=f"{place} can't be written ({error.strerror}): choose another folder with --to, or make room.",
            ja=f"{place} に書き込めません({error.strerror})。--to で別のフォルダーを指定するか、空きを確保してください。",
        ) from None


def _sha256(place: Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(place):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(place: Path) -> Iterator[bytes]:
    with place.open("rb") as file:
        while chunk := file.read(_AT_ONCE):
            yield chunk
