"""`yui repository`: where recovery points lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backup.api.place_models import RepositoryOut, UpkeepOut
from control_plane.cli import backup_messages as b
from control_plane.cli.backup_figures import at
from control_plane.cli.changes import remove_after_asking, tell
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, Yes
from control_plane.cli.output import Column, State
from control_plane.cli.private_file import write_private
from control_plane.cli.session import read, read_all, session_of

app = typer.Typer(no_args_is_help=True, help="Repositories: where recovery points lie.")

RepositoryArgument = Annotated[
    str, typer.Argument(help="The repository's id.", metavar="REPOSITORY")
]


@app.command("list")
def list_(context: typer.Context) -> None:
    """List the repositories."""
    session = session_of(context)
    documents = session.api.every("/v1/repositories")
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(RepositoryOut, documents)
    if not found:
        session.screen.note(b.NO_REPOSITORIES)
        return
    upkeep = read_all(UpkeepOut, session.api.every("/v1/repository-upkeep"))
    failing = {each.repository for each in upkeep if each.failing_since is not None}
    session.screen.table(
        [
            Column(b.ID),
            Column(b.NAME),
            Column(b.PREFECTURE),
            Column(b.REGION),
            Column(b.SITE),
            Column(b.HAZARDS),
            Column(b.STATE),
        ],
        [
            (
                one.id,
                one.name,
                one.prefecture,
                one.region or "-",
                one.site or "-",
                ", ".join(one.hazards) or "-",
                _state(one, failing=one.id in failing),
            )
            for one in found
        ],
    )


@app.command("new-key")
def new_key(
    context: typer.Context,
    *,
    out: Annotated[Path, typer.Option(help="The new file for the key; nobody else may read it.")],
) -> None:
    """Make a repository key, on this machine alone."""
    from backup.repository.keys import RepositoryKey  # noqa: PLC0415

    session = session_of(context)
    key = RepositoryKey.generate()
    write_private(out, lambda: key.secret.hex() + "\n")
    if session.screen.json:
        session.screen.data({"key": key.id, "file": str(out)})
        return
    session.screen.say(b.REPOSITORY_KEY_MADE, key=key.id, file=out)


@app.command()
def show(context: typer.Context, repository: RepositoryArgument) -> None:
    """Show one repository."""
    session = session_of(context)
    document = session.api.get(f"/v1/repositories/{segment(repository)}")
    documents = [
        each
        for each in session.api.every("/v1/repository-upkeep")
        if each.get("repository") == repository
    ]
    if session.screen.json:
        session.screen.data({**document, "upkeep": documents})
        return
    one = read(RepositoryOut, document)
    upkeep = read_all(UpkeepOut, documents)
    failing = [each for each in upkeep if each.failing_since is not None]
    cleared = [each.done_at for each in upkeep if each.done_at and each.work == "collecting"]
    session.screen.pairs(
        [
            (b.ID, one.id),
            (b.NAME, one.name),
            (b.PREFECTURE, one.prefecture),
            (b.REGION, one.region or "-"),
            (b.SITE, one.site or "-"),
            (b.HAZARDS, ", ".join(one.hazards) or "-"),
            (b.ADDRESS, one.place or "-"),
            (b.KEY, one.key_ref or "-"),
            (b.FORMER_KEY, one.former_key_ref or "-"),
            (b.LOCKED, str(one.lock_days)),
            (b.MEMBER, one.tenant or "-"),
            (b.STATE, _state(one, failing=bool(failing))),
            (b.CHECKED, at(one.checked_at)),
            (b.TROUBLE, one.trouble or "-"),
            (b.CLEARED, at(min(cleared, default=None))),
        ]
    )
    if failing:
        session.screen.table(
            [Column(b.MEMBER), Column(b.WORK), Column(b.SINCE), Column(b.TROUBLE)],
            [
                (
                    each.tenant,
                    session.screen.text(b.UPKEEP[each.work]),
                    at(each.failing_since),
                    session.sentence(each.trouble_en or "-", each.trouble_ja or "-"),
                )
                for each in failing
            ],
        )


@app.command()
def add(
    context: typer.Context,
    repository: Annotated[
        str, typer.Argument(help="What the repository is to be called.", metavar="REPOSITORY")
    ],
    *,
    place: Annotated[
        str, typer.Option(help="Its address: s3://bucket/prefix?endpoint=… or file:///path.")
    ],
    key: Annotated[
        str, typer.Option(help="Where its key is: env:NAME or file:/path, on the control plane.")
    ],
    prefecture: Annotated[str, typer.Option(help="In which prefecture it stands, as in 京都府.")],
    name: Annotated[str | None, typer.Option(help="Its name for people.")] = None,
    region: Annotated[str | None, typer.Option(help="In which region of the pool.")] = None,
    site: Annotated[str | None, typer.Option(help="In which site of the pool.")] = None,
    hazard: Annotated[
        list[str] | None,
        typer.Option(help="A hazard zone that it stands in (several times for several)."),
    ] = None,
    lock_days: Annotated[
        int, typer.Option(min=0, help="For how many days nothing can be removed from it.")
    ] = 0,
    tenant: Annotated[
        str | None, typer.Option(help="The member whose own it is (municipality code).")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Put a place for recovery points on record."""
    session = session_of(context)
    given: dict[str, object] = {
        "id": repository,
        "name": name or repository,
        "place": place,
        "key_ref": key,
        "prefecture": prefecture,
        "region": region,
        "site": site,
        "hazards": hazard,
        "lock_days": lock_days,
        "tenant": tenant,
    }
    wanted = {key: value for key, value in given.items() if value is not None}
    document = session.api.post("/v1/repositories", wanted, dry_run=dry_run)
    tell(session, document, b.REPOSITORY_ADDED, dry_run=dry_run, repository=repository)


