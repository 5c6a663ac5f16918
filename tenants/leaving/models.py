"""A member's leaving as JSON."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from control_plane.http.bounds import RequestBody, ResponseBody, Sentence, Statement


class LeaveIn(RequestBody):
    """With `destroy_keys` the audit trail and the last event tell what was destroyed of the member's keys."""

    reason: Sentence
    destroy_keys: bool = False


class ReasonIn(RequestBody):
    reason: Sentence


class WaiveIn(RequestBody):
    """`reason` says why nobody at the member can confirm that it has its export."""

    reason: Statement


class ConfirmIn(RequestBody):
    """`statement` says that the member has its export and could read it. Everything else of it goes then."""

    statement: Statement


class ExportFile(ResponseBody):
    """`path` is relative to the export; `/export/file?path=` gives the file."""

    path: str
    size: int
    sha256: str


class ExportOut(ResponseBody):
    """A finished export. `sums_sha256` is that of the file SHA256SUMS, which names all others. `missing`
    are disks that the storage did not have: of servers that were never started, or lost."""

    operation: str
    at: datetime
    files: list[ExportFile]
    missing: list[str] = Field(default_factory=list)
    sums_sha256: str
