"""Servers are given another size, which may be taken back where that was asked for."""

from __future__ import annotations

from collections.abc import Callable

from control_plane.admission import Resized, resize
from control_plane.admission.standing import cannot, need_placed
from control_plane.journal.server_progress import SERVER_RESIZE
from control_plane.model.ids import FlavorId, ServerId
from control_plane.model.operation import Operation
from control_plane.model.unconfirmed_resize import TIME_TO_DECIDE, UnconfirmedResize
from control_plane.model.workload import Moving, Server
from control_plane.store import LostRace, Snapshot, Store, Transaction
from tenants.asking import Asker, Keep


def change_size(
    store: Store,
    server: ServerId,
    flavor: FlavorId,
    asker: Asker,
    keep: Keep,
    *,
    expected: Callable[[Server], Server],
    to_confirm: bool = False,
    back: bool = False,
    dry_run: bool = False,
) -> Resized[Operation]:
    """Give it another flavor, where it stands or on another host; with `to_confirm` it may be taken back
    for a while. `back` to the one from before, it keeps a disk that has grown. Raises what
    `admission.resize` raises, and what `expected` says of the server as it is then."""

    def check(tx: Transaction, standing: Server) -> None:
        expected(standing)
        if back and flavor_before(tx, standing, asker) != flavor:
            raise LostRace(f"server {server}")

    def finish(tx: Transaction, before: Server, after: Server) -> Operation:
        moves = isinstance(after.placement, Moving)
        operation = asker.operation(
            SERVER_RESIZE,
            [after],
            generation=after.generation if moves else after.sized_since,
            flavor=flavor,
            moves=moves,
        )
        tx.put_operation(operation)
        until = asker.at + TIME_TO_DECIDE
        waits = UnconfirmedResize(before.flavor, until) if to_confirm else None
        tx.set_unconfirmed_resize(after.id, waits)
        keep(tx, operation)
        asker.tell(
            tx,
            "server.resize-revert" if back else "server.resize",
            after,
            (
                f"is to have flavor {flavor} instead of {before.flavor}",
                f"のフレーバーを {before.flavor} から {flavor} に変更します",
            ),
            {"from": before.flavor, "to": flavor},
        )
        return operation

    return resize(store, server, flavor, check, finish, keep_disk=back, dry_run=dry_run)


def flavor_before(tx: Snapshot, server: Server, asker: Asker) -> FlavorId:
    """What a resize that waits for its member's word came from. Raises `resize-not-waiting`, and what
    `need_placed` raises."""
    need_placed(server)
    resize = tx.unconfirmed_resizes([server.id]).get(server.id)
    if resize is None or not resize.waits(server, asker.at):
        raise cannot(
            server,
            "resize-not-waiting",
            "has no resize that waits to be confirmed or taken back",
            "には、確定または取り消しを待っているサイズ変更はありません",
        )
    return resize.flavor


def confirm(tx: Transaction, server: Server, asker: Asker) -> Server:
    """The new size stays. Raises what `flavor_before` raises."""
    before = flavor_before(tx, server, asker)
    tx.set_unconfirmed_resize(server.id, None)
    asker.tell(
        tx,
        "server.resize-confirm",
        server,
        (
            f"keeps flavor {server.flavor}",
            f"のフレーバーを {server.flavor} で確定します",
        ),
        {"from": before, "to": server.flavor},
    )
    return server


def revert(
    store: Store,
    server: ServerId,
    asker: Asker,
    keep: Keep,
    *,
    expected: Callable[[Server], Server],
    dry_run: bool = False,
) -> Resized[Operation]:
    """Give it its flavor from before; a disk that has grown stays as large as it is. Raises what
    `flavor_before` and `change_size` raise."""
    with store.read() as tx:
        flavor = flavor_before(tx, tx.server(server), asker)
    return change_size(
        store, server, flavor, asker, keep, expected=expected, back=True, dry_run=dry_run
    )
