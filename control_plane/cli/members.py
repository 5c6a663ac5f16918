"""`yui member`: the municipalities that share the pool."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from control_plane.cli import leaving_messages as lm
from control_plane.cli import messages as m
from control_plane.cli.blueprints import warn_of_lacks
from control_plane.cli.changes import show_promise, shown
from control_plane.cli.client import segment
from control_plane.cli.language import Message
from control_plane.cli.operations import follow, raise_if_failed
from control_plane.cli.options import DryRun, Wait
from control_plane.cli.output import Column, State, gib, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.journal.models import OperationOut
from control_plane.model.errors import YuiError
from control_plane.model.membership import MembershipState
from control_plane.model.tenant import MunicipalityCode
from tenants.blueprint_models import BlueprintOut
from tenants.membership_models import MemberChanged, MemberDetails
from tenants.models import JoinPlan, MemberOut

MEMBER_APPLY = "member.apply"
"""The kind of operation that ends when an application is decided."""

app = typer.Typer(no_args_is_help=True, help="Member municipalities.")


Code = Annotated[
    str, typer.Argument(help="Six-digit municipality code, such as 012220.", metavar="CODE")
]


@app.command("list")
def list_(
    context: typer.Context,
    *,
    state: Annotated[
        MembershipState | None,
        typer.Option(help="Only those in this state, such as applied."),
    ] = None,
) -> None:
    """List the members and applicants, with their state."""
    session = session_of(context)
    query = {} if state is None else {"state": state.value}
    documents = session.api.every("/v1/members", **query)
    if session.screen.json:
        session.screen.data(documents)
        return
    members = read_all(MemberOut, documents)
    if not members:
        session.screen.note(m.NO_MEMBERS)
        return
    session.screen.table(
        [
            Column(m.CODE),
            Column(m.NAME),
            Column(m.KANA),
            Column(m.PREFECTURE),
            Column(m.POPULATION, "right"),
            Column(m.BAND),
            Column(m.STATE),
            Column(m.SINCE),
        ],
        [
            (
                member.code,
                member.name,
                member.kana,
                member.prefecture,
                f"{member.population:,}",
                member.band,
                State(member.state or "-"),
                "-" if member.since is None else local_time(member.since.isoformat()),
            )
            for member in members
        ],
    )


@app.command()
def join(
    context: typer.Context,
    code: Code,
    *,
    blueprint: Annotated[
        list[str] | None,
        typer.Option(
            "--blueprint",
            "-b",
            help="A standard system to run; repeat it for several. Without it: all of the catalogue.",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(help="The region to live in. Without it: the one that takes the prefecture."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Its name, where the member register lacks it.")
    ] = None,
    kana: Annotated[str | None, typer.Option(help="How its name is read.")] = None,
    prefecture: Annotated[str | None, typer.Option(help="Its prefecture, such as 北海道.")] = None,
    population: Annotated[int | None, typer.Option(help="Its residents.", min=0)] = None,
    own_site: Annotated[
        str | None, typer.Option(help="The name of a site of its own that is to be connected.")
    ] = None,
    own_site_contact: Annotated[
        str | None, typer.Option(help="Whom to ask about that site.")
    ] = None,
    admin_user: Annotated[
        list[str] | None,
        typer.Option(
            help="Who administers it from the start: NAME=SUBJECT, or NAME=ADDRESS for an invitation; repeatable."
        ),
    ] = None,
    admin_issuer: Annotated[
        str | None,
        typer.Option(help="The identity provider that knows them, where several are trusted."),
    ] = None,
    quota: Annotated[
        str | None,
        typer.Option(
            help="What it may ask for at most, as VCPUS/MEMORY/DISK in GiB, such as 40/80/500. Without it: half as much again as its systems need."
        ),
    ] = None,
    wait: Wait = False,
    dry_run: DryRun = False,
) -> None:
    """Apply for a municipality to join, with its standard systems; another person approves."""
    session = session_of(context)
    MunicipalityCode(code)
    body: dict[str, object] = {"code": code, "blueprints": blueprint or _all_blueprints(session)}
    given = {
        "region": region,
        "name": name,
        "kana": kana,
        "prefecture": prefecture,
        "population": population,
    }
    body.update({key: value for key, value in given.items() if value is not None})
    if own_site is not None or own_site_contact is not None:
        body["own_site"] = {"name": own_site or "", "contact": own_site_contact or ""}
    if admin_user:
        body["admins"] = [_admin(each, admin_issuer) for each in admin_user]
    if quota is not None:
        body["quota"] = _quota(quota)
    document = session.api.post("/v1/members", body, dry_run=dry_run)
    if dry_run:
        _show_plan(session, document)
        return
    _join_or_follow(session, code, document, wait=wait)


@app.command()
def approve(
    context: typer.Context, code: Code, *, wait: Wait = False, dry_run: DryRun = False
) -> None:
    """Let an applicant in: another person than who applied, and only where all of it fits."""
    session = session_of(context)
    path = f"/v1/members/{segment(code)}/approve"
    document = session.api.post(path, dry_run=dry_run)
    if dry_run:
        _show_plan(session, document)
        return
    _join_or_follow(session, code, document, wait=wait)


@app.command()
def reject(
    context: typer.Context,
    code: Code,
    *,
    reason: Annotated[str, typer.Option(help="Why, in one sentence; the applicant reads it.")],
) -> None:
    """Turn an application away."""
    session = session_of(context)
    path = f"/v1/members/{segment(code)}/reject"
    tell_member(session, session.api.post(path, {"reason": reason}), m.MEMBER_REJECTED)


@app.command()
def withdraw(context: typer.Context, code: Code) -> None:
    """Take an application back."""
    session = session_of(context)
    path = f"/v1/members/{segment(code)}/withdraw"
    tell_member(session, session.api.post(path), m.MEMBER_WITHDRAWN)


@app.command()
def connect(
    context: typer.Context,
    code: Code,
    *,
    statement: Annotated[
        str, typer.Option(help="How you saw that it is reached, in one sentence; it is kept.")
    ],
) -> None:
    """State that a member's own site reaches the pool."""
    session = session_of(context)
    path = f"/v1/members/{segment(code)}/connect"
    tell_member(session, session.api.post(path, {"statement": statement}), m.MEMBER_CONNECTED)


