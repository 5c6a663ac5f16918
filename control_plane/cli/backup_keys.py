"""`yui backup-key`: members' backup keys, exported, changed, or destroyed by two people."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from backup.api.models import KeyTaskOut
from control_plane.cli import backup_messages as b
from control_plane.cli.changes import shown, tell
from control_plane.cli.client import segment
from control_plane.cli.members import Code
from control_plane.cli.options import DryRun, Yes, confirm_or_abort
from control_plane.cli.output import Column, State, local_time
from control_plane.cli.private_file import write_private
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.errors import YuiError

app = typer.Typer(no_args_is_help=True, help="Members' backup keys.")

_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")

Why = Annotated[str, typer.Option(help="Why, in one sentence; it is kept.")]
Where = Annotated[
    str | None, typer.Option("--repository", help="Only in this repository; otherwise in all.")
]
Task = Annotated[str, typer.Argument(help="The request's id.", metavar="REQUEST")]


@app.command("list")
def list_(context: typer.Context, code: Code) -> None:
    """List what was asked about a member's keys, and what came of it."""
    session = session_of(context)
    documents = session.api.every(_path(code))
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(KeyTaskOut, documents)
    if not found:
        session.screen.note(b.NO_KEY_TASKS)
        return
    session.screen.table(
        [
            Column(b.TASK),
            Column(b.ERRAND),
            Column(b.STATE),
            Column(b.ASKED_BY),
            Column(b.TAKEN),
            Column(b.REASON),
            Column(b.TROUBLE),
        ],
        [
            (
                one.id,
                one.errand,
                State(one.state),
                one.asked_by or "-",
                local_time(one.asked_at.isoformat()),
                one.reason,
                session.sentence(one.trouble_en or "-", one.trouble_ja or "-"),
            )
            for one in found
        ],
    )


@app.command("new-pair")
def new_pair(
    context: typer.Context,
    *,
    out: Annotated[
        Path, typer.Option(help="The new file for the private half; nobody else may read it.")
    ],
    public: Annotated[
        Path, typer.Option(help="The new file for the public half, to seal exports for.")
    ],
) -> None:
    """Make a pair of keys for exports (X25519), on this machine alone."""
    session = session_of(context)
    private_text, public_text = _pair()
    write_private(out, lambda: private_text)
    try:
        write_private(public, lambda: public_text)
    except YuiError:
        out.unlink()
        raise
    if session.screen.json:
        session.screen.data({"private": str(out), "public": str(public)})
        return
    session.screen.say(b.PAIR_MADE, private=out, public=public)


@app.command()
def escrow(
    context: typer.Context,
    code: Code,
    *,
    recipient: Annotated[
        Path, typer.Option(help="The file with the public key (X25519, base64) to seal them for.")
    ],
    reason: Why,
    repository: Where = None,
    dry_run: DryRun = False,
) -> None:
    """Have a member's keys exported, sealed for a public key; the member alone can."""
    session = session_of(context)
    body = {"errand": "escrow", "reason": reason, "recipient": _public_key(recipient)}
    _ask(session, code, body, repository, dry_run=dry_run)


@app.command()
def rotate(
    context: typer.Context,
    code: Code,
    *,
    reason: Why,
    repository: Where = None,
    dry_run: DryRun = False,
) -> None:
    """Have what is new sealed with a new key; what was sealed stays readable."""
    body = {"errand": "rotate", "reason": reason}
    _ask(session_of(context), code, body, repository, dry_run=dry_run)


@app.command()
def destroy(
    context: typer.Context,
    code: Code,
    *,
    reason: Why,
    repository: Where = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Ask that a member's keys be destroyed, which another person agrees to."""
    session = session_of(context)
    confirm_or_abort(session, b.DESTROY_ASK, yes=yes or dry_run, code=code)
    _ask(session, code, {"errand": "destroy", "reason": reason}, repository, dry_run=dry_run)


@app.command()
def agree(context: typer.Context, request: Task, dry_run: DryRun = False) -> None:
    """Agree, as another person than who asked."""
    session = session_of(context)
    document = session.api.post(f"/v1/backup-keys/{segment(request)}/agree", dry_run=dry_run)
    tell(session, document, b.KEYS_AGREED, dry_run=dry_run, task=request)


@app.command()
def cancel(context: typer.Context, request: Task) -> None:
    """Take back what nobody has agreed to yet."""
    session = session_of(context)
    document = session.api.post(f"/v1/backup-keys/{segment(request)}/cancel")
    tell(session, document, b.KEYS_CANCELLED, task=request)


def _pair() -> tuple[str, str]:
    """The private half as PEM (PKCS #8), so that nothing takes it for the public one, which is base64."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = X25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = base64.b64encode(key.public_key().public_bytes_raw())
    return private.decode("ascii"), public.decode("ascii") + "\n"


def _public_key(path: Path) -> str:
    """Raises `key-file-unreadable`."""
    try:
        with path.open(encoding="ascii") as file:
            found = file.read(200).strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if _KEY.fullmatch(found) is None:
        raise YuiError(
            "key-file-unreadable",
            en=f"{path} holds no public key: give a file with 32 bytes (X25519) in base64, and nothing else.",
            ja=f"{path} に公開鍵がありません。32 バイト(X25519)を base64 で書いたファイルを指定してください。",
        )
    return found


def _ask(
    session: Session,
    code: str,
    body: dict[str, Any],
    repository: str | None,
    *,
    dry_run: bool,
) -> None:
    wanted = body if repository is None else {**body, "repository": repository}
    document = session.api.post(_path(code), wanted, dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        found = read(KeyTaskOut, document)
        session.screen.say(b.KEYS_WAIT if found.state == "asked" else b.KEYS_ASKED, task=found.id)


def _path(code: str) -> str:
    return f"/v1/members/{segment(code)}/backup-keys"
