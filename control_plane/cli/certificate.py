"""`yui certificate`: the proof that the pool survives its next failure."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli import capacity_messages as c
from control_plane.cli import messages as m
from control_plane.cli.client import segment
from control_plane.cli.exit_codes import ExitCode
from control_plane.cli.output import Column, State, gib, local_time
from control_plane.cli.session import Session, read, session_of
from control_plane.pool.models import CertificateOut

app = typer.Typer(no_args_is_help=True, help="The proof that the pool survives a failure.")

RegionArgument = Annotated[
    str | None, typer.Argument(help="One region. Without it: every region.", metavar="[REGION]")
]


@app.command()
def show(context: typer.Context, region: RegionArgument = None) -> None:
    """Show what is promised, whether it holds, and what it costs."""
    session = session_of(context)
    documents = [
        session.api.get(f"/v1/regions/{segment(name)}/certificate")
        for name in _regions(session, region)
    ]
    if session.screen.json:
        session.screen.data(documents)
        return
    found = [read(CertificateOut, document) for document in documents]
    if not found:
        session.screen.note(m.NO_REGIONS)
        return
    session.screen.table(
        [
            Column(m.REGION),
            Column(m.CERTIFICATE),
            Column(m.PROMISED),
            Column(m.SERVERS, "right"),
            Column(m.REFUGES, "right"),
            Column(m.RESERVE, "right"),
            Column(c.HELD, "right"),
            Column(m.HOSTS_WORTH, "right"),
            Column(m.CHECKED_AT),
        ],
        [
            (
                one.region,
                State("valid" if one.valid else "invalid"),
                ", ".join(one.promised),
                str(one.servers),
                str(one.refuges),
                f"{one.reserve.total.vcpus} vCPU, {gib(one.reserve.total.memory_mib)} GiB",
                f"{one.holdings.total.vcpus} vCPU, {gib(one.holdings.total.memory_mib)} GiB",
                f"{one.reserve.hosts_worth:.2f}",
                local_time(one.checked_at.isoformat()),
            )
            for one in found
        ],
    )
    for one in found:
        if one.violations or one.uncovered or not one.valid:
            _tell(session, one)
    if region is not None and found[0].reserve.by_host:
        session.screen.line("")
        session.screen.table(
            [Column(m.HOST), Column(m.RESERVE, "right"), Column(m.FAILURE)],
            [
                (
                    part.host,
                    f"{part.reserve.vcpus} vCPU, {gib(part.reserve.memory_mib)} GiB",
                    part.failure,
                )
                for part in found[0].reserve.by_host
            ],
        )


@app.command()
def check(context: typer.Context, region: RegionArgument = None) -> None:
    """Check every refuge now. Ends with 1 where the next failure is not covered."""
    session = session_of(context)
    documents: list[Any] = [
        session.api.post(f"/v1/regions/{segment(name)}/certificate/check")
        for name in _regions(session, region)
    ]
    found = [read(CertificateOut, document) for document in documents]
    if session.screen.json:
        session.screen.data(documents)
    elif not found:
        session.screen.note(m.NO_REGIONS)
    else:
        for one in found:
            _tell(session, one)
    if any(not one.valid or one.uncovered for one in found):
        raise typer.Exit(ExitCode.FAILED)


def _tell(session: Session, one: CertificateOut) -> None:
    screen = session.screen
    if one.valid and not one.uncovered:
        joint = session.sentence(" or ", "・")
        screen.say(
            m.CERTIFICATE_HOLDS,
            region=one.region,
            promised=joint.join(one.promised),
            refuges=one.refuges,
        )
    meanwhile = one.under_way
    if meanwhile is not None and meanwhile.survives_next:
        meanwhile = None
    if one.violations or not (one.valid or meanwhile):
        screen.say(m.CERTIFICATE_WRONG, region=one.region, count=len(one.violations))
        for violation in one.violations:
            screen.line("  " + session.sentence(violation.en, violation.ja))
    if meanwhile is not None:
        hosts = session.sentence(", ", "、").join(meanwhile.hosts)
        screen.say(m.CERTIFICATE_MEANWHILE, region=one.region, hosts=hosts)
        if not one.uncovered:
            screen.line("  " + session.sentence(meanwhile.en or "", meanwhile.ja or ""))
    elif one.uncovered:
        screen.say(m.CERTIFICATE_UNCOVERED, region=one.region, count=len(one.uncovered))
    for refusal in one.uncovered:
        screen.line("  " + session.sentence(refusal.en, refusal.ja))


def _regions(session: Session, region: str | None) -> list[str]:
    if region is not None:
        return [region]
    pool = session.api.get("/v1/pool")
    return [str(found["id"]) for found in pool.get("regions", [])]
