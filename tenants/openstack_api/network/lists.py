"""What a list shows of its rows: filters, order, pages and fields, as Neutron's lists have them (Network
API v2.0, "Filtering and Column Selection", "Sorting", "Pagination"). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from control_plane.model.errors import YuiError

Row = Mapping[str, Any]
Query = Sequence[tuple[str, str]]

_PAGING = frozenset({"limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields"})
_YES, _NO = frozenset({"true", "1"}), frozenset({"false", "0"})
_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Listed:
    """`name` is what the list is called in its answer, `attributes` what its rows have, all of which may
    be filtered and sorted by but for lists; `filters` are what may be asked for besides."""

    name: str
    attributes: frozenset[str]
    filters: Mapping[str, Callable[[Row, Sequence[str]], bool]] = field(default_factory=dict)

    def page(self, rows: Sequence[Row], query: Query, url: str) -> dict[str, Any]:
        """The answer to `query`, with links below `url` where it asks for a page. Raises
        `filter-unknown`, `sort-key-unknown`, `page-unclear`, `marker-not-found` (400)."""
        asked: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in query:
            asked[name].append(value)
        found = [row for row in rows if self._meant(row, asked)]
        for key, falls in reversed(self._order(asked)):
            found.sort(key=lambda row: _sortable(row[key]), reverse=falls)
        shown, links = _page(found, asked, query, url)
        fields = {name for given in asked["fields"] for name in given.split(",")}
        answer: dict[str, Any] = {self.name: [chosen(row, fields) for row in shown]}
        if links:
            answer[f"{self.name}_links"] = links
        return answer

    def check(self, query: Query) -> None:
        """Raises `filter-unknown` for what is no attribute, also where there are no rows."""
        for name, _ in query:
            if name not in _PAGING and name not in self.filters and name not in self.attributes:
                raise _wrong(
                    "filter-unknown",
                    f"['{_said(name)}'] is invalid attribute for filtering",
                    f"「{_said(name)}」では絞り込めません",
                )

    def _meant(self, row: Row, asked: Mapping[str, Sequence[str]]) -> bool:
        for name, values in asked.items():
            if name in _PAGING:
                continue
            special = self.filters.get(name)
            if special is not None:
                if not special(row, values):
                    return False
            elif not any(_equals(row[name], value) for value in values):
                return False
        return True

    def _order(self, asked: Mapping[str, Sequence[str]]) -> list[tuple[str, bool]]:
        keys, directions = asked.get("sort_key", ()), asked.get("sort_dir", ())
        for key in keys:
            if key not in self.attributes or key in self.filters:
                raise _wrong(
                    "sort-key-unknown",
                    f"['{_said(key)}'] is invalid attribute for sort keys",
                    f"「{_said(key)}」では並べ替えられません",
                )
        if any(direction not in ("asc", "desc") for direction in directions) or (
            directions and len(directions) != len(keys)
        ):
            raise _wrong(
                "page-unclear",
                "sort_dir must be 'asc' or 'desc', once for each sort_key",
                "sort_dir は sort_key と同じ数だけ asc か desc で指定してください",
            )
        falls = [direction == "desc" for direction in directions] or [False] * len(keys)
        # Ids tell those apart that are alike otherwise.
        return [*zip(keys, falls, strict=True), ("id", falls[0] if falls else False)]


def chosen(row: Row, fields: set[str]) -> Row:
    """Those of `fields` that the row has; all of it without any."""
    return {name: row[name] for name in row if name in fields} if fields else row


def _page(
    rows: list[Row], asked: Mapping[str, Sequence[str]], query: Query, url: str
) -> tuple[list[Row], list[dict[str, str]]]:
    limit = _limit(asked.get("limit", ()))
    backwards = _truth(asked.get("page_reverse", ()))
    marker = next(iter(asked.get("marker", ())), None)
    if backwards:
        rows.reverse()
    begin = 0
    if marker is not None:
        at = next((n for n, row in enumerate(rows) if row["id"] == marker), None)
        if at is None:
            raise _wrong(
                "marker-not-found",
                f"marker '{_said(marker)}' is not there: begin the list anew",
                f"マーカー「{_said(marker)}」が見つかりません。一覧を最初から取得してください",
            )
        begin = at + 1
    end = len(rows) if limit is None else begin + limit
    shown, more = rows[begin:end], end < len(rows)
    if backwards:
        shown.reverse()
    links = []
    if limit is not None and shown:
        ahead, behind = (begin > 0, more) if backwards else (more, begin > 0)
        if ahead:
            links.append(_link("next", shown[-1], query, url))
        if behind:
            links.append(_link("previous", shown[0], query, url))
    return shown, links


def _link(rel: str, beside: Row, query: Query, url: str) -> dict[str, str]:
    rest = [(name, value) for name, value in query if name not in ("marker", "page_reverse")]
    rest.append(("marker", beside["id"]))
    if rel == "previous":
        rest.append(("page_reverse", "True"))
    return {"rel": rel, "href": f"{url}?{urlencode(rest)}"}


def _limit(given: Sequence[str]) -> int | None:
    """None for all there are, which is also what 0 asks for."""
    if not given:
        return None
    text = given[0]
    if not (text.isascii() and text.isdigit() and int(text[:12]) <= _MOST):
        raise _wrong(
            "page-unclear",
            "limit must be a whole number, 0 or more",
            "limit は 0 以上の整数で指定してください",
        )
    return int(text) or None


def _truth(given: Sequence[str]) -> bool:
    return bool(given) and given[0].lower() in _YES


def _equals(value: Any, text: str) -> bool:
    match value:
        case bool():
            return text.lower() in (_YES if value else _NO)
        case None:
            return not text
        case list():
            return text in value
        case _:
            return str(value) == text


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value if isinstance(value, int) else str(value)


def _said(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:80])


def _wrong(type: str, en: str, ja: str) -> YuiError:
    return YuiError(type, en=f"{en}.", ja=f"{ja}。", status=400)
