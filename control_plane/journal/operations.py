"""Operations as the API shows them, and how they are named."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from control_plane.http.listing import Json
from control_plane.http.principal import Principal
from control_plane.journal.models import OperationOut
from control_plane.model.ids import OperationId
from control_plane.model.operation import Operation

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def draw(length: int) -> str:
    """That many random characters of a–z and 2–7, five bits each."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_operation_id() -> OperationId:
    return OperationId(f"op-{draw(16)}")


def operation_out(operation: Operation, *, with_hardware: bool = False) -> OperationOut:
    """Members see no hardware: where an error speaks of it, they read its other sentences."""
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
        error=None if operation.error is None else _error(operation.error, with_hardware),
    )


def operation_row(operation: Operation, who: Principal) -> Json:
    """An `OperationOut` of what `who` may read of it."""
    return {
        "id": operation.id,
        "kind": operation.kind,
        "subject": operation.subject,
        "tenant": operation.tenant,
        "state": operation.state.value,
        "done": operation.done,
        "total": operation.total,
        "created_at": operation.created_at,
        "updated_at": operation.updated_at,
        "error": None if operation.error is None else _error(operation.error, who.sees_hardware),
    }


def _error(error: Mapping[str, object], with_hardware: bool) -> dict[str, object]:
    for_members = {key: error[f"member_{key}"] for key in ("en", "ja") if f"member_{key}" in error}
    plain = {key: value for key, value in error.items() if not key.startswith("member_")}
    return plain if with_hardware else {**plain, **for_members}
