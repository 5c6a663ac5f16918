"""`yui server create, reboot, resize, shelve, rebuild, protect, delete`: the life of members' own servers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli import lifecycle_messages as lm
from control_plane.cli.changes import finish, remove_after_asking, shown, tell
from control_plane.cli.client import segment
from control_plane.cli.keypair_messages import RESIZE_CONFIRMED
from control_plane.cli.options import DryRun, Wait, Yes, require_person
from control_plane.cli.servers import ServerArgument, app
from control_plane.cli.session import Session, read, session_of
from control_plane.model.errors import YuiError
from tenants.models import ServerOut

__all__ = ["app"]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the server is to be called.", metavar="NAME")],
    *,
    system: Annotated[str, typer.Option(help="The system it belongs to, by its id.")],
    flavor: Annotated[str, typer.Option(help="Its size: one of the pool's flavors.")],
    image: Annotated[str, typer.Option(help="The image that its disk is made from.")],
    role: Annotated[
        str | None, typer.Option(help="What it does in its system. Without it: its name.")
    ] = None,
    count: Annotated[
        int,
        typer.Option(min=1, max=200, help="How many: they are called NAME-1, NAME-2 and so on."),
    ] = 1,
    apart: Annotated[
        str | None,
        typer.Option(help="Servers of one system with the same word here never share a host."),
    ] = None,
    start_order: Annotated[
        int, typer.Option(min=0, max=1000, help="Within its system, lower numbers start first.")
    ] = 0,
    user_data: Annotated[
        Path | None,
        typer.Option(help="A file for cloud-init, 64 KiB at most. It must hold no secret."),
    ] = None,
    keypair: Annotated[
        str | None,
        typer.Option(help="The key pair whose public key opens it, by id or name."),
    ] = None,
    server_group: Annotated[
        str | None,
        typer.Option(help="The server group it belongs to, by id or name; in place of --apart."),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(help="The site that it must be at; without it any of the region."),
    ] = None,
    security_group: Annotated[
        list[str] | None,
        typer.Option(
            help="A security group by its id; may be repeated. Without any: the default one."
        ),
    ] = None,
    protected: Annotated[
        bool, typer.Option("--protected", help="Protect it against being deleted.")
    ] = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Make one server or several alike: all of them, or none."""
    session = session_of(context)
    wanted: dict[str, object] = {
        "name": name,
        "system": system,
        "flavor": flavor,
        "image": image,
        "count": count,
        "start_order": start_order,
        "protected": protected,
    }
    if role is not None:
        wanted["role"] = role
    if apart is not None:
        wanted["anti_affinity"] = apart
    if user_data is not None:
        wanted["user_data"] = _text_of(user_data)
    if keypair is not None:
        wanted["keypair"] = keypair
    if server_group is not None:
        wanted["server_group"] = server_group
    if site is not None:
        wanted["site"] = site
    if security_group:
        wanted["security_groups"] = security_group
    document = session.api.post("/v1/servers", {"servers": [wanted]}, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def delete(
    context: typer.Context,
    server: ServerArgument,
    yes: Yes = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Delete a server with its disk, after asking."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}"
    document = remove_after_asking(
        session, path, lm.SERVER_DELETE_ASK, yes=yes, dry_run=dry_run, server=server
    )
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def reboot(
    context: typer.Context,
    server: ServerArgument,
    hard: Annotated[
        bool, typer.Option("--hard", help="Cut its power instead of asking its guest to stop.")
    ] = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Stop a running server and start it again."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/reboot"
    document = session.api.post(path, {"hard": hard}, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def resize(
    context: typer.Context,
    server: ServerArgument,
    flavor: Annotated[str, typer.Argument(help="Its new size.", metavar="FLAVOR")],
    *,
    to_confirm: Annotated[
        bool,
        typer.Option(
            "--to-confirm", help="Be able to take it back for 24 hours, until it is confirmed."
        ),
    ] = False,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Give a server another flavor; its disk can only grow."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/resize"
    body: dict[str, object] = {"flavor": flavor}
    if to_confirm:
        body["to_confirm"] = True
    document = session.api.post(path, body, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command("confirm-resize")
def confirm_resize(context: typer.Context, server: ServerArgument, dry_run: DryRun = False) -> None:
    """Keep the size that a server was given with --to-confirm."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/resize/confirm"
    document = session.api.post(path, dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        flavor = read(ServerOut, document).flavor
        session.screen.say(RESIZE_CONFIRMED, server=server, flavor=flavor)


@app.command("revert-resize")
def revert_resize(
    context: typer.Context, server: ServerArgument, wait: Wait = False, dry_run: DryRun = False
) -> None:
    """Give a server its size from before back; a disk that has grown stays so."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/resize/revert"
    document = session.api.post(path, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def shelve(
    context: typer.Context, server: ServerArgument, wait: Wait = False, dry_run: DryRun = False
) -> None:
    """Stop a server and give its room back; its disk and its address are kept."""
    session = session_of(context)
    document = session.api.post(f"/v1/servers/{segment(server)}/shelve", dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def unshelve(
    context: typer.Context, server: ServerArgument, wait: Wait = False, dry_run: DryRun = False
) -> None:
    """Find a shelved server room again, and start it."""
    session = session_of(context)
    document = session.api.post(f"/v1/servers/{segment(server)}/unshelve", dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def rebuild(
    context: typer.Context,
    server: ServerArgument,
    image: Annotated[str, typer.Argument(help="The image of its new disk.", metavar="IMAGE")],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            "--confirm", help="The server's name, for programs; a person is asked for it."
        ),
    ] = None,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Give a server a new disk made from an image: all that is on the old one is lost."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}"
    if not dry_run:
        _have_name_typed(session, read(ServerOut, session.api.get(path)), name)
    document = session.api.post(f"{path}/rebuild", {"image": image}, dry_run=dry_run)
    finish(session, document, wait=wait, dry_run=dry_run)


@app.command()
def protect(
    context: typer.Context,
    server: ServerArgument,
    off: Annotated[bool, typer.Option("--off", help="Take the protection off.")] = False,
) -> None:
    """Protect a server against being deleted."""
    session = session_of(context)
    document = session.api.patch(f"/v1/servers/{segment(server)}", {"protected": not off})
    tell(session, document, lm.UNPROTECTED if off else lm.PROTECTED, server=server)


def _have_name_typed(session: Session, server: ServerOut, typed: str | None) -> None:
    """Raises YuiError `name-wrong`, and `confirmation-needed` where nobody can be asked."""
    if typed is None:
        require_person(session)
        question = session.screen.text(lm.REBUILD_ASK, server=server.id, name=server.name)
        typed = typer.prompt(question, err=True)
    if typed != server.name:
        wrong = lm.REBUILD_NAME_WRONG
        raise YuiError(
            "name-wrong", en=wrong.en.format(server=server.id), ja=wrong.ja.format(server=server.id)
        )


def _text_of(path: Path) -> str:
    """`-` is the standard input. Raises YuiError `user-data-unreadable`."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "UTF-8"
        said = lm.USER_DATA_UNREADABLE
        raise YuiError(
            "user-data-unreadable",
            en=said.en.format(path=path, reason=reason),
            ja=said.ja.format(path=path, reason=reason),
        ) from None
