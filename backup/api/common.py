"""What the routes of backups have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from backup.api.plan import BackupPlan
from backup.records.estate import Blueprints
from control_plane.http.auth import needs
from control_plane.http.principal import Principal
from control_plane.journal.operations import new_operation_id
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Transaction

Reader = Annotated[Principal, needs(Permission.BACKUPS_READ)]
Writer = Annotated[Principal, needs(Permission.BACKUPS_WRITE)]


async def _blueprints(request: Request) -> Blueprints:
    return cast(Blueprints, request.app.state.blueprints)


Known = Annotated[Blueprints, Depends(_blueprints)]


REHEARSED: dict[int | str, dict[str, Any]] = {
    200: {"model": BackupPlan, "description": "With `dry_run`."}
}


def begun_operation(
    kind: str, subject: str, tenant: MunicipalityCode, at: datetime, **fields: object
) -> Operation:
    return Operation(
        id=new_operation_id(),
        kind=kind,
        subject=subject,
        tenant=tenant.text,
        state=OperationState.RUNNING,
        done=0,
        total=1,
        created_at=at,
        updated_at=at,
        fields=fields,
    )


def tell(
    tx: Transaction,
    who: Principal,
    kind: str,
    subject: str,
    *,
    at: datetime,
    said: tuple[str, str],
    tenant: MunicipalityCode | None = None,
    severity: Severity = Severity.INFO,
    fields: Mapping[str, object] | None = None,
) -> None:
    """The audit entry, and the event that it happened."""
    en, ja = said
    told = None if tenant is None else tenant.text
    tx.add_event(Event(kind, subject, at, severity, en, ja, tenant=told, fields=fields))
    tx.add_audit(who.did(kind, subject, at, tenant=tenant, fields=fields))


def refused(type: str, en: str, ja: str, status: int = 409, **fields: object) -> YuiError:
    return YuiError(type, en=en, ja=ja, status=status, fields=fields)
