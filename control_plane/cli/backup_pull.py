"""`yui backup pull`: a member's own copy, with all that reads it without Yui."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

import backup
from backup.api.copy_models import CopiedPointOut, CopyObjectOut, MemberCopyOut
from backup.api.models import KeyTaskOut
from backup.copy_folder import CopyFolder
from control_plane.access.models import Me
from control_plane.cli import pull_messages as p
from control_plane.cli.backup_policies import app
from control_plane.cli.client import answer_not_understood, segment
from control_plane.cli.exit_codes import ExitCode, exit_code_of
from control_plane.cli.language import Language
from control_plane.cli.options import Yes, confirm
from control_plane.cli.output import local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.errors import YuiError

__all__ = ["app"]

_PATIENCE = 120.0
"""Seconds for which nothing may come: another control plane takes so long at most to take over."""
_LONGEST_LISTING = 7200.0
_PAUSE = 1.0
_READER = "yui_restore.py"
_MB = 10**6
T = TypeVar("T")


@app.command()
def pull(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Where the copy is kept on this machine.", metavar="FOLDER")
    ],
    *,
    code: Annotated[
        str | None,
        typer.Option(help="The municipality code. Without it: the one that your token is of."),
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option("--system", help="Only this system (several times for several)."),
    ] = None,
    minimal: Annotated[
        bool, typer.Option("--minimal", help="Only what counters need while cut off.")
    ] = False,
    point: Annotated[
        list[str] | None,
        typer.Option("--point", help="This recovery point instead of the newest (repeatable)."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Read what is here already, and fetch anew what has rotted."),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Then remove what this copy does not need: older points, other systems."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Fetch your municipality's own sealed copy, with a program that reads it without Yui. Run it again
    where it broke off; it fetches only what is lacking."""
    session = session_of(context)
    code = code or read(Me, session.api.get("/v1/me")).tenant
    if code is None:
        raise YuiError(
            "members-own-copy",
            en="Only the member itself fetches its copy: use a token of one of its people, or of its service account.",
            ja="コピーを取得できるのは団体自身だけです。団体の利用者またはサービスアカウントのトークンを使ってください。",
            status=403,
        )
    path = f"/v1/members/{segment(code)}/backup-copy"
    asked = {"system": system or None, "minimal": minimal or None, "point": point or None}
    here = CopyFolder(folder)
    items, listed = _listed(session, path, asked)
    if not items:
        session.screen.note(p.NOTHING)
        raise typer.Exit(ExitCode.FAILED)
    with here.ours():
        lacking = [one for one in items if not here.has(one, read=check)]
        _fetch_all(session, path, here, lacking)
        _put_beside(here, code, listed.points)
        escrow = _escrow(session, here, code)
        session.api.post(f"{path}/taken", {"points": [each.id for each in listed.points]})
        removed = _prune(session, here, [one.key for one in items], yes=yes) if prune else None
    amount = sum(one.bytes for one in lacking)
    if session.screen.json:
        session.screen.data(
            {
                "folder": str(folder),
                "points": [each.model_dump(mode="json") for each in listed.points],
                "without_points": listed.without_points,
                "objects": len(items),
                "fetched_objects": len(lacking),
                "fetched_bytes": amount,
                "removed_objects": removed,
            }
        )
        return
    session.screen.say(
        p.FETCHED,
        count=f"{len(lacking):,}",
        amount=f"{amount / _MB:,.1f}",
        there=f"{len(items) - len(lacking):,}",
        points=len(listed.points),
        folder=folder,
    )
    if removed is not None:
        session.screen.say(p.PRUNED, count=removed)
    if listed.without_points:
        session.screen.note(p.WITHOUT, systems=", ".join(listed.without_points))
    session.screen.note(escrow, code=code)
    session.screen.say(p.HOW)
    session.screen.line(f"    python3 {folder / _READER} list {folder}")
    session.screen.line(
        f"    python3 {folder / _READER} restore {folder} {listed.points[0].manifests[0]} --to DIRECTORY --escrow {folder / 'escrow.json'} --private-key KEY-FILE"
    )


