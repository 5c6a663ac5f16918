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
    refused; `fields.left_out` counts refusals of the same principal that were too many to write.
    `hardware` is what members are not shown.

    `sequence` is its place in the chain that was asked for; `position` and `hash` are those in its own
    chain, which is its member's or the consortium's."""

    sequence: int
    at: datetime | str
    principal: str
    role: str | None
    action: str
    subject: str
    outcome: str
    tenant: str | None
    fields: dict[str, Any] | None = None
    hardware: dict[str, Any] | None = None
    chain: str
    position: int
    hash: str


class Audit(ResponseBody):
    """`next` and `previous` as those of events."""

    items: list[AuditOut]
    next: int
    previous: int | None = None


class AuditHeadOut(ResponseBody):
    """Where a chain stood, signed: `key` is the public key (Ed25519) and `signature` its signature, in
    hexadecimal figures, of what the audit trail's format says."""

    chain: str
    position: int
    hash: str
    at: str
    key: str
    signature: str


class AuditKeyOut(ResponseBody):
    """A public key and how it was introduced: `vouched_by` signed it, the first one itself."""

    public: str
    at: str
    vouched_by: str
    signature: str
    own_signature: str


class AuditHeads(ResponseBody):
    """The newest head of each chain that the asker may read, and all keys, oldest first. `signing` says
    whether this control plane has a key."""

    items: list[AuditHeadOut]
    keys: list[AuditKeyOut]
    signing: bool