@app.command()
def change(
    context: typer.Context,
    code: Code,
    *,
    contact_name: Annotated[str | None, typer.Option(help="Whom to reach there.")] = None,
    email: Annotated[str | None, typer.Option(help="Their address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Their number.")] = None,
    population: Annotated[int | None, typer.Option(help="Its residents.", min=0)] = None,
) -> None:
    """Change whom to reach at a member, or its population; no server is resized by itself."""
    session = session_of(context)
    path = f"/v1/members/{segment(code)}"
    body: dict[str, object] = {} if population is None else {"population": population}
    contact = {"name": contact_name, "email": email, "phone": phone}
    given = {key: value for key, value in contact.items() if value is not None}
    if given:
        body["contact"] = {
            **read(MemberDetails, session.api.get(path)).contact.model_dump(),
            **given,
        }
    document = session.api.patch(path, body)
    if session.screen.json:
        session.screen.data(document)
        return
    changed = read(MemberChanged, document)
    session.screen.say(m.MEMBER_CHANGED, code=code)
    for size in changed.sizes:
        session.screen.say(
            m.SIZE_WOULD_BE, server=size.server, flavor=size.flavor, would_be=size.would_be
        )


@app.command()
def show(context: typer.Context, code: Code) -> None:
    """Show a member or applicant: its state, since when, and who let it in."""
    session = session_of(context)
    document = session.api.get(f"/v1/members/{segment(code)}")
    if session.screen.json:
        session.screen.data(document)
        return
    member = read(MemberDetails, document)
    site, contact = member.own_site, member.contact
    reached = (contact.name, contact.email, contact.phone)
    session.screen.pairs(
        [
            (m.CODE, member.code),
            (m.NAME, member.name),
            (m.PREFECTURE, member.prefecture),
            (m.POPULATION, f"{member.population:,}"),
            (m.STATE, State(member.state or "-")),
            (m.SINCE, "-" if member.since is None else local_time(member.since.isoformat())),
            (m.REGION, member.region),
            (m.BLUEPRINT, ", ".join(f"{a.blueprint} v{a.version}" for a in member.applied_for)),
            (m.OWN_SITE, "-" if site is None else f"{site.name} ({site.contact})"),
            (m.CONTACT, ", ".join(each for each in reached if each) or "-"),
            (lm.ADMINS, ", ".join(each.name for each in member.admins) or "-"),
            (m.APPLIED_BY, member.applied_by or "-"),
            (m.DECIDED_BY, member.decided_by or "-"),
            (m.REASON, member.reason or "-"),
        ]
    )
    session.screen.table(
        [Column(lm.STEP), Column(lm.OF), Column(lm.DONE, "right"), Column(m.STATE)],
        [
            (
                session.screen.text(lm.STEPS[step.name]),
                step.of or "-",
                f"{step.done:,}/{step.total:,}" if step.total or not step.ended else "-",
                State("done" if step.ended else "-"),
            )
            for step in member.steps
        ],
    )


