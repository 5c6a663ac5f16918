"""`yui container-group`: what is to run in containers, on record until something runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from control_plane.cli import container_messages as c
from control_plane.cli import messages as m
from control_plane.cli.client import segment
from control_plane.cli.options import DryRun, TenantFilter, Yes, confirm
from control_plane.cli.output import Column, State, gib, local_time
from control_plane.cli.session import Session, read, read_all, session_of
from control_plane.model.errors import YuiError
from tenants.container_groups.models import ContainerGroupOut

app = typer.Typer(
    no_args_is_help=True,
    help="Container groups: on record until the pool has a platform that runs containers.",
)

_MOST_BYTES = 256 * 1024

GroupArgument = Annotated[
    str, typer.Argument(help="The container group's name or id.", metavar="GROUP")
]
FileArgument = Annotated[
    Path,
    typer.Argument(
        help="What is to run (YAML): replicas, and containers with name, image, vcpus, memory_mib and ports.",
        metavar="FILE",
    ),
]


@app.command("list")
def list_(context: typer.Context, tenant: TenantFilter = None) -> None:
    """List the container groups."""
    session = session_of(context)
    documents = session.api.every("/v1/container-groups", tenant=tenant)
    if session.screen.json:
        session.screen.data(documents)
        return
    found = read_all(ContainerGroupOut, documents)
    if not found:
        session.screen.note(c.NO_GROUPS)
        return
    session.screen.table(
        [
            Column(c.NAME),
            Column(m.ID),
            Column(c.SYSTEM),
            Column(m.STATE),
            Column(c.REPLICAS, "right"),
            Column(c.SIZE, "right"),
        ],
        [
            (one.name, one.id, one.system, State(one.state), str(one.replicas), _size(one))
            for one in found
        ],
    )


@app.command()
def show(context: typer.Context, group: GroupArgument) -> None:
    """Show one container group."""
    session = session_of(context)
    document = session.api.get(f"/v1/container-groups/{segment(group)}")
    if session.screen.json:
        session.screen.data(document)
        return
    _show(session, read(ContainerGroupOut, document))


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the group is to be called.", metavar="NAME")],
    file: FileArgument,
    *,
    system: Annotated[str, typer.Option(help="The system it belongs to, by its id.")],
    dry_run: DryRun = False,
) -> None:
    """Put a container group on record."""
    session = session_of(context)
    body = {**_read_file(file), "name": name, "system": system}
    _answer(session, session.api.post("/v1/container-groups", body, dry_run=dry_run), dry_run)


@app.command()
def change(
    context: typer.Context, group: GroupArgument, file: FileArgument, dry_run: DryRun = False
) -> None:
    """Let other containers, or another number of copies, run instead."""
    session = session_of(context)
    path = f"/v1/container-groups/{segment(group)}"
    _, tag = session.api.read(path)
    document = session.api.put(path, _read_file(file), if_match=tag, dry_run=dry_run)
    _answer(session, document, dry_run)


@app.command()
def delete(
    context: typer.Context, group: GroupArgument, yes: Yes = False, dry_run: DryRun = False
) -> None:
    """Delete a container group."""
    session = session_of(context)
    if not dry_run and not confirm(session, c.SURE, yes=yes, group=group):
        return
    document = session.api.delete(f"/v1/container-groups/{segment(group)}", dry_run=dry_run)
    if session.screen.json:
        session.screen.data(document)
    elif dry_run:
        session.screen.say(m.POOL_DRY_RUN)
    else:
        session.screen.say(c.DELETED, group=read(ContainerGroupOut, document).name)


def _answer(session: Session, document: dict[str, Any], dry_run: bool) -> None:
    if session.screen.json:
        session.screen.data(document)
    elif dry_run:
        session.screen.say(m.POOL_DRY_RUN)
    else:
        _show(session, read(ContainerGroupOut, document))
        session.screen.note(c.WAITS)


def _show(session: Session, group: ContainerGroupOut) -> None:
    session.screen.pairs(
        [
            (c.NAME, group.name),
            (m.ID, group.id),
            (c.SYSTEM, group.system),
            (m.STATE, State(group.state)),
            (c.REPLICAS, str(group.replicas)),
            (c.SIZE, _size(group)),
            (m.SINCE, local_time(group.created_at.isoformat())),
            *(
                (c.CONTAINER, f"{one.name}  {one.image}  {', '.join(map(str, one.ports))}".rstrip())
                for one in group.containers
            ),
        ]
    )


def _size(group: ContainerGroupOut) -> str:
    return f"{group.vcpus} vCPU, {gib(group.memory_mib)} GiB"


def _read_file(path: Path) -> dict[str, Any]:
    """Raises `container-file-unreadable`."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST_BYTES + 1)
        found = yaml.safe_load(text) if len(text) <= _MOST_BYTES else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict):
        raise YuiError(
            "container-file-unreadable",
            en=f"{path} can't be read as the YAML of a container group: give a file with 'containers' and 'replicas'.",
            ja=f"{path} をコンテナーグループの YAML として読めません。containers と replicas を書いたファイルを指定してください。",
        )
    return found
