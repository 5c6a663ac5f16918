"""Mistakes in a pool description: each one sentence that says where, what, and what was expected.

They are collected rather than raised one by one, so that a person mends a file in one go.
"""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.errors import YuiError

REPORTED = 10
"""How many mistakes one error tells; a file with more is usually wrong in one way many times."""

_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: a file and its line, or a path such as `hosts[2].memory` in JSON."""

    source: str | None
    line: int | None
    path: str

    @property
    def en(self) -> str:
        if self.line is None:
            return ", ".join(part for part in (self.source, self.path) if part) or "pool"
        return f"{self.source}, line {self.line}"

    @property
    def ja(self) -> str:
        if self.line is None:
            return " の ".join(part for part in (self.source, self.path) if part) or "プール定義"
        return f"{self.source} の {self.line} 行目"


@dataclass(frozen=True, slots=True)
class Mistake:
    place: Place
    en: str
    ja: str
    expected: str


def quoted(text: str) -> str:
    """Text from a file as a sentence may show it: short, one line, nothing a terminal obeys."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:41])
    return shown if len(shown) <= 40 else shown[:39] + "…"


class Mistakes:
    """Collects mistakes while a description is read, and raises them together."""

    def __init__(self) -> None:
        self._found: list[Mistake] = []

    @property
    def count(self) -> int:
        return len(self._found)

    def add(self, place: Place, *, en: str, ja: str, expected: str) -> None:
        """`en` and `ja` are the sentence without the place; `expected` is a short English phrase."""
        if len(self._found) < _KEPT:
            self._found.append(Mistake(place, en, ja, expected))

    def fatal(self, place: Place, *, en: str, ja: str, expected: str) -> YuiError:
        """The error to raise where reading can't go on."""
        self.add(place, en=en, ja=ja, expected=expected)
        return self.error()

    def error(self) -> YuiError:
        """`pool-file-invalid` with `file`, `line`, `path`, `expected` of the first mistake, `count`,
        and `mistakes`: the first of them, each with the same keys and its sentence."""
        ordered = sorted(self._found, key=lambda mistake: mistake.place.line or 0)
        told = ordered[:REPORTED]
        en = [f"{mistake.place.en}: {mistake.en}" for mistake in told]
        ja = [f"{mistake.place.ja}: {mistake.ja}" for mistake in told]
        unsaid = len(ordered) - len(told)
        if unsaid:
            en.append(f"There are {unsaid} more mistakes: mend these first.")
            ja.append(f"ほかに {unsaid} 件の誤りがあります。まず上の誤りを直してください。")
        fields = [
            {
                "file": mistake.place.source,
                "line": mistake.place.line,
                "path": mistake.place.path,
                "expected": mistake.expected,
                "en": sentence_en,
                "ja": sentence_ja,
            }
            for mistake, sentence_en, sentence_ja in zip(told, en, ja, strict=False)
        ]
        first = {key: fields[0][key] for key in ("file", "line", "path", "expected")}
        return YuiError(
            "pool-file-invalid",
            en="\n".join(en),
            ja="\n".join(ja),
            fields={**first, "count": len(ordered), "mistakes": fields},
        )

    def raise_any(self) -> None:
        if self._found:
            raise self.error()
