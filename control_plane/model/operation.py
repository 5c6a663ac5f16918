"""What tenants and operators can follow: operations in progress, and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.ids import OperationId


class OperationState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Operation:
    """The tenant-visible record of a change in progress. `subject` is what it changes, such as
    `member:012220` or `host:kyoto-1`; `done` of `total` steps are finished; `tenant` is None for
    operations on the pool itself. `error` is a problem's fields once it has failed; `fields` names
    what its progress is read off, such as the ids of its servers."""

    id: OperationId
    kind: str
    subject: str
    tenant: str | None
    state: OperationState
    done: int
    total: int
    created_at: datetime
    updated_at: datetime
    error: Mapping[str, object] | None = None
    fields: Mapping[str, object] | None = None


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `kind` is a stable dotted name such as `host.fenced`; `en` and `ja`
    are whole sentences; `tenant` is None where no member may see it. `sequence` is given by the
    store and grows without gaps visible to one reader."""

    kind: str
    subject: str
    at: datetime
    severity: Severity
    en: str
    ja: str
    tenant: str | None = None
    fields: Mapping[str, object] | None = None
    sequence: int = 0
