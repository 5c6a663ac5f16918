"""A member's own copy as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from control_plane.http.bounds import Name, RequestBody, ResponseBody


class CopyObjectOut(ResponseBody):
    """`hash`: hex of the BLAKE3 of its bytes. `repository` is where to ask for it."""

    key: str
    bytes: int
    hash: str
    repository: str


class CopiedPointOut(ResponseBody):
    """`manifests` are the ids of its servers' parts, as a reader of the copy names them."""

    id: str
    system: str
    system_name: str
    taken_at: datetime
    manifests: list[str]


class MemberCopyOut(ResponseBody):
    """`items` stand in the order in which they are to be fetched: manifests last, so that a point which
    is not all there does not exist. `objects` and `bytes` are of all pages. `without_points` are systems
    that were asked for and have nothing to copy yet."""

    items: list[CopyObjectOut]
    next: str | None
    objects: int
    bytes: int
    points: list[CopiedPointOut]
    without_points: list[str]


class CopyTakenIn(RequestBody):
    """The recovery points that the member has at home now, whole; none tells nothing."""

    points: Annotated[list[Name], Field(max_length=500)]


class MemberCopyTold(ResponseBody):
    system: str
    point: str
    taken_at: datetime
    told_at: datetime
    told_by: str


class CopiesTaken(ResponseBody):
    items: list[MemberCopyTold]
