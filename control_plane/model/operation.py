"""What tenants and operators can follow: operations in progress, and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    operations on the pool itself. `error` is a problem's fields once it has failed, with `member_en`
    and `member_ja` beside `en` and `ja` where these speak of hardware; `fields` names what its
    progress is read off, such as the ids of its servers."""

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
    are whole sentences; `tenant` is None where no member may see it. `member_en` and `member_ja`
    are what the member reads instead where the full sentences speak of hardware. `sequence` is
    given by the store and grows: it is the number among all events, or among the member's own where a
    member reads them."""

    kind: str
    subject: str
    at: datetime
    severity: Severity
    en: str
    ja: str
    tenant: str | None = None
    fields: Mapping[str, object] | None = None
    sequence: int = 0
    member_en: str | None = None
    member_ja: str | None = None

    def for_member(self) -> Event:
        """As its tenant may read it: in the members' sentences, and then without `fields`."""
        if self.member_en is None or self.member_ja is None:
            return self
        return replace(
            self,
            en=self.member_en,
            ja=self.member_ja,
            fields=None,
            member_en=None,
            member_ja=None,
        )
