"""Lists by cursor: a page stays right while rows come and go, since it starts behind an id."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import Field

from control_plane.http.bounds import ResponseBody
from control_plane.model.errors import YuiError

T = TypeVar("T")
R = TypeVar("R")

_KEY = re.compile(r"[!-~]{1,150}")

Limit = Annotated[int, Query(ge=1, le=1000, description="At most this many items.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="`next` of the page before; leave out for the first page."),
]


class Page(ResponseBody, Generic[R]):
    """`next` is the cursor of the following page, null on the last one."""

    items: list[R]
    next: str | None = Field(default=None)


def page_of(
    rows: Iterable[T],
    *,
    key: Callable[[T], str],
    show: Callable[[T], R],
    limit: int,
    cursor: str | None,
) -> Page[R]:
    """One page of `rows` in the order of `key`, which must be unique. Raises `cursor-invalid`."""
    after = behind(cursor)
    rest = [row for row in sorted(rows, key=key) if after is None or key(row) > after]
    shown = rest[:limit]
    more = len(rest) > limit
    return Page[R](
        items=[show(row) for row in shown],
        next=cursor_to(key(shown[-1])) if more else None,
    )


def cursor_to(key: str) -> str:
    """What a client sends to go on behind `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def behind(cursor: str | None) -> str | None:
    """The key that a page begins behind. Raises `cursor-invalid`."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = ""
    # What is no key can't be compared with keys: PostgreSQL refuses some characters.
    if _KEY.fullmatch(key) is None:
        raise YuiError(
            "cursor-invalid",
            en="This cursor is none of ours: take `next` of the page before, or leave it out.",
            ja="カーソルが正しくありません。前のページの next を指定するか、省略してください。",
        )
    return key
