"""Operations as the API shows them, and how they are named."""

from __future__ import annotations

import secrets

from control_plane.journal.models import OperationOut
from control_plane.model.ids import OperationId
from control_plane.model.operation import Operation

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def draw(length: int) -> str:
    """That many random characters of a–z and 2–7, five bits each."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_operation_id() -> OperationId:
    return OperationId(f"op-{draw(16)}")


def operation_out(operation: Operation) -> OperationOut:
    error = operation.error
    return OperationOut(
        id=operation.id,
        kind=operation.kind,
        subject=operation.subject,
        tenant=operation.tenant,
        state=operation.state.value,
        done=operation.done,
        total=operation.total,
        created_at=operation.created_at,
        updated_at=operation.updated_at,
        error=None if error is None else dict(error),
    )
