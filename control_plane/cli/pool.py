"""`yui pool`: the pool as operators describe it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli import messages as m
from control_plane.cli.new_hosts import wait_for_hosts
from control_plane.cli.options import DryRun, Yes, confirm
from control_plane.cli.output import Column, Screen, State
from control_plane.cli.session import read, session_of
from control_plane.model.errors import YuiError
from control_plane.pool.models import PoolApplied
from control_plane.pool_file import Change, ChangeKind, compare, from_json, parse, to_json, to_yaml

app = typer.Typer(no_args_is_help=True, help="Describe the pool, and see how it is described.")

_MAX_BYTES = 8_000_000


@app.command()
def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The pool file (YAML).", metavar="FILE")],
    *,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait until its hosts are used, and fail with the reason where one is not.",
        ),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make the pool what FILE says, after showing what would change."""
    session = session_of(context)
    screen = session.screen
    wanted = parse(_read(file), file.name)
    standing, tag = session.api.read("/v1/pool")
    changes = compare(from_json(standing), wanted)
    if not screen.json:
        _show(screen, changes)
    if not changes:
        screen.say(m.POOL_SAME, file=file.name)
        if screen.json:
            screen.data({"dry_run": dry_run, "changes": [], "applied": None})
        if wait and not dry_run:
            wait_for_hosts(session, {host.id for host in wanted.hosts})
        return
    removed = sum(change.kind is ChangeKind.REMOVED for change in changes)
    if (
        not dry_run
        and removed
        and not confirm(session, m.POOL_CONFIRM_REMOVAL, yes=yes, count=removed)
    ):
        screen.note(m.POOL_NOT_APPLIED)
        raise typer.Exit(1)
    # Nothing but what was shown and confirmed.
    document = session.api.put("/v1/pool", to_json(wanted), if_match=tag, dry_run=dry_run)
    applied = read(PoolApplied, document)
    if screen.json:
        screen.data(
            {
                "dry_run": dry_run,
                "changes": [
                    {
                        "change": change.kind.value,
                        "thing": change.thing,
                        "id": change.id,
                        "before": dict(change.before),
                        "after": dict(change.after),
                    }
                    for change in changes
                ],
                "applied": document,
            }
        )
    elif dry_run:
        screen.say(m.POOL_DRY_RUN)
    else:
        parts = (applied.regions, applied.sites, applied.hosts, applied.flavors)
        screen.say(
            m.POOL_APPLIED,
            added=sum(len(part.added) for part in parts),
            changed=sum(len(part.changed) for part in parts),
            removed=sum(len(part.removed) for part in parts),
        )
    if wait and not dry_run:
        wait_for_hosts(session, {host.id for host in wanted.hosts})


@app.command()
def show(context: typer.Context) -> None:
    """Print the pool's description, as a pool file."""
    session = session_of(context)
    document = session.api.get("/v1/pool")
    if session.screen.json:
        session.screen.data(document)
    else:
        session.screen.line(to_yaml(from_json(document)).rstrip("\n"))


def _show(screen: Screen, changes: tuple[Change, ...]) -> None:
    if not changes:
        return
    rows = []
    for change in changes:
        head = (State(change.kind.value), f"{change.thing} {change.id}")
        if change.kind is not ChangeKind.CHANGED:
            said = change.after or change.before
            text = ", ".join(f"{key}={_said(said[key])}" for key in said if key != "id")
            before, after = ("", text) if change.after else (text, "")
            rows.append((*head, before, after))
            continue
        for key in dict.fromkeys([*change.before, *change.after]):
            rows.append(
                (
                    *head,
                    f"{key}={_said(change.before.get(key))}",
                    f"{key}={_said(change.after.get(key))}",
                )
            )
    screen.table([Column(m.CHANGE), Column(m.THING), Column(m.BEFORE), Column(m.AFTER)], rows)


def _said(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return "[" + ", ".join(_said(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_said(item)}" for key, item in value.items()) + "}"
    return str(value)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise YuiError(
                "pool-file-unreadable",
                en=f"{path} is longer than {_MAX_BYTES:,} bytes, so it is no pool file.",
                ja=f"{path} は {_MAX_BYTES:,} バイトを超えており、プールファイルではありません。",
            )
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        en = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise YuiError(
            "pool-file-unreadable",
            en=f"{path} can't be read: {en}.",
            ja=f"{path} を読めません({en})。パスと文字コード(UTF-8)を確認してください。",
        ) from None
