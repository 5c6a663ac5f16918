"""`yui keypair`: keys by which a member's people get into the servers that they make."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli import keypair_messages as k
from control_plane.cli import messages as m
from control_plane.cli.changes import remove_after_asking, tell
from control_plane.cli.client import segment
from control_plane.cli.names import id_among
from control_plane.cli.options import DryRun, TenantFilter, Yes
from control_plane.cli.output import Column, local_time
from control_plane.cli.private_file import write_private
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.errors import YuiError
from tenants.keypairs.models import KeyPairMade, KeyPairOut

app = typer.Typer(
    no_args_is_help=True, help="Key pairs: who gets into new servers, by their public keys."
)

KeyPairArgument = Annotated[
    str, typer.Argument(help="The key pair's id, or its name.", metavar="KEYPAIR")
]
_PATH = "/v1/keypairs"


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is to be called.", metavar="NAME")],
    *,
    public_key: Annotated[
        Path | None, typer.Option(help="The file of its public half, such as id_ed25519.pub.")
    ] = None,
    make: Annotated[
        Path | None,
        typer.Option(help="Have a key made, and write its private half to this new file."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Add a public key, or have a key made."""
    session = session_of(context)
    if (public_key is None) is (make is None):
        raise YuiError("key-missing", en=k.KEYPAIR_ONE_OF.en, ja=k.KEYPAIR_ONE_OF.ja)
    body = {"name": name}
    if public_key is not None:
        body["public_key"] = _text_of(public_key)
    if dry_run or make is None:
        document = session.api.post(_PATH, body, dry_run=dry_run)
    else:
        documents = []

        def private() -> str:
            documents.append(session.api.post(_PATH, body))
            return read(KeyPairMade, documents[0]).private_key or ""

        write_private(make, private)
        document = {key: value for key, value in documents[0].items() if key != "private_key"}
    if make is None:
        tell(session, document, k.KEYPAIR_ADDED, dry_run=dry_run, keypair=name)
    else:
        tell(session, document, k.KEYPAIR_MADE, dry_run=dry_run, keypair=name, file=make)


@app.command("list")
def list_(context: typer.Context, tenant: TenantFilter = None) -> None:
    """List key pairs."""
    session = session_of(context)
    documents = session.api.every(_PATH, tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    keypairs = read_all(KeyPairOut, documents)
    if not keypairs:
        session.screen.say(k.NO_KEYPAIRS)
        return
    session.screen.table(
        [Column(head) for head in (m.ID, m.MEMBER, m.NAME, k.FINGERPRINT)],
        [(one.id, one.tenant, one.name, one.fingerprint) for one in keypairs],
    )


@app.command()
def show(context: typer.Context, keypair: KeyPairArgument) -> None:
    """Show one key pair with its public key."""
    session = session_of(context)
    document = session.api.get(f"{_PATH}/{segment(_id(session, keypair))}")
    if session.screen.json:
        session.screen.data(document)
        return
    one = read(KeyPairOut, document)
    session.screen.pairs(
        [
            (m.ID, one.id),
            (m.MEMBER, one.tenant),
            (m.NAME, one.name),
            (k.FINGERPRINT, one.fingerprint),
            (k.PUBLIC_KEY, one.public_key),
            (k.MADE_BY, one.made_by),
            (k.MADE, local_time(one.created_at.isoformat())),
        ]
    )


@app.command()
def remove(
    context: typer.Context, keypair: KeyPairArgument, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Remove a key pair; servers that were made with it keep the key."""
    session = session_of(context)
    path = f"{_PATH}/{segment(_id(session, keypair))}"
    document = remove_after_asking(
        session, path, k.KEYPAIR_REMOVE_ASK, yes=yes, dry_run=dry_run, keypair=keypair
    )
    tell(session, document, k.KEYPAIR_REMOVED, dry_run=dry_run, keypair=keypair)


def _id(session: Session, named: str) -> str:
    return id_among(read_all(KeyPairOut, session.api.every(_PATH)), named)


def _text_of(path: Path) -> str:
    """Raises YuiError `key-file-unreadable`."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "UTF-8"
        raise YuiError(
            "key-file-unreadable",
            en=k.KEY_FILE_UNREADABLE.en.format(file=path, reason=reason),
            ja=k.KEY_FILE_UNREADABLE.ja.format(file=path, reason=reason),
        ) from None
