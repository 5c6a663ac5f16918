"""`yui network`: a member's networks, and where its offices are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli import messages as m
from control_plane.cli import network_messages as n
from control_plane.cli.changes import remove_after_asking, shown, tell
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, RegionFilter, TenantFilter, Yes
from control_plane.cli.output import Column, State
from control_plane.cli.session import Session, read, read_all, session_of
from tenants.networks.models import HostNetworkState, NetworkOut

app = typer.Typer(no_args_is_help=True, help="Members' networks: one for each zone.")

NetworkArgument = Annotated[str, typer.Argument(help="The network's id.", metavar="NETWORK")]


@app.command("list")
def list_(context: typer.Context, tenant: TenantFilter = None) -> None:
    """List networks, with their offices and whether hosts have made them so."""
    session = session_of(context)
    documents = session.api.every("/v1/networks", tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(NetworkOut, documents)
    if not found:
        session.screen.note(n.NO_NETWORKS)
        return
    heads = (m.ID, m.MEMBER, m.NAME, m.ZONE, n.ADDRESSES, n.OFFICES, n.IN_EFFECT)
    session.screen.table(
        [Column(head) for head in heads],
        [
            (
                one.id,
                one.tenant,
                one.name,
                one.zone.value,
                _addresses(session, one),
                " ".join(one.offices) or "-",
                State(one.in_effect or "-"),
            )
            for one in found
        ],
    )


@app.command()
def show(context: typer.Context, network: NetworkArgument) -> None:
    """Show one network."""
    session = session_of(context)
    _show(session, session.api.get(f"/v1/networks/{segment(network)}"))


@app.command()
def create(
    context: typer.Context,
    zone: Annotated[str, typer.Argument(help="mynumber, lgwan or internet.", metavar="ZONE")],
    *,
    name: Annotated[str | None, typer.Option(help="What the network is to be called.")] = None,
    region: Annotated[
        str | None, typer.Option(help="Which region; without it the one that serves you.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Have the network of a zone ahead of its first server, with addresses of its own."""
    session = session_of(context)
    said = {"zone": zone, "name": name, "region": region}
    body = {key: value for key, value in said.items() if value is not None}
    document = session.api.post("/v1/networks", body, dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        session.screen.say(n.NETWORK_MADE, network=read(NetworkOut, document).id)


@app.command()
def rename(
    context: typer.Context,
    network: NetworkArgument,
    name: Annotated[str, typer.Argument(help="What the network is to be called.", metavar="NAME")],
    dry_run: DryRun = False,
) -> None:
    """Give a network another name."""
    session = session_of(context)
    path = f"/v1/networks/{segment(network)}"
    document = session.api.patch(path, {"name": name}, dry_run=dry_run)
    tell(session, document, n.NETWORK_RENAMED, dry_run=dry_run, network=network, name=name)


@app.command()
def delete(
    context: typer.Context, network: NetworkArgument, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Give back a network that no server is in, with its addresses and offices."""
    session = session_of(context)
    path = f"/v1/networks/{segment(network)}"
    document = remove_after_asking(
        session, path, n.NETWORK_REMOVE_ASK, yes=yes, dry_run=dry_run, network=network
    )
    tell(session, document, n.NETWORK_REMOVED, dry_run=dry_run, network=network)


@app.command()
def offices(
    context: typer.Context,
    network: NetworkArgument,
    offices: Annotated[
        list[str] | None,
        typer.Argument(
            help="An office's own network, such as 10.20.0.0/16. None: no office reaches it.",
            metavar="[OFFICE]...",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Declare which of your offices' networks may reach this one; those named take the place of all before."""
    session = session_of(context)
    path = f"/v1/networks/{segment(network)}"
    _, tag = session.api.read(path)
    body = {"offices": offices or []}
    document = session.api.put(f"{path}/offices", body, if_match=tag, dry_run=dry_run)
    tell(session, document, n.OFFICES_SET, dry_run=dry_run, network=network)


@app.command()
def hosts(context: typer.Context, region: RegionFilter = None) -> None:
    """List which hosts have made their networks as planned."""
    session = session_of(context)
    documents = session.api.every("/v1/host-networks", region=region)
    if session.screen.json:
        session.screen.data(documents)
        return
    session.screen.table(
        [Column(head) for head in (m.HOST, m.REGION, n.IN_EFFECT, n.PLANNED, n.APPLIED)],
        [
            (
                one.host,
                one.region,
                State(one.in_effect),
                (one.planned or "-")[:8],
                (one.applied or "-")[:8],
            )
            for one in read_all(HostNetworkState, documents)
        ],
    )


def _show(session: Session, document: Any) -> None:
    if session.screen.json:
        session.screen.data(document)
        return
    one = read(NetworkOut, document)
    pairs = [
        (m.ID, one.id),
        (m.MEMBER, one.tenant),
        (m.NAME, one.name),
        (m.REGION, one.region),
        (m.ZONE, one.zone.value),
        (n.ADDRESSES, _addresses(session, one)),
        (n.OFFICES, " ".join(one.offices) or "-"),
        (n.IN_EFFECT, State(one.in_effect or "-")),
    ]
    if one.segment is not None:
        pairs.append((n.SEGMENT, str(one.segment)))
    session.screen.pairs(pairs)


def _addresses(session: Session, one: NetworkOut) -> str:
    return " ".join(s.addresses for s in one.subnets) or session.screen.text(n.SHARED)
