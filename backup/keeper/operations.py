"""How far a run is, for whoever asked for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from control_plane.model.ids import OperationId
from control_plane.model.operation import OperationState
from control_plane.store import Transaction

_MIB = 2**20


def show_progress(
    tx: Transaction, id: OperationId | None, done: int, total: int, at: datetime
) -> None:
    """In MiB of its disks; the last step is the record."""
    if id is None:
        return
    operation = tx.operation(id)
    if operation.state is not OperationState.RUNNING:
        return
    steps = total // _MIB + 1
    tx.put_operation(
        replace(operation, done=min(done // _MIB, steps - 1), total=steps, updated_at=at)
    )
