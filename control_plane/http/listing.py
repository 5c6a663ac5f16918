"""Long lists leave as the bytes that they were written as: no model is made and checked for each row.

The model that a route declares stays the description of what it answers; tests hold the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Header, Query, Response

from control_plane.http.bounds import CodeText
from control_plane.http.paging import cursor_to

Json = dict[str, Any]


R = TypeVar("R")

IfNoneMatch = Annotated[
    str | None,
    Header(max_length=500, description="The ETag that you have: 304 while it is still so."),
]

OfMember = Annotated[
    CodeText | None, Query(description="Only this member's, by its municipality code.")
]

LIST_ANSWERS: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing has changed since the answer with that ETag."}
}


def page_bytes(
    rows: Sequence[R], limit: int, show: Callable[[R], Json], *, key: Callable[[R], str]
) -> bytes:
    """A `Page` of at most `limit` items, as JSON; `rows` holds one more where another page follows."""
    shown = rows[:limit]
    following = cursor_to(key(shown[-1])) if len(rows) > limit else None
    return written({"items": [show(row) for row in shown], "next": following})


def written(document: Json) -> bytes:
    """JSON with times as Pydantic writes them."""
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def listed(body: bytes, if_none_match: str | None = None) -> Response:
    """The answer, or 304 where the client has it already (RFC 9110 §13.1.2)."""
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if if_none_match is not None and _names(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _names(if_none_match: str, tag: str) -> bool:
    given = [name.strip().removeprefix("W/") for name in if_none_match.split(",")]
    return tag in given or given == ["*"]
