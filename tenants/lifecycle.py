"""What members do with servers that they have: rebuild, restart, protect, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from control_plane.admission.new_server import check_disk
from control_plane.admission.standing import cannot, need_placed, refuse_while_leaning
from control_plane.journal.server_progress import (
    SERVER_DELETE,
    SERVER_REBOOT,
    SERVER_REBUILD,
)
from control_plane.model.ids import Generation, ImageId
from control_plane.model.operation import Operation
from control_plane.model.workload import Flavor, Power, Server
from control_plane.store import Transaction
from tenants.asking import Asker


def delete(
    tx: Transaction, server: Server, asker: Asker, keep: Callable[[Operation], None]
) -> Operation:
    """Ask for the server and its root disk to be removed. One that is being removed already is left
    as it is. Raises `server-protected`."""
    if server.protected:
        raise cannot(
            server,
            "server-protected",
            "is protected against being deleted: take the protection off first",
            "は削除から保護されています。先に保護を解除してください",
        )
    operation = asker.operation(SERVER_DELETE, [server])
    tx.put_operation(operation)
    if not server.deleting:
        tx.save_server(replace(server, deleting=True))
    keep(operation)
    asker.tell(tx, "server.delete", server, ("is to be removed", "を削除します"))
    return operation


def protect(tx: Transaction, server: Server, asker: Asker, *, protected: bool) -> Server:
    """Raises `server-deleting`."""
    if server.protected is protected:
        return server
    if server.deleting:
        need_placed(server)
    saved = tx.save_server(replace(server, protected=protected))
    asker.tell(
        tx,
        "server.protect",
        server,
        ("is protected against being deleted", "を削除から保護します")
        if protected
        else ("may be deleted again", "の削除保護を解除します"),
        {"protected": protected},
    )
    return saved


def reboot(
    tx: Transaction,
    server: Server,
    asker: Asker,
    keep: Callable[[Operation], None],
    *,
    hard: bool,
) -> Operation:
    """Ask for it to be stopped and started again, `hard` without asking its guest. Raises
    `server-stopped`, `server-deleting`, `server-moving`, `server-stranded`."""
    need_placed(server)
    if server.power is not Power.RUNNING:
        raise cannot(
            server,
            "server-stopped",
            "is stopped, so there is nothing to restart: start it",
            "は停止しているため、再起動できません。起動してください",
        )
    since = Generation(server.generation + 1)
    operation = asker.operation(SERVER_REBOOT, [server], generation=since)
    tx.put_operation(operation)
    tx.save_server(replace(server, boot_since=since, boot_hard=hard))
    keep(operation)
    asker.tell(
        tx, "server.reboot", server, ("is to be restarted", "を再起動します"), {"hard": hard}
    )
    return operation


def rebuild(
    tx: Transaction,
    server: Server,
    image: ImageId,
    asker: Asker,
    keep: Callable[[Operation], None],
) -> Operation:
    """Ask for a new root disk, made from an image: the old one and all that is on it goes. Id, name
    and address stay. A stopped server gets the new disk when it is started.

    Raises `image-not-found`, `image-larger-than-disk`, `server-deleting`, `server-moving`,
    `server-stranded`, `server-disks-busy`, `server-protected`."""
    need_placed(server)
    refuse_while_leaning(tx, server)
    if server.protected:
        raise cannot(
            server,
            "server-protected",
            "is protected, and a rebuild deletes its disk: take the protection off first",
            "は保護されています。再構築するとディスクが削除されるため、先に保護を解除してください",
        )
    check_disk(Flavor(server.flavor, server.size, server.disk), tx.image(image, server.tenant))
    since = Generation(server.generation + 1)
    operation = asker.operation(SERVER_REBUILD, [server], generation=since, image=image)
    tx.put_operation(operation)
    tx.save_server(
        replace(
            server,
            image=image,
            disk_build=server.disk_build + 1,
            boot_since=since,
            boot_hard=False,
        )
    )
    keep(operation)
    asker.tell(
        tx,
        "server.rebuild",
        server,
        (
            f"is to get a new disk from image {image}",
            f"のディスクをイメージ {image} から作り直します",
        ),
        {"image": image},
    )
    return operation
