"""What a server's owner writes down of it: metadata and tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.server_notes import ServerNotes
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.openstack_api.answers import emptied
from tenants.openstack_api.compute.action_states import refuse_locked
from tenants.openstack_api.compute.bodies import retold, told
from tenants.openstack_api.compute.changing import Changes, Changing, ServerRef, own_server
from tenants.openstack_api.compute.creating import SYSTEM_LABEL
from tenants.openstack_api.compute.server_models import MetadataIn, MetadataItemIn, TagsIn
from tenants.openstack_api.compute.server_view import Json, View
from tenants.openstack_api.compute.unsupported import unsupported
from tenants.openstack_api.services import Service, in_region
from tenants.server_notes import change_notes, label
from tenants.server_notes_models import LabelName, Tag

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.SERVERS_READ)]
Writer = Annotated[Principal, needs(Permission.SERVERS_WRITE)]
Key = Annotated[str, Path(max_length=255)]


@router.get("/servers/{server}/metadata")
async def read_metadata(server: ServerRef, _: Reader, view: View, edge: AtHand) -> Response:
    """All of a server's metadata."""

    def look(tx: Snapshot) -> Json:
        return {"metadata": tx.notes_of(own_server(tx, server, view).id).labels}

    return told(await edge.look(look))


@router.post("/servers/{server}/metadata")
@audited("server.notes", "server")
def add_metadata(server: ServerRef, body: MetadataIn, who: Writer, changes: Changes) -> Response:
    """Adds to a server's metadata, or changes what it has of the same names."""
    return _write(changes, who, server, lambda notes: label(notes, body.metadata))


@router.put("/servers/{server}/metadata")
@audited("server.notes", "server")
def replace_metadata(
    server: ServerRef, body: MetadataIn, who: Writer, changes: Changes
) -> Response:
    """Puts other metadata in place of all that there is."""
    return _write(changes, who, server, lambda notes: replace(notes, labels=body.metadata))


@router.get("/servers/{server}/metadata/{key}")
async def read_metadata_item(
    server: ServerRef, key: Key, _: Reader, view: View, edge: AtHand
) -> Response:
    """One item of a server's metadata."""

    def look(tx: Snapshot) -> Json:
        labels = tx.notes_of(own_server(tx, server, view).id).labels
        return {"meta": {key: _item(labels, key)}}

    return told(await edge.look(look))


@router.put("/servers/{server}/metadata/{key}")
@audited("server.notes", "server")
def set_metadata_item(
    server: ServerRef, key: LabelName, body: MetadataItemIn, who: Writer, changes: Changes
) -> Response:
    """Sets one item of a server's metadata."""
    if set(body.meta) != {key}:
        raise YuiError(
            "metadata-key-other",
            en="Request body and URI mismatch: name the same key in both.",
            ja="パスと本文のキーが異なります。同じキーを指定してください。",
            status=400,
        )
    return _write(changes, who, server, lambda notes: label(notes, body.meta), {"meta": body.meta})


@router.delete("/servers/{server}/metadata/{key}", status_code=204)
@audited("server.notes", "server")
def remove_metadata_item(server: ServerRef, key: Key, who: Writer, changes: Changes) -> Response:
    """Takes one item off a server's metadata."""

    def without(notes: ServerNotes) -> ServerNotes:
        _item(notes.labels, key)
        return replace(notes, labels={k: v for k, v in notes.labels.items() if k != key})

    return emptied(_write(changes, who, server, without), 204)


@router.get("/servers/{server}/tags")
async def read_tags(server: ServerRef, _: Reader, view: View, edge: AtHand) -> Response:
    """A server's tags; since 2.26."""
    _need_tags(view.version.minor)
    tags = await edge.look(lambda tx: tx.notes_of(own_server(tx, server, view).id).tags)
    return told({"tags": tags})


@router.put("/servers/{server}/tags")
@audited("server.notes", "server")
def replace_tags(server: ServerRef, body: TagsIn, who: Writer, changes: Changes) -> Response:
    """Puts other tags in place of all that there are; since 2.26."""
    _need_tags(changes.view.version.minor)
    tags = tuple(dict.fromkeys(body.tags))
    return _write(changes, who, server, lambda notes: replace(notes, tags=tags), {"tags": tags})


