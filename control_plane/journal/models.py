"""Operations, events and audit entries, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from control_plane.http.bounds import ResponseBody


class OperationOut(ResponseBody):
    """A change in progress: `done` of `total` steps are finished. `error` holds a problem's fields
    once it has failed."""

    id: str
    kind: str
    subject: str
    tenant: str | None
    state: Literal["running", "done", "failed"]
    done: int
    total: int
    created_at: datetime
    updated_at: datetime
    error: dict[str, Any] | None = None


class EventOut(ResponseBody):
    sequence: int
    kind: str
    subject: str
    at: datetime
    severity: Literal["info", "warning", "critical"]
    en: str
    ja: str
    tenant: str | None
    fields: dict[str, Any] | None = None


class Events(ResponseBody):
    """`next` is the `after` to ask with the next time; it stays the same while nothing happens.
    `previous`, of the newest ones, is the `before` to ask with for those that came earlier; null where
    there are none."""

    items: list[EventOut]
    next: int
    previous: int | None = None


class AuditOut(ResponseBody):
    """One thing that somebody did or tried: `principal` is the token's id, `fields.label` the name on
    it; `role` is null for strangers. `outcome` is `done`, or the type of the problem for which it was
    refused; `fields.left_out` counts refusals of the same principal that were too many to write."""

    sequence: int
    at: datetime
    principal: str
    role: str | None
    action: str
    subject: str
    outcome: str
    tenant: str | None
    fields: dict[str, Any] | None = None


class Audit(ResponseBody):
    """`next` and `previous` as those of events."""

    items: list[AuditOut]
    next: int
    previous: int | None = None
