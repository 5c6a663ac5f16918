"""Members shelve servers that they do not need for a while, and take them back."""

from __future__ import annotations

from collections.abc import Callable

from control_plane import admission
from control_plane.admission.shelving import Unshelved
from control_plane.admission.standing import refuse_while_leaning
from control_plane.journal.server_progress import SERVER_SHELVE, SERVER_UNSHELVE
from control_plane.model.ids import ServerId
from control_plane.model.operation import Operation
from control_plane.model.workload import Power, Server
from control_plane.store import Store, Transaction
from tenants.asking import Asker, Keep


def shelve(
    tx: Transaction, server: Server, asker: Asker, keep: Callable[[Operation], None]
) -> Operation:
    """Ask for it to be stopped and its room to be given back; disks and address stay its own. One that
    is shelved already is left as it is. Raises `server-deleting`, `server-disks-busy`."""
    if server.power is not Power.SHELVED:
        refuse_while_leaning(tx, server)
    saved = admission.shelve(tx, server)
    operation = asker.operation(SERVER_SHELVE, [server])
    tx.put_operation(operation)
    keep(operation)
    if server.power is not Power.SHELVED:
        asker.tell(
            tx,
            "server.shelve",
            saved,
            ("is to be shelved: it stops and gives its room back", "を休止し、容量を返却します"),
        )
    return operation


def unshelve(
    store: Store,
    server: ServerId,
    asker: Asker,
    keep: Keep,
    *,
    expected: Callable[[Server], Server],
    dry_run: bool = False,
) -> Unshelved[Operation]:
    """Find it room again and start it. Raises what `admission.unshelve` raises, and what `expected` says
    of the server as it is then."""

    def check(_: Transaction, standing: Server) -> None:
        expected(standing)

    def finish(tx: Transaction, _: Server, after: Server) -> Operation:
        operation = asker.operation(SERVER_UNSHELVE, [after])
        tx.put_operation(operation)
        keep(tx, operation)
        asker.tell(tx, "server.unshelve", after, ("is to run again", "の休止を解除し、起動します"))
        return operation

    return admission.unshelve(store, server, check, finish, dry_run=dry_run)
