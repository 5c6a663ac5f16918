"""How far an image that is made from a server has come, read off its records."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from control_plane.journal.server_progress import done, superseded
from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.operation import Operation
from control_plane.store import Snapshot

IMAGE_FROM_SERVER = "image.from-server"
STEPS = 3
"""The disk is held fast, copied, and judged."""


def _captured(tx: Snapshot, operation: Operation) -> Operation:
    id = ImageId(str((operation.fields or {})["image"]))
    capture = tx.image_capture(id)
    if capture is None:
        return done(operation, STEPS) if _is_there(tx, id) else superseded(operation)
    if capture.length is None:
        return operation
    return done(operation, 2 if capture.done == capture.length else 1)


def _is_there(tx: Snapshot, id: ImageId) -> bool:
    try:
        tx.image(id)
    except YuiError:
        return False
    return True


IMAGE_DERIVATIONS: Mapping[str, Callable[[Snapshot, Operation], Operation]] = {
    IMAGE_FROM_SERVER: _captured,
}
