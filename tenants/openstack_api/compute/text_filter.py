"""The small part of regular expressions that filters by name and address are written in.

Nova hands patterns to its database. Here they are anybody's text: what can be told in time that grows
with the text alone is understood, the rest is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.errors import YuiError

_SPECIAL = frozenset("[](){}|+?*\\")
_MOST = 255


@dataclass(frozen=True, slots=True)
class TextFilter:
    """Literal pieces that follow one another with anything between them; within a piece `.` is any
    character, which `None` stands for."""

    pieces: tuple[tuple[str | None, ...], ...]
    from_start: bool
    to_end: bool

    def matches(self, text: str) -> bool:
        at = 0
        for number, piece in enumerate(self.pieces):
            last = number == len(self.pieces) - 1
            if last and self.to_end:
                start = len(text) - len(piece)
                fixed = number == 0 and self.from_start
                return start >= at and (start == 0 or not fixed) and _stands(piece, text, start)
            if number == 0 and self.from_start:
                found = 0 if _stands(piece, text, 0) else -1
            else:
                found = _find(piece, text, at)
            if found < 0:
                return False
            at = found + len(piece)
        return True


def text_filter(name: str, pattern: str) -> TextFilter:
    """Raises `filter-unsupported` (400), which names the query's `name`."""
    text = pattern[: _MOST + 1]
    from_start, to_end = text.startswith("^"), text.endswith("$") and not text.endswith("\\$")
    text = text[from_start : len(text) - to_end]
    pieces: list[tuple[str | None, ...]] = []
    piece: list[str | None] = []
    at = 0
    while at < len(text):
        character = text[at]
        if text.startswith(".*", at):
            pieces.append(tuple(piece))
            piece = []
            at += 2
            continue
        if character == "\\" and text[at + 1 : at + 2] in {".", "-", "^", "$", "\\"}:
            piece.append(text[at + 1])
            at += 2
            continue
        if character in _SPECIAL or character in "^$":
            raise _unsupported(name)
        piece.append(None if character == "." else character)
        at += 1
    if len(pattern) > _MOST:
        raise _unsupported(name)
    return TextFilter((*pieces, tuple(piece)), from_start, to_end)


def _find(piece: tuple[str | None, ...], text: str, at: int) -> int:
    return next(
        (start for start in range(at, len(text) - len(piece) + 1) if _stands(piece, text, start)),
        -1,
    )


def _stands(piece: tuple[str | None, ...], text: str, start: int) -> bool:
    if start < 0 or start + len(piece) > len(text):
        return False
    return all(
        wanted is None or wanted == text[start + offset] for offset, wanted in enumerate(piece)
    )


def _unsupported(name: str) -> YuiError:
    return YuiError(
        "filter-unsupported",
        en=f"The filter '{name}' takes text of at most {_MOST} characters with ^, $, . and .* alone: write it with these, or filter what you get.",
        ja=f"絞り込み「{name}」で使えるのは {_MOST} 文字以内の文字列と ^、$、.、.* だけです。この範囲で指定するか、取得後に絞り込んでください。",
        status=400,
        fields={"filter": name},
    )
