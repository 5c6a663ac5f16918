"""What members call their servers, and what they write down of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from control_plane.admission.standing import need_placed
from control_plane.model.errors import YuiError
from control_plane.model.server_notes import MOST_LABELS, MOST_TAGS, ServerNotes
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.creation import name_taken
from tenants.server_notes_models import ServerNotesOut


def notes_out(tx: Snapshot, server: Server) -> ServerNotesOut:
    notes = tx.notes_of(server.id)
    return ServerNotesOut(
        server=server.id,
        made_at=notes.made_at or tx.system(server.system).created_at,
        made_by=notes.made_by,
        description=notes.description,
        labels=dict(notes.labels),
        tags=list(notes.tags),
        sites=sorted(server.sites),
        generation=server.generation,
    )


def change_notes(tx: Transaction, server: Server, notes: ServerNotes, asker: Asker) -> ServerNotes:
    """Have `notes` written of it in place of what was, its beginning apart. Raises
    `server-labels-too-many`, `server-tags-too-many`."""
    before = tx.notes_of(server.id)
    after = replace(notes, made_at=before.made_at, made_by=before.made_by)
    if after == before:
        return before
    _refuse_many("labels", "ラベル", len(after.labels), MOST_LABELS)
    _refuse_many("tags", "タグ", len(after.tags), MOST_TAGS)
    tx.put_notes(server.id, after)
    fields: dict[str, object] = {
        "labels": dict(after.labels),
        "tags": list(after.tags),
        "description": after.description,
    }
    words = ("has other notes from now on", "の説明・ラベル・タグを変更します")
    asker.tell(tx, "server.notes", server, words, fields)
    return after


def label(notes: ServerNotes, labels: Mapping[str, str]) -> ServerNotes:
    """With these beside, or instead of, those that it has."""
    return replace(notes, labels={**notes.labels, **labels})


def rename(tx: Transaction, server: Server, name: str, asker: Asker) -> Server:
    """Its id stays, and so does what its guest calls itself, until it is started again. Raises
    `server-name-taken`, `server-deleting`."""
    if name == server.name:
        return server
    if server.deleting:
        need_placed(server)
    if tx.server_names_taken(server.tenant, [name]):
        raise name_taken(name)
    saved = tx.save_server(replace(server, name=name))
    words = (f"is to be called {name}", f"の名前を {name} に変更します")
    asker.tell(tx, "server.rename", server, words, {"name": name})
    return saved


def _refuse_many(things: str, things_ja: str, count: int, most: int) -> None:
    if count > most:
        raise YuiError(
            f"server-{things}-too-many",
            en=f"A server can have {most} {things} at most, and these are {count}: leave some out.",
            ja=f"サーバーの{things_ja}は {most} 個までです({count} 個指定されました)。減らしてください。",
            status=409,
            fields={"most": most, "count": count},
        )