def _listed(
    session: Session, path: str, asked: dict[str, Any]
) -> tuple[list[CopyObjectOut], MemberCopyOut]:
    """Begun again where newer points came meanwhile."""
    while True:
        items: list[CopyObjectOut] = []
        cursor: str | None = None
        try:
            while True:
                page = _one_page(session, path, {**asked, "cursor": cursor})
                items.extend(page.items)
                if page.next is None:
                    return items, page
                cursor = page.next
        except YuiError as error:
            if error.type != "backup-copy-changed":
                raise


def _one_page(session: Session, path: str, asked: dict[str, Any]) -> MemberCopyOut:
    give_up_at, told = time.monotonic() + _LONGEST_LISTING, False
    while True:
        try:
            return read(MemberCopyOut, _patiently(lambda: session.api.get(path, **asked)))
        except YuiError as error:
            if error.type != "backup-copy-being-listed" or time.monotonic() > give_up_at:
                raise
        if not told:
            session.screen.note(p.BEING_LISTED)
            told = True
        time.sleep(_PAUSE)


def _fetch_all(
    session: Session, path: str, here: CopyFolder, lacking: Sequence[CopyObjectOut]
) -> None:
    """In the order in which they are listed: manifests last."""
    total, done = sum(one.bytes for one in lacking), 0

    with session.screen.progress("MB", -(-total // _MB)) as bar:

        def parts(one: CopyObjectOut, offset: int) -> Iterable[bytes]:
            at = done + offset
            asked = {"key": one.key, "repository": one.repository}
            for data in session.api.parts(f"{path}/object", offset, **asked):
                at += len(data)
                bar.at(at // _MB, -(-total // _MB))
                yield data

        for one in lacking:
            _patiently(partial(here.fetch, one, parts))
            done += one.bytes
            bar.at(done // _MB, -(-total // _MB))


def _patiently(work: Callable[[], T]) -> T:
    """Again and again while the API is away or asks for patience; what has come stays."""
    give_up_at = time.monotonic() + _PATIENCE
    while True:
        try:
            return work()
        except YuiError as error:
            away = exit_code_of(error) is ExitCode.UNREACHABLE or error.status == 429
            if error.type in _TELLING or not away or time.monotonic() > give_up_at:
                raise
        time.sleep(_PAUSE)


_TELLING = frozenset(
    {"backup-copy-being-listed", "api-not-yui", "api-answer-unknown", "copy-object-unknown"}
)
"""Answers for which waiting is somebody else's, or of no use."""


def _put_beside(here: CopyFolder, code: str, points: Sequence[CopiedPointOut]) -> None:
    here.put(_READER, (Path(backup.__file__).parent / _READER).read_bytes())
    held = "\n".join(
        f"    {one.system_name} ({one.system})  {local_time(one.taken_at.isoformat())}  {one.id}: {', '.join(one.manifests)}"
        for one in points
    )
    both = (p.README.text(language, code=code, points=held) for language in _BOTH)
    here.put("README.txt", "\n----\n\n".join(both).encode())


_BOTH = (Language.JA, Language.EN)


def _escrow(session: Session, here: CopyFolder, code: str) -> Any:
    """Puts the newest escrow file beside the copy; returns what is to be said of it."""
    tasks = read_all(KeyTaskOut, session.api.every(f"/v1/members/{segment(code)}/backup-keys"))
    carried = sorted((each for each in tasks if each.state == "carried"), key=lambda t: t.since)
    made = [each for each in carried if each.errand == "escrow" and each.result is not None]
    if not made:
        return p.ESCROW_HERE if (here.root / "escrow.json").is_file() else p.ESCROW_NONE
    try:
        here.put("escrow.json", base64.b64decode(made[-1].result or "", validate=True))
    except binascii.Error:
        raise answer_not_understood() from None
    changed = [each for each in carried if each.errand == "rotate"]
    return p.ESCROW_OLD if changed and changed[-1].since > made[-1].since else p.ESCROW_HERE


def _prune(session: Session, here: CopyFolder, wanted: list[str], *, yes: bool) -> int:
    gone = here.superfluous(wanted)
    points = sum("/points/" in key for key in gone)
    if points and not confirm(session, p.PRUNE_ASK, yes=yes, count=points, folder=here.root):
        session.screen.note(p.NOT_PRUNED)
        return 0
    here.remove(gone)
    return len(gone)
