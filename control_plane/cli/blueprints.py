"""`yui blueprint`: the standard business systems that a member can run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from control_plane.cli import catalogue_messages as c
from control_plane.cli import messages as m
from control_plane.cli.client import segment
from control_plane.cli.language import Language, Message
from control_plane.cli.output import Column, gib
from control_plane.cli.session import Session, read, read_all, session_of
from tenants.blueprint_models import BlueprintOut, LackOut, SetSize

app = typer.Typer(no_args_is_help=True, help="Standard business systems of the catalogue.")


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the catalogue."""
    session = session_of(context)
    documents = session.api.every("/v1/blueprints")
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(BlueprintOut, documents)
    if not found:
        session.screen.note(m.NO_BLUEPRINTS)
        return
    session.screen.table(
        [
            Column(m.BLUEPRINT),
            Column(m.VERSION, "right"),
            Column(m.NAME),
            Column(m.TIER, "right"),
            Column(m.ZONE),
            Column(m.ROLE),
        ],
        [
            (
                one.id,
                str(one.version),
                session.sentence(one.name_en, one.name_ja),
                str(one.tier),
                one.zone,
                ", ".join(role for step in one.start_sequence for role in step),
            )
            for one in sorted(found, key=lambda one: (one.tier, one.id))
        ],
    )


@app.command()
def show(
    context: typer.Context,
    blueprint: Annotated[str, typer.Argument(help="The blueprint's id.", metavar="BLUEPRINT")],
    *,
    version: Annotated[
        int | None, typer.Option(help="An older version. Without it: the newest.", min=1)
    ] = None,
) -> None:
    """Show what a standard system runs, when, and how it is kept."""
    session = session_of(context)
    document = session.api.get(f"/v1/blueprints/{segment(blueprint)}", version=version)
    if session.screen.json:
        session.screen.data(document)
        return
    found = read(BlueprintOut, document)
    session.screen.pairs(_properties(session, found))
    session.screen.table(
        [
            Column(m.ROLE),
            Column(m.IMAGE),
            Column(c.BAND_UNDER_50K),
            Column(c.BAND_50K),
            Column(c.BAND_100K),
            Column(c.BAND_300K),
            Column(c.APART),
        ],
        [
            (server.role, server.image, *server.flavors.values(), server.anti_affinity or "-")
            for server in found.servers
        ],
    )
    if found.container_groups:
        roles = ", ".join(group.role for group in found.container_groups)
        session.screen.note(c.CONTAINER_GROUPS_LATER, roles=roles)


@app.command()
def size(
    context: typer.Context,
    blueprints: Annotated[
        list[str] | None, typer.Argument(help="The blueprints' ids.", metavar="BLUEPRINT...")
    ] = None,
    *,
    population: Annotated[int, typer.Option(help="The member's residents.", min=0)],
    all_: Annotated[
        bool, typer.Option("--all", help="The whole catalogue, as when none is named.")
    ] = False,
) -> None:
    """Say what a member of that population takes of the pool with those systems."""
    session = session_of(context)
    document = session.api.get(
        "/v1/catalogue/size", population=population, blueprint=None if all_ else blueprints or None
    )
    if session.screen.json:
        session.screen.data(document)
        return
    found = read(SetSize, document)
    total = found.total
    session.screen.table(
        [
            Column(m.BLUEPRINT),
            Column(m.NAME),
            Column(m.TIER, "right"),
            Column(m.ZONE),
            Column(m.SERVERS, "right"),
            Column(c.VCPUS, "right"),
            Column(c.MEMORY, "right"),
            Column(m.DISK, "right"),
        ],
        [
            (
                one.blueprint,
                session.sentence(one.name_en, one.name_ja),
                str(one.tier),
                one.zone,
                str(one.servers),
                str(one.size.vcpus),
                f"{gib(one.size.memory_mib)} GiB",
                f"{one.disk_gib} GiB",
            )
            for one in found.systems
        ],
    )
    session.screen.say(
        c.SIZE_TOTAL,
        population=f"{population:,}",
        systems=len(found.systems),
        servers=total.servers,
        vcpus=total.size.vcpus,
        memory=f"{total.size.memory_mib:,}",
        disk=f"{total.disk_gib:,}",
    )
    warn_of_lacks(session, found.lacks)


def warn_of_lacks(session: Session, lacks: Sequence[LackOut]) -> None:
    """On standard error, a line for each system that is wanted and not there."""
    for lack in lacks:
        text = session.sentence(lack.en, lack.ja)
        session.screen.note(c.LACK_NEEDED if lack.needed else c.LACK_HELPFUL, text=text)


def _properties(session: Session, found: BlueprintOut) -> list[tuple[Message, str]]:
    def word(words: dict[str, Message], key: str) -> str:
        return words[key].text(session.language) if key in words else key

    hours = [
        c.ALWAYS.text(session.language)
        if len(window.days) == 7 and (window.opens, window.closes) == ("00:00", "24:00")
        else f"{_between(session, [word(c.DAYS, day) for day in window.days])} {window.opens}–{window.closes}"
        for window in found.service_hours
    ]
    copies = [
        c.BACKUP_COPY.text(
            session.language,
            every=word(c.INTERVALS, copy.every) + ("" if copy.at is None else f" {copy.at}"),
            generations=copy.generations,
            places=_between(session, [word(c.BACKUP_PLACES, place) for place in copy.places]),
        )
        for copy in found.backup.copies
    ]
    versions = ", ".join(map(str, found.versions))
    return [
        (m.BLUEPRINT, found.id),
        (m.NAME, session.sentence(found.name_en, found.name_ja)),
        (c.PURPOSE, session.sentence(found.description_en, found.description_ja)),
        (m.VERSION, c.OF_VERSIONS.text(session.language, version=found.version, all=versions)),
        (c.STANDARD_TASK, found.standard_task or "-"),
        (m.TIER, str(found.tier)),
        (m.ZONE, f"{found.zone} ({word(c.STANDARD_ZONES, found.zone)})"),
        (c.NEEDS, ", ".join(found.needs) or "-"),
        (c.WORKS_WITH, ", ".join(found.works_with) or "-"),
        (c.SERVICE_HOURS, "\n".join(hours)),
        (c.RPO, c.HOURS.text(session.language, hours=found.backup.rpo_hours)),
        (c.BACKUP, "\n".join(copies)),
        (c.WHEN_CUT_OFF, (c.YES if found.needed_when_cut_off else c.NO).text(session.language)),
        (c.START_ORDER, _sequence(found.start_sequence)),
        (c.STOP_ORDER, _sequence(found.stop_sequence)),
    ]


def _between(session: Session, words: Sequence[str]) -> str:
    return ("・" if session.language is Language.JA else ", ").join(words)


def _sequence(steps: Sequence[Sequence[str]]) -> str:
    return " → ".join(" + ".join(step) for step in steps)