@app.command()
def check(context: typer.Context, repository: RepositoryArgument) -> None:
    """See whether a repository answers and lets Yui in."""
    session = session_of(context)
    document = session.api.post(f"/v1/repositories/{segment(repository)}/check")
    found = read(RepositoryOut, document)
    if session.screen.json:
        session.screen.data(document)
    elif found.sound:
        session.screen.say(b.REPOSITORY_SOUND, repository=repository)
    else:
        session.screen.say(b.REPOSITORY_UNSOUND, repository=repository, trouble=found.trouble)
    if not found.sound:
        raise typer.Exit(1)


@app.command()
def retire(
    context: typer.Context,
    repository: RepositoryArgument,
    off: Annotated[bool, typer.Option("--off", help="Take it into use again.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Let nothing new go to a repository; what lies there stays."""
    session = session_of(context)
    path = f"/v1/repositories/{segment(repository)}"
    document = session.api.patch(path, {"retired": not off}, dry_run=dry_run)
    said = b.REPOSITORY_BACK if off else b.REPOSITORY_RETIRED
    tell(session, document, said, dry_run=dry_run, repository=repository)


@app.command()
def rewrap(
    context: typer.Context,
    repository: RepositoryArgument,
    *,
    key: Annotated[
        str,
        typer.Option(help="Where its new key is: env:NAME or file:/path, on the control plane."),
    ],
    reason: Annotated[str, typer.Option(help="Why, in one sentence; it is kept.")],
    dry_run: DryRun = False,
) -> None:
    """Have all members' keys in a repository wrapped by another repository key."""
    session = session_of(context)
    path = f"/v1/repositories/{segment(repository)}/rewrap"
    document = session.api.post(path, {"key_ref": key, "reason": reason}, dry_run=dry_run)
    tell(session, document, b.REPOSITORY_REWRAPS, dry_run=dry_run, repository=repository)


@app.command()
def remove(
    context: typer.Context,
    repository: RepositoryArgument,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Take a repository off the record where nothing lies, after asking."""
    session = session_of(context)
    path = f"/v1/repositories/{segment(repository)}"
    document = remove_after_asking(
        session, path, b.REPOSITORY_REMOVE_ASK, yes=yes, dry_run=dry_run, repository=repository
    )
    tell(session, document, b.REPOSITORY_REMOVED, dry_run=dry_run, repository=repository)


def _state(one: RepositoryOut, *, failing: bool) -> State:
    if one.retired:
        return State("retired")
    if one.sound is False:
        return State("error")
    if failing:
        return State("degraded")
    return State("unchecked" if one.sound is None else "up")