def _join_or_follow(session: Session, code: str, document: dict[str, Any], *, wait: bool) -> None:
    operation = read(OperationOut, document)
    applied = operation.kind == MEMBER_APPLY
    if not wait:
        if session.screen.json:
            session.screen.data(document)
        else:
            said = m.APPLICATION_WAITS if applied else m.JOIN_ACCEPTED
            session.screen.say(said, code=code, operation=operation.id)
        return
    if applied:
        session.screen.note(m.WAITING_FOR_APPROVAL, code=code)
        raise_if_failed(session, read(OperationOut, follow(session, document)))
        member = read(MemberDetails, session.api.get(f"/v1/members/{segment(code)}"))
        session.screen.note(m.APPROVED_NOW_BUILT, code=code)
        document = session.api.get(f"/v1/operations/{segment(member.operation or operation.id)}")
    document = follow(session, document)
    operation = read(OperationOut, document)
    if session.screen.json:
        session.screen.data(document)
    raise_if_failed(session, operation)
    session.screen.say(m.JOINED, code=code, done=operation.done, total=operation.total)


def tell_member(session: Session, document: dict[str, Any], said: Message) -> None:
    if not shown(session, document):
        member = read(MemberDetails, document)
        session.screen.say(said, name=member.name, code=member.code)


def _admin(said: str, issuer: str | None) -> dict[str, str]:
    """Raises `admin-user-invalid`."""
    name, _, known_as = said.rpartition("=")
    if not name.strip() or not known_as:
        raise YuiError("admin-user-invalid", en=lm.ADMIN_INVALID.en, ja=lm.ADMIN_INVALID.ja)
    admin = {"name": name.strip(), "email" if "@" in known_as else "subject": known_as}
    return admin if issuer is None else {**admin, "issuer": issuer}


def _quota(said: str) -> dict[str, int]:
    """Raises `quota-invalid`."""
    parts = said.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise YuiError("quota-invalid", en=lm.QUOTA_INVALID.en, ja=lm.QUOTA_INVALID.ja)
    vcpus, memory, disk = (int(part[:9]) for part in parts)
    return {"vcpus": vcpus, "memory_mib": 1024 * memory, "disk_gib": disk}


def _all_blueprints(session: Session) -> list[str]:
    return [found.id for found in read_all(BlueprintOut, session.api.every("/v1/blueprints"))]


def _show_plan(session: Session, document: object) -> None:
    if session.screen.json:
        session.screen.data(document)
        return
    plan = read(JoinPlan, document)
    session.screen.say(
        m.JOIN_PLAN, name=plan.member.name, code=plan.member.code, region=plan.region
    )
    session.screen.table(
        [
            Column(m.TIER, "right"),
            Column(m.NAME),
            Column(m.BLUEPRINT),
            Column(m.ROLE),
            Column(m.FLAVOR),
            Column(m.HOST),
            Column(m.REFUGE),
        ],
        [
            (
                str(server.tier),
                server.name,
                server.blueprint,
                server.role,
                server.flavor,
                server.host,
                ", ".join(f"{refuge.failure} → {refuge.host}" for refuge in server.refuges) or "-",
            )
            for server in plan.servers
        ],
    )
    session.screen.say(
        m.JOIN_COST,
        vcpus=plan.capacity.vcpus,
        memory=gib(plan.capacity.memory_mib),
        disk=plan.capacity.disk_gib,
    )
    show_promise(session, plan.certificate)
    warn_of_lacks(session, plan.lacks)
