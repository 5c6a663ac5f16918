"""What every step of the worker has in common."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from control_plane.model.backup.work import Trouble
from control_plane.model.ids import OperationId
from control_plane.model.operation import OperationState
from control_plane.store import Transaction


class StepRefused(Exception):
    """Somebody took a step that does not follow on what stands: a mistake in the caller, or a worker that
    was thought dead. Nothing was written."""


def end_operation(
    tx: Transaction, id: OperationId | None, now: datetime, trouble: Trouble | None
) -> None:
    """The operation of whoever asked for it, if somebody did."""
    if id is None:
        return
    found = tx.operation(id)
    if found.state is not OperationState.RUNNING:
        return
    failed = trouble is not None
    tx.put_operation(
        replace(
            found,
            state=OperationState.FAILED if failed else OperationState.DONE,
            done=found.done if failed else found.total,
            updated_at=now,
            error=None
            if trouble is None
            else {"type": "backup-failed", "en": trouble.en, "ja": trouble.ja},
        )
    )
