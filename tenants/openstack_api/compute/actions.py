"""What actions on a server do: the same services as `/v1`, once Nova would let it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Response

from control_plane.admission.leaving import refuse_leaving
from control_plane.http.idempotency import Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.journal.progress import ended_before, note_ended
from control_plane.model.ids import FlavorId, ImageId, ServerId
from control_plane.model.operation import Operation
from control_plane.model.workload import Power, Server
from control_plane.store import Transaction
from images.capture_routes import need_both
from images.captures import Captured, CaptureRequest, capture
from images.uploads import UploadFolder
from tenants import lifecycle, resizing, shelving
from tenants.asking import Asker, Keep
from tenants.openstack_api.answers import Answer, emptied
from tenants.openstack_api.compute.action_models import (
    ConsoleIn,
    GroupIn,
    ImageIn,
    LockIn,
    Nothing,
    RebootIn,
    RebuildIn,
    ResizeIn,
    UnshelveIn,
)
from tenants.openstack_api.compute.action_states import demand
from tenants.openstack_api.compute.bad_requests import bad_request
from tenants.openstack_api.compute.bodies import retold, told
from tenants.openstack_api.compute.changing import Changing, own_server
from tenants.openstack_api.compute.groups_of_server import join_group, leave_group
from tenants.openstack_api.compute.server_view import Json
from tenants.openstack_api.compute.unsupported import (
    refuse_hostname,
    refuse_unsupported,
    unsupported,
)
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.image.words import properties_of
from tenants.server_notes import change_notes, rename
from tenants.servers import read_console, set_power

_CONSOLE_BYTES = 100 * 1024
"""Nova's own most (`MAX_CONSOLE_BYTES`)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`action` on one server; images that are made of it come to `folder`, and are shown below `images`."""

    action: str
    server: str
    who: Principal
    changes: Changing
    folder: UploadFolder
    images: str

    def at_once(
        self,
        change: Callable[[Transaction, Server, Asker], Json | None],
        status: int = 202,
    ) -> Response:
        """Decided in one transaction; `change` answers the body, None is an empty one."""
        view = self.changes.view

        def checked(tx: Transaction, found: Server, asker: Asker) -> Json | None:
            demand(tx, view, found, self.action)
            return change(tx, found, asker)

        done = self.changes.server(self.who, self.server, checked)
        return emptied(done, status)

    def with_plan(self, change: Callable[[ServerId, Asker, Keep], object]) -> Response:
        """For what finds its own place first, and is decided in a transaction of its own."""
        changes, view = self.changes, self.changes.view

        def work(remember: Remember) -> Answer:
            with changes.edge.store.read() as tx:
                found = own_server(tx, self.server, view)
                ended = ended_before(tx, found)
                refuse_leaving(tx, found.tenant)
                demand(tx, view, found, self.action)

            asker = Asker(self.who, changes.edge.clock.now())

            def keep(tx: Transaction, _: Operation) -> None:
                remember(tx, Answer({}))
                note_ended(tx, ended, asker.at)

            change(found.id, asker, keep)
            return Answer({})

        return emptied(changes.once.run(work), 202)


def start(asked: Asked, _: Nothing) -> Response:
    return asked.at_once(_power(Power.RUNNING))


def stop(asked: Asked, _: Nothing) -> Response:
    return asked.at_once(_power(Power.STOPPED))


def reboot(asked: Asked, body: RebootIn) -> Response:
    def change(tx: Transaction, server: Server, asker: Asker) -> None:
        lifecycle.reboot(tx, server, asker, _forget, hard=body.type == "hard")

    return asked.at_once(change)


def resize(asked: Asked, body: ResizeIn) -> Response:
    def change(server: ServerId, asker: Asker, keep: Keep) -> object:
        with named_in_body():
            return resizing.change_size(
                asked.changes.edge.store,
                server,
                FlavorId(body.flavor),
                asker,
                keep,
                expected=_as_it_is,
                to_confirm=True,
            )

    with bad_request("server-has-flavor", "disk-cannot-shrink"):
        return asked.with_plan(change)


def confirm_resize(asked: Asked, _: Nothing) -> Response:
    def change(tx: Transaction, server: Server, asker: Asker) -> None:
        resizing.confirm(tx, server, asker)

    return asked.at_once(change, 204)


def revert_resize(asked: Asked, _: Nothing) -> Response:
    def change(server: ServerId, asker: Asker, keep: Keep) -> object:
        store = asked.changes.edge.store
        return resizing.revert(store, server, asker, keep, expected=_as_it_is)

    return asked.with_plan(change)


