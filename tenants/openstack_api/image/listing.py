"""Which of the images are listed, in which order, and where the next page begins. Pure.

Filters, operators and sorting as in the API reference (Image v2, "List images").
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from control_plane.model.errors import YuiError
from tenants.openstack_api.image.views import Shown

MOST = 1000
_PAGING = frozenset({"limit", "marker", "sort", "sort_key", "sort_dir"})
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_TIMES = frozenset({"created_at", "updated_at"})
_LISTS = frozenset({"id", "name", "status", "container_format", "disk_format"})
_SORT_KEYS: Mapping[str, Callable[[Shown], Any]] = {
    "name": lambda one: one.name,
    "status": lambda one: one.status,
    "container_format": lambda _: "bare",
    "disk_format": lambda one: one.disk_format or "",
    "size": lambda one: one.size or 0,
    "id": lambda one: one.id,
    "created_at": lambda one: one.at,
    "updated_at": lambda one: one.at,
}
_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})

_Filter = Callable[[Shown], bool]


Order = tuple[tuple[str, bool], ...]
"""Keys from the first one on, each with whether it falls."""


def order_of(sort: str | None, keys: Sequence[str], directions: Sequence[str]) -> Order:
    """Raises `image-list-unclear` for what can't be sorted by."""
    if sort is not None:
        named = [part.strip().partition(":") for part in sort.split(",")]
        order = [(key, direction or "desc") for key, _, direction in named]
    else:
        falls = list(directions or ["desc"])
        falls += falls[-1:] * (len(keys) - len(falls))
        order = list(zip(keys or ["created_at"], falls, strict=False))
    for key, direction in order:
        if key not in _SORT_KEYS or direction not in ("asc", "desc"):
            raise _unclear(f"{key}:{direction}")
    return tuple((key, direction == "desc") for key, direction in order)


@dataclass(frozen=True, slots=True)
class Asked:
    """`filters` as they were written, for the links to other pages."""

    filters: tuple[tuple[str, str], ...]
    limit: int
    marker: str | None
    order: Order

    @staticmethod
    def of(query: Sequence[tuple[str, str]], limit: int, marker: str | None, order: Order) -> Asked:
        filters = tuple((name, text) for name, text in query if name not in _PAGING)
        return Asked(filters, min(limit, MOST), marker, order)


def page(images: Sequence[Shown], asked: Asked) -> dict[str, Any]:
    """The document. Raises `image-list-unclear` for filters and markers that mean nothing."""
    wanted = list(images)
    for name, text in asked.filters:
        keep = _filter(name, text)
        wanted = [one for one in wanted if keep(one)]
    wanted.sort(key=lambda one: one.id)
    for key, falls in reversed(asked.order):
        wanted.sort(key=_SORT_KEYS[key], reverse=falls)
    first = 0
    if asked.marker is not None:
        places: dict[str, int] = {one.id: number for number, one in enumerate(wanted)}
        if asked.marker not in places:
            raise _unclear(asked.marker)
        first = places[asked.marker] + 1
    found = wanted[first : first + asked.limit]
    document: dict[str, Any] = {
        "images": [one.document() for one in found],
        "first": _link(asked, None),
        "schema": "/v2/schemas/images",
    }
    if found and first + asked.limit < len(wanted):
        document["next"] = _link(asked, found[-1].id)
    return document


def _link(asked: Asked, marker: str | None) -> str:
    sort = ",".join(f"{key}:{'desc' if falls else 'asc'}" for key, falls in asked.order)
    query = [*asked.filters, ("limit", str(asked.limit)), ("sort", sort)]
    if marker is not None:
        query.append(("marker", marker))
    return f"/v2/images?{urlencode(query)}"


def _filter(name: str, text: str) -> _Filter:
    if name in _BY_NAME:
        return _BY_NAME[name](text)
    if name in _TIMES:
        compare, at = _compared(text)
        return lambda one: compare(one.at.replace(microsecond=0), at)
    if name in _LISTS:
        values = frozenset(text[3:].split(",")) if text.startswith("in:") else {text}
        return lambda one: one.document()[name] in values
    return lambda one: one.document().get(name) == text


def _visible(text: str) -> _Filter:
    if text not in ("public", "private", "shared", "community", "all"):
        raise _unclear(text)
    return lambda one: text in ("all", one.visibility)


def _at_least(text: str) -> _Filter:
    least = _number(text)
    return lambda one: one.size is not None and one.size >= least


def _at_most(text: str) -> _Filter:
    most = _number(text)
    return lambda one: one.size is not None and one.size <= most


def _never(text: str) -> _Filter:
    """Something that no image is here."""
    if text.lower() not in _YES | _NO:
        raise _unclear(text)
    return lambda _: text.lower() in _NO


def _shared_with_one(text: str) -> _Filter:
    """About images that others share with one project, of which there are none."""
    if text not in ("accepted", "pending", "rejected", "all"):
        raise _unclear(text)
    return lambda _: True


_BY_NAME: Mapping[str, Callable[[str], _Filter]] = {
    "visibility": _visible,
    "owner": lambda text: lambda one: one.owner == text,
    "size_min": _at_least,
    "size_max": _at_most,
    "protected": _never,
    "os_hidden": _never,
    "tag": lambda _: lambda _: False,
    "member_status": _shared_with_one,
}


def _compared(text: str) -> tuple[Callable[[Any, Any], bool], datetime]:
    word, colon, rest = text.partition(":")
    compare = _OPERATORS.get(word)
    if compare is None or not colon:
        compare, rest = operator.eq, text
    try:
        at = datetime.fromisoformat(rest)
    except ValueError:
        raise _unclear(text) from None
    return compare, at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise _unclear(text)
    return int(text)


def _unclear(text: str) -> YuiError:
    shown = "".join(c if c.isprintable() else "?" for c in text[:60])
    return YuiError(
        "image-list-unclear",
        en=f"'{shown}' says nothing about which images are wanted: see the API reference for filters, sort keys and markers.",
        ja=f"「{shown}」では一覧の条件を読み取れません。絞り込み・並べ替え・マーカーの書き方は API リファレンスをご覧ください。",
        status=400,
    )
