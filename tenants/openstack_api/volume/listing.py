"""Which volumes are listed, and in which order. Pure."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from control_plane.model.errors import YuiError
from tenants.openstack_api.volume.view import Json

_SORT_KEYS = frozenset(
    {"id", "name", "status", "size", "availability_zone", "created_at", "bootable", "display_name"}
)
_PLAIN = frozenset({"id", "name", "status", "availability_zone"})
_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_IGNORED = frozenset(
    {
        "limit",
        "marker",
        "offset",
        "sort",
        "sort_key",
        "sort_dir",
        "all_tenants",
        "project_id",
        "user_id",
    }
)
"""Paging; and whose volumes, which are the member's own whatever is asked."""


def wanted(volumes: Sequence[Json], query: Sequence[tuple[str, str]]) -> list[Json]:
    """Those that every filter keeps. Raises `volume-list-unclear`."""
    found = list(volumes)
    for name, text in query:
        if name in _IGNORED:
            continue
        keep = _filter(name.removeprefix("display_"), text)
        found = [one for one in found if keep(one)]
    return found


def in_order(volumes: Sequence[Json], query: Mapping[str, str]) -> list[Json]:
    """As `sort`, or `sort_key` and `sort_dir`, say; else newest first. Raises `volume-list-unclear`."""
    if "sort" in query:
        named = [part.strip().partition(":") for part in query["sort"].split(",")]
        order = [(key, way or "desc") for key, _, way in named]
    else:
        order = [(query.get("sort_key", "created_at"), query.get("sort_dir", "desc"))]
    found = sorted(volumes, key=lambda one: str(one["id"]))
    for key, way in reversed(order):
        if key not in _SORT_KEYS or way not in ("asc", "desc"):
            raise _unclear(f"{key}:{way}")
        found.sort(key=_by(key.removeprefix("display_")), reverse=way == "desc")
    return found


def _by(name: str) -> Callable[[Json], tuple[int, Any]]:
    """What is not said stands first."""
    return lambda one: (0, "") if one[name] is None else (1, one[name])


def _filter(name: str, text: str) -> Callable[[Json], bool]:
    if name in _PLAIN:
        return lambda one: one[name] == text
    if name == "size":
        return lambda one: str(one["size"]) == text
    if name in ("bootable", "multiattach", "encrypted"):
        if text.lower() not in _BOOLS:
            raise _unclear(text)
        # None of it is ever so here.
        return lambda _: not _BOOLS[text.lower()]
    if name == "metadata":
        pairs = _pairs(text)
        return lambda one: pairs.items() <= one["metadata"].items()
    raise _unclear(name)


def _pairs(text: str) -> dict[str, str]:
    """As JSON, or as clients in Python write a dictionary."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            raise _unclear(text) from None
    if not isinstance(found, dict) or not all(
        isinstance(part, str) for pair in found.items() for part in pair
    ):
        raise _unclear(text)
    return found


def _unclear(text: str) -> YuiError:
    shown = "".join(c if c.isprintable() else "?" for c in text[:60])
    return YuiError(
        "volume-list-unclear",
        en=f"'{shown}' says nothing about which volumes are wanted: see the API reference for filters and sort keys.",
        ja=f"「{shown}」では一覧の条件を読み取れません。絞り込みと並べ替えの書き方は API リファレンスをご覧ください。",
        status=400,
    )
