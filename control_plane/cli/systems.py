"""`yui system`: the business systems that members run."""

from __future__ import annotations

import typer

from control_plane.cli import messages as m
from control_plane.cli.options import RegionFilter, TenantFilter
from control_plane.cli.output import Column, State
from control_plane.cli.session import read_all, session_of
from tenants.models import SystemOut

app = typer.Typer(no_args_is_help=True, help="Business systems of the members.")


@app.command("list")
def list_(context: typer.Context, tenant: TenantFilter = None, region: RegionFilter = None) -> None:
    """List the systems with their state."""
    session = session_of(context)
    documents = session.api.every("/v1/systems", tenant=tenant, region=region)
    if session.screen.json:
        session.screen.data(documents)
        return
    systems = read_all(SystemOut, documents)
    if not systems:
        session.screen.note(m.NO_SYSTEMS)
        return
    session.screen.table(
        [
            Column(m.SYSTEM),
            Column(m.MEMBER),
            Column(m.NAME),
            Column(m.REGION),
            Column(m.TIER, "right"),
            Column(m.ZONE),
            Column(m.STATE),
            Column(m.RUNNING, "right"),
        ],
        [
            (
                system.id,
                system.tenant,
                session.sentence(system.name_en, system.name_ja),
                system.region,
                str(system.tier),
                system.zone,
                State(system.state),
                f"{system.running}/{system.servers}",
            )
            for system in systems
        ],
    )
