"""`yui security-group`: named rules of a member, and the servers that they hold for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from control_plane.cli import messages as m
from control_plane.cli import network_messages as n
from control_plane.cli.changes import remove_after_asking, shown, tell
from control_plane.cli.client import segment
from control_plane.cli.names import id_among
from control_plane.cli.options import DryRun, TenantFilter, Yes
from control_plane.cli.output import Column
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.errors import YuiError
from tenants.networks.models import GroupsOfServer, RuleOut, SecurityGroupOut

app = typer.Typer(
    no_args_is_help=True, help="Security groups: which conversations may begin with servers."
)

GroupArgument = Annotated[str, typer.Argument(help="The group's id, or its name.", metavar="GROUP")]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        help="What may begin, such as 'in tcp/443 offices # portal' or 'out any'; may be repeated.",
    ),
]
Description = Annotated[str | None, typer.Option(help="What the group is for.")]
_RULE = re.compile(r"(in|out) (any|icmp|tcp|udp)(?:/([0-9]+(?:-[0-9]+)?))?(?: (\S.*))?")
_PATH = "/v1/security-groups"
_DIRECTIONS = {"in": "ingress", "out": "egress"}


@app.command("list")
def list_(context: typer.Context, tenant: TenantFilter = None) -> None:
    """List security groups with their rules."""
    session = session_of(context)
    documents = session.api.every(_PATH, tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    groups = read_all(SecurityGroupOut, documents)
    names = {group.id: group.name for group in groups}
    session.screen.table(
        [Column(head) for head in (m.ID, m.MEMBER, m.NAME, n.RULES)],
        [
            (g.id, g.tenant, g.name, "\n".join(said(rule, names) for rule in g.rules) or "-")
            for g in groups
        ],
    )


@app.command()
def show(context: typer.Context, group: GroupArgument) -> None:
    """Show one security group."""
    session = session_of(context)
    known = _known(session)
    document = session.api.get(f"{_PATH}/{segment(id_among(known, group))}")
    if session.screen.json:
        session.screen.data(document)
    else:
        _show(session, read(SecurityGroupOut, document), known)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the group is to be called.", metavar="NAME")],
    *,
    rule: Rules = None,
    description: Description = None,
    dry_run: DryRun = False,
) -> None:
    """Make a security group."""
    session = session_of(context)
    rules = _asked(session, rule or [])
    body = {"name": name, "description": description or "", "rules": rules}
    document = session.api.post(_PATH, body, dry_run=dry_run)
    tell(session, document, n.GROUP_MADE, dry_run=dry_run, group=name)


@app.command("set")
def set_(
    context: typer.Context,
    group: GroupArgument,
    *,
    rule: Rules = None,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    description: Description = None,
    dry_run: DryRun = False,
) -> None:
    """Give a security group these rules in place of those it has."""
    session = session_of(context)
    path = f"{_PATH}/{segment(id_among(_known(session), group))}"
    _, tag = session.api.read(path)
    body: dict[str, object] = {"rules": _asked(session, rule or [])}
    said = {"name": name, "description": description}
    body |= {key: value for key, value in said.items() if value is not None}
    document = session.api.put(path, body, if_match=tag, dry_run=dry_run)
    tell(session, document, n.GROUP_SET, dry_run=dry_run, group=name or group)


@app.command()
def delete(
    context: typer.Context, group: GroupArgument, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Remove a security group that nothing uses."""
    session = session_of(context)
    path = f"{_PATH}/{segment(id_among(_known(session), group))}"
    document = remove_after_asking(
        session, path, n.GROUP_REMOVE_ASK, yes=yes, dry_run=dry_run, group=group
    )
    tell(session, document, n.GROUP_REMOVED, dry_run=dry_run, group=group)


@app.command()
def assign(
    context: typer.Context,
    server: Annotated[str, typer.Argument(help="The server's id, or its name.", metavar="SERVER")],
    groups: Annotated[list[str], typer.Argument(help="Groups, by id or name.", metavar="GROUP...")],
    dry_run: DryRun = False,
) -> None:
    """Have a server in these groups and in no other."""
    session = session_of(context)
    path = f"/v1/servers/{segment(server)}/security-groups"
    _, tag = session.api.read(path)
    known = _known(session)
    body = {"groups": [id_among(known, group) for group in groups]}
    document = session.api.put(path, body, if_match=tag, dry_run=dry_run)
    if not shown(session, document, dry_run=dry_run):
        after = read(GroupsOfServer, document)
        names = {group.id: group.name for group in known}
        session.screen.say(
            n.GROUPS_ASSIGNED,
            server=server,
            groups=", ".join(names.get(id, id) for id in after.groups),
        )


def said(rule: RuleOut, names: dict[str, str]) -> str:
    """As it is typed behind `--rule`."""
    words = ["in" if rule.direction == "ingress" else "out"]
    words.append(rule.protocol.value + (f"/{rule.ports}" if rule.ports else ""))
    if rule.offices:
        words.append("offices")
    elif rule.remote is not None:
        words.append(rule.remote)
    elif rule.remote_group is not None:
        words.append(names.get(rule.remote_group, rule.remote_group))
    if rule.description:
        words += ["#", rule.description]
    return " ".join(words)


def _asked(session: Session, rules: Sequence[str]) -> list[dict[str, object]]:
    """Raises YuiError `rule-wrong`."""
    known: list[SecurityGroupOut] | None = None
    found: list[dict[str, object]] = []
    for text in rules:
        what, _, description = text.partition("#")
        match = _RULE.fullmatch(" ".join(what.split()))
        # A bare number behind a blank is a port that lacks its slash.
        if match is None or (match.group(4) or "").replace("-", "").isdigit():
            raise YuiError(
                "rule-wrong",
                en=n.RULE_WRONG.en.format(rule=text),
                ja=n.RULE_WRONG.ja.format(rule=text),
            )
        direction, protocol, ports, other = match.groups()
        rule: dict[str, object] = {"direction": _DIRECTIONS[direction], "protocol": protocol}
        if ports is not None:
            rule["ports"] = ports
        if other == "offices":
            rule["offices"] = True
        elif other is not None and "/" in other:
            rule["remote"] = other
        elif other is not None:
            known = _known(session) if known is None else known
            rule["remote_group"] = id_among(known, other)
        if description.strip():
            rule["description"] = description.strip()
        found.append(rule)
    return found


def _known(session: Session) -> list[SecurityGroupOut]:
    return read_all(SecurityGroupOut, session.api.every(_PATH))


def _show(session: Session, one: SecurityGroupOut, known: Sequence[SecurityGroupOut]) -> None:
    names = {group.id: group.name for group in known}
    session.screen.pairs(
        [
            (m.ID, one.id),
            (m.MEMBER, one.tenant),
            (m.NAME, one.name),
            (n.FOR, one.description or "-"),
            (n.RULES, "\n".join(said(rule, names) for rule in one.rules) or "-"),
        ]
    )
