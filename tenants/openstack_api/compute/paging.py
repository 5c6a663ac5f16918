"""Pages as Compute's lists have them: `limit`, `marker`, and a link to the next page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request

from control_plane.model.errors import YuiError
from tenants.openstack_api.links import root_of

T = TypeVar("T")

MOST = 1000
"""Nova's own default (`max_limit`)."""

Limit = Annotated[
    int | None, Query(ge=0, le=10**9, description="At most so many; 1000 without it.")
]
Marker = Annotated[
    str | None, Query(max_length=255, description="The id of the last one of the page before.")
]


def page_of(
    things: Sequence[T], limit: int | None, marker: str | None, key: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """The page, and the marker of the next one where the page is full. Raises `marker-not-found` (400)."""
    begin = 0
    if marker is not None:
        at = next((n for n, thing in enumerate(things) if key(thing) == marker), None)
        if at is None:
            shown = "".join(c if c.isprintable() else "?" for c in marker[:80])
            raise YuiError(
                "marker-not-found",
                en=f"marker [{shown}] not found: begin the list anew.",
                ja=f"マーカー [{shown}] が見つかりません。一覧を最初から取得してください。",
                status=400,
            )
        begin = at + 1
    most = min(limit or MOST, MOST)
    page = things[begin : begin + most]
    return page, key(page[-1]) if page and len(page) == most else None


def next_link(request: Request, marker: str) -> list[dict[str, Any]]:
    """To the same list behind `marker`."""
    query = [(k, v) for k, v in request.query_params.multi_items() if k != "marker"]
    asked = urlencode([*query, ("marker", marker)])
    return [{"rel": "next", "href": f"{root_of(request)}{request.url.path}?{asked}"}]