@router.delete("/servers/{server}/tags", status_code=204)
@audited("server.notes", "server")
def remove_tags(server: ServerRef, who: Writer, changes: Changes) -> Response:
    """Takes all tags off a server; since 2.26."""
    _need_tags(changes.view.version.minor)
    done = _write(changes, who, server, lambda notes: replace(notes, tags=()))
    return emptied(done, 204)


@router.get("/servers/{server}/tags/{tag}", status_code=204)
async def read_tag(server: ServerRef, tag: Key, _: Reader, view: View, edge: AtHand) -> Response:
    """Whether a server has a tag; since 2.26."""
    _need_tags(view.version.minor)
    tags = await edge.look(lambda tx: tx.notes_of(own_server(tx, server, view).id).tags)
    _need_tag(tags, tag)
    return told(None, 204)


@router.put("/servers/{server}/tags/{tag}", status_code=201)
@audited("server.notes", "server")
def add_tag(server: ServerRef, tag: Tag, who: Writer, changes: Changes) -> Response:
    """Gives a server a tag; since 2.26."""
    _need_tags(changes.view.version.minor)
    had: list[bool] = []

    def with_it(notes: ServerNotes) -> ServerNotes:
        had.append(tag in notes.tags)
        return notes if had[-1] else replace(notes, tags=(*notes.tags, tag))

    done = _write(changes, who, server, with_it)
    view = changes.view
    place = {"Location": f"{view.endpoint}/servers/{server}/tags/{tag}"}
    kept = bool(had) and had[-1]
    answer = emptied(done, 204 if kept else 201)
    return answer if kept else retold(answer, place)


@router.delete("/servers/{server}/tags/{tag}", status_code=204)
@audited("server.notes", "server")
def remove_tag(server: ServerRef, tag: Key, who: Writer, changes: Changes) -> Response:
    """Takes one tag off a server; since 2.26."""
    _need_tags(changes.view.version.minor)

    def without(notes: ServerNotes) -> ServerNotes:
        _need_tag(notes.tags, tag)
        return replace(notes, tags=tuple(each for each in notes.tags if each != tag))

    return emptied(_write(changes, who, server, without), 204)


def _write(
    changes: Changing,
    who: Principal,
    server: str,
    change: Callable[[ServerNotes], ServerNotes],
    shown: Json | None = None,
) -> Response:
    """Answers `shown`, or all metadata."""

    def write(tx: Transaction, found: Server, asker: Asker) -> Json:
        before = tx.notes_of(found.id)
        wanted = change(before)
        _keep_system(found, before.labels, wanted.labels)
        if wanted.labels != before.labels:
            refuse_locked(found)
        after = change_notes(tx, found, wanted, asker)
        return {"metadata": dict(after.labels)} if shown is None else shown

    return changes.server(who, server, write)


def _keep_system(found: Server, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """A server stays in the system that it was made for."""
    wanted = after.get(SYSTEM_LABEL)
    if wanted not in (None, before.get(SYSTEM_LABEL), found.system):
        raise unsupported(
            SYSTEM_LABEL,
            f"a server stays in the system that it was made for: leave {SYSTEM_LABEL} as it is",
            f"サーバーのシステムは変更できません。{SYSTEM_LABEL} はそのままにしてください",
        )


def _item(labels: Mapping[str, str], key: str) -> str:
    if key not in labels:
        raise YuiError(
            "metadata-not-found",
            en="Metadata item was not found: list the server's metadata for what there is.",
            ja="そのメタデータはありません。サーバーのメタデータ一覧で確認してください。",
            status=404,
        )
    return labels[key]


def _need_tags(minor: int) -> None:
    if minor < 26:
        raise YuiError(
            "microversion-too-early",
            en="Tags came with microversion 2.26: ask for that or a later one.",
            ja="タグはマイクロバージョン 2.26 以降で使えます。バージョンを指定してください。",
            status=404,
        )


def _need_tag(tags: tuple[str, ...], tag: str) -> None:
    if tag not in tags:
        raise YuiError(
            "tag-not-found",
            en="The server has no such tag: list its tags.",
            ja="サーバーにそのタグはありません。タグの一覧で確認してください。",
            status=404,
        )
