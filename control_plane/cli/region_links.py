"""`yui link`: what backups may take of the lines between regions."""

from __future__ import annotations

from typing import Annotated

import typer

from backup.api.place_models import LinkOut
from control_plane.cli import backup_messages as b
from control_plane.cli.changes import tell
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun
from control_plane.cli.output import Column
from control_plane.cli.session import read_all, session_of

app = typer.Typer(no_args_is_help=True, help="What backups may take of links between regions.")

LinkArgument = Annotated[str, typer.Argument(help="The link's id.", metavar="LINK")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the links with what backups may take of them."""
    session = session_of(context)
    documents = session.api.every("/v1/region-links")
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(LinkOut, documents)
    if not found:
        session.screen.note(b.NO_LINKS)
        return
    session.screen.table(
        [Column(b.LINK), Column(b.REGIONS), Column(b.BUDGET, "right"), Column(b.OTHER_HOURS)],
        [
            (
                one.id,
                " – ".join(one.regions),
                str(one.mbit_per_s),
                "-" if one.begins is None else f"{one.begins}–{one.ends}: {one.other_mbit_per_s}",
            )
            for one in found
        ],
    )


@app.command("set")
def set_(
    context: typer.Context,
    link: LinkArgument,
    *,
    regions: Annotated[tuple[str, str], typer.Option(help="The two regions that it joins.")],
    mbit: Annotated[int, typer.Option(min=0, help="At most this many Mbit/s.")],
    begins: Annotated[
        str | None, typer.Option("--from", help="Other hours begin, as in 20:00 (Japan's clock).")
    ] = None,
    ends: Annotated[str | None, typer.Option("--until", help="Other hours end.")] = None,
    other_mbit: Annotated[
        int, typer.Option(min=0, help="At most this many Mbit/s during the other hours.")
    ] = 0,
    dry_run: DryRun = False,
) -> None:
    """Set what backups may take of a link."""
    session = session_of(context)
    wanted: dict[str, object] = {"regions": list(regions), "mbit_per_s": mbit}
    if begins is not None or ends is not None:
        wanted |= {"begins": begins, "ends": ends, "other_mbit_per_s": other_mbit}
    document = session.api.put(f"/v1/region-links/{segment(link)}", wanted, dry_run=dry_run)
    tell(session, document, b.LINK_SET, dry_run=dry_run, link=link, mbit=mbit)


@app.command()
def remove(context: typer.Context, link: LinkArgument, dry_run: DryRun = False) -> None:
    """Let nothing slow copies over a link."""
    session = session_of(context)
    document = session.api.delete(f"/v1/region-links/{segment(link)}", dry_run=dry_run)
    tell(session, document, b.LINK_REMOVED, dry_run=dry_run, link=link)