def rebuild(asked: Asked, body: RebuildIn) -> Response:
    refuse_unsupported(body)
    for name in ("metadata", "key_name", "user_data"):
        if name in body.model_fields_set:
            raise unsupported(
                name,
                f"a rebuild gives a server a new disk from an image and leaves its {name} as it is",
                f"rebuild はイメージからディスクを作り直すだけで、{name} は変更しません",
            )
    view = asked.changes.view

    def change(tx: Transaction, server: Server, asker: Asker) -> Json:
        demand(tx, view, server, asked.action)
        refuse_hostname(body.hostname, body.name or server.name)
        if body.name is not None:
            rename(tx, server, body.name, asker)
        if "description" in body.model_fields_set:
            notes = replace(tx.notes_of(server.id), description=body.description)
            change_notes(tx, server, notes, asker)
        with named_in_body():
            lifecycle.rebuild(tx, tx.server(server.id), ImageId(body.image), asker, _forget)
        return view.one(tx, server.id)

    with bad_request("image-larger-than-disk"):
        done = asked.changes.server(asked.who, asked.server, change)
    done.status_code = 202
    headers = {"Location": f"{view.endpoint}/servers/{asked.server}"}
    return retold(done, headers)


def lock(asked: Asked, body: LockIn) -> Response:
    if body.locked_reason is not None:
        raise unsupported(
            "locked_reason",
            "locked_reason is not kept: leave it out, and write the reason into the description",
            "locked_reason は記録されません。省略し、必要なら description に理由を書いてください",
        )
    return asked.at_once(_protect(True))


def unlock(asked: Asked, _: Nothing) -> Response:
    return asked.at_once(_protect(False))


def shelve(asked: Asked, _: Nothing) -> Response:
    def change(tx: Transaction, server: Server, asker: Asker) -> None:
        shelving.shelve(tx, server, asker, _forget)

    return asked.at_once(change)


def unshelve(asked: Asked, body: UnshelveIn) -> Response:
    for name in ("availability_zone", "host"):
        if getattr(body, name) is not None:
            raise unsupported(
                name,
                f"{name} can't be chosen: a server comes back where its disks are",
                f"{name} は指定できません。サーバーはディスクのある場所で再開します",
            )

    def change(server: ServerId, asker: Asker, keep: Keep) -> object:
        store = asked.changes.edge.store
        return shelving.unshelve(store, server, asker, keep, expected=_as_it_is)

    return asked.with_plan(change)


def force_delete(asked: Asked, _: Nothing) -> Response:
    """Nothing is kept of deleted servers for a while, so that there is no other way to delete."""

    def change(tx: Transaction, server: Server, asker: Asker) -> None:
        lifecycle.delete(tx, server, asker, _forget)

    return asked.at_once(change)


def console_output(asked: Asked, body: ConsoleIn) -> Response:
    edge, view = asked.changes.edge, asked.changes.view
    with edge.store.read() as tx:
        found = own_server(tx, asked.server, view)
    text = read_console(edge.store, edge.world, found, _CONSOLE_BYTES)
    if body.length is not None and body.length >= 0:
        lines = text.splitlines(keepends=True)
        text = "".join(lines[max(0, len(lines) - body.length) :])
    return told({"output": text})


def create_image(asked: Asked, body: ImageIn) -> Response:
    need_both(asked.who)
    edge, view = asked.changes.edge, asked.changes.view
    wanted = CaptureRequest(asked.server, body.name, properties=properties_of(body.metadata))

    def work(remember: Remember) -> Answer:
        with edge.store.read() as tx:
            found = own_server(tx, asked.server, view)
            demand(tx, view, found, asked.action)

        def keep(tx: Transaction, captured: Captured) -> None:
            remember(tx, Answer({"image_id": captured.upload.id}))

        made = capture(edge.store, asked.folder, wanted, asked.who, edge.clock.now(), keep=keep)
        return Answer({"image_id": made.upload.id})

    def location(answer: Mapping[str, Any]) -> Mapping[str, str]:
        return {"Location": f"{asked.images}/{answer['image_id']}"}

    done = asked.changes.once.run(work, status=202, headers=location)
    if since(view.version, 45):
        return done
    where = done.headers["Location"]
    done = emptied(done, 202)
    done.headers["Location"] = where
    return done


def add_security_group(asked: Asked, body: GroupIn) -> Response:
    def change(tx: Transaction, server: Server, asker: Asker) -> None:
        join_group(tx, server, body.name, asker)

    return asked.at_once(change)


def remove_security_group(asked: Asked, body: GroupIn) -> Response:
    def change(tx: Transaction, server: Server, asker: Asker) -> None:
        leave_group(tx, server, body.name, asker)

    return asked.at_once(change)


def _power(power: Power) -> Callable[[Transaction, Server, Asker], None]:
    def change(tx: Transaction, server: Server, asker: Asker) -> None:
        set_power(tx, server, power, asker.who, asker.at, keep=_forget)

    return change


def _protect(protected: bool) -> Callable[[Transaction, Server, Asker], None]:
    def change(tx: Transaction, server: Server, asker: Asker) -> None:
        lifecycle.protect(tx, server, asker, protected=protected)

    return change


def _forget(_: Operation) -> None:
    """What is kept for a request that is sent again is the answer, which tells of no operation."""


def _as_it_is(server: Server) -> Server:
    return server
