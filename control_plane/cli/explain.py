"""`yui explain`: would it fit, where, and what would happen then; or exactly why not."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.cli import messages as m
from control_plane.cli.exit_codes import ExitCode
from control_plane.cli.output import Column
from control_plane.cli.session import read, session_of
from control_plane.model.pool import Zone
from control_plane.pool.models import ExplainOut


def explain(
    context: typer.Context,
    flavor: Annotated[str, typer.Argument(help="The size, such as m1.small.", metavar="FLAVOR")],
    *,
    region: Annotated[str, typer.Option(help="Where.")],
    count: Annotated[int, typer.Option(help="How many servers.", min=1, max=500)] = 1,
    zone: Annotated[Zone, typer.Option(help="Which network.")] = Zone.INTERNET,
) -> None:
    """Would COUNT servers of a size fit, where, and with which refuges? Ends with 1 where not."""
    session = session_of(context)
    document = session.api.post(
        "/v1/explain", {"region": region, "flavor": flavor, "count": count, "zone": zone.value}
    )
    found = read(ExplainOut, document)
    if session.screen.json:
        session.screen.data(document)
    elif found.fits:
        session.screen.say(m.EXPLAIN_FITS, count=count, flavor=flavor, region=region)
        session.screen.table(
            [Column(m.ID), Column(m.HOST), Column(m.STORAGE), Column(m.FAILURE), Column(m.REFUGE)],
            [
                (
                    spot.server,
                    spot.host,
                    spot.storage,
                    "\n".join(refuge.failure for refuge in spot.refuges) or "-",
                    "\n".join(refuge.host for refuge in spot.refuges) or "-",
                )
                for spot in found.servers
            ],
        )
    else:
        session.screen.say(m.EXPLAIN_REFUSED, count=count, flavor=flavor, region=region)
        if found.refusal is not None:
            session.screen.line(session.sentence(found.refusal.en, found.refusal.ja))
    if not found.fits:
        raise typer.Exit(ExitCode.FAILED)
