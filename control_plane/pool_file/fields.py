"""Typed reading of one table of a pool description.

Each getter answers with the value, or records a mistake and answers with a harmless stand-in, so
that reading goes on to find the next mistake; nothing read is used once a mistake was recorded.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from control_plane.model.ids import is_name
from control_plane.model.units import GiB, MiB
from control_plane.pool_file.mistakes import Mistakes, Place, quoted
from control_plane.pool_file.tree import Items, Kind, Node, Scalar, Table

E = TypeVar("E", bound=StrEnum)

MAX_TEXT = 200
_FLAVOR = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,61}[A-Za-z0-9])?")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")
_SIZE = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))? ?([A-Za-z]*)")
_MIB = {"MiB": 1, "GiB": 1024, "TiB": 1024**2}
_CONFUSED = {"kb": "KiB", "mb": "MiB", "gb": "GiB", "tb": "TiB", "m": "MiB", "g": "GiB", "t": "TiB"}
MAX_MIB = 2**40


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant: the only one that begins so, or the most alike."""
    known = list(known)
    begins = [name for name in known if word and name.startswith(word)]
    if len(begins) == 1:
        return begins[0]
    found = difflib.get_close_matches(word[:MAX_TEXT], known, n=1, cutoff=0.6)
    return found[0] if found else None


def meant(word: str, known: Iterable[str]) -> tuple[str, str]:
    """'; did you mean …?' in both languages, or nothing."""
    near = nearest(word, known)
    return (f"; did you mean '{near}'?", f"「{near}」ではありませんか。") if near else (".", "")


def as_written(node: Node) -> str | None:
    """A scalar's text for cross-checks, whether or not it is right."""
    return node.text if isinstance(node, Scalar) and node.kind is not Kind.NOTHING else None


class Fields:
    """One table, such as a host. `en` and `ja` say what it is in sentences: `host kyoto-1`."""

    def __init__(
        self, node: Node, en: str, ja: str, known: tuple[str, ...], mistakes: Mistakes
    ) -> None:
        self.place = node.place
        self.mistakes = mistakes
        self.en, self.ja = en, ja
        self._entries: dict[str, Node] = {}
        self._misspelt: set[str | None] = set()
        if not isinstance(node, Table):
            mistakes.add(
                node.place,
                en=f"{en} must be a table of keys ({', '.join(known)}).",
                ja=f"{ja}には、キー({', '.join(known)})と値を書いてください。",
                expected=f"keys {', '.join(known)}",
            )
            self.usable = False
            return
        self.usable = True
        self._entries = dict(node.entries)
        for key in node.entries:
            if key not in known:
                self._misspelt.add(nearest(key, known))
                en_hint, ja_hint = meant(key, known)
                mistakes.add(
                    node.key_places[key],
                    en=f"{en} has the unknown key '{quoted(key)}'{en_hint} Known keys: {', '.join(known)}.",
                    ja=f"{ja}に未知のキー「{quoted(key)}」があります。{ja_hint}使えるキー: {', '.join(known)}。",
                    expected=f"one of {', '.join(known)}",
                )

    def node(self, key: str) -> Node | None:
        """None where the key is missing or empty."""
        found = self._entries.get(key)
        if isinstance(found, Scalar) and found.kind is Kind.NOTHING:
            return None
        return found

    def place_of(self, key: str) -> Place:
        found = self._entries.get(key)
        return found.place if found is not None else self.place

    def wrong(self, key: str, node: Node, expected: str, ja: str, *, secret: bool = False) -> None:
        """Records that a value is not what was expected; `ja` is a noun phrase like `expected`."""
        if secret:
            said_en, said_ja = "is not right", "が正しくありません"
        elif isinstance(node, Scalar):
            said_en, said_ja = f"is '{quoted(node.text)}'", f"が「{quoted(node.text)}」です"
        else:
            said_en = "is a list" if isinstance(node, Items) else "is a table"
            said_ja = "が一覧です" if isinstance(node, Items) else "がキーと値の組です"
        self.mistakes.add(
            node.place,
            en=f"{key} of {self.en} {said_en}; expected {expected}.",
            ja=f"{self.ja}の {key} {said_ja}。{_spaced(ja)}を指定してください。",
            expected=expected,
        )

    def missing(self, key: str, expected: str, ja: str) -> None:
        if not self.usable or key in self._misspelt:
            return
        self.mistakes.add(
            self.place,
            en=f"{self.en} has no {key}; expected {expected}.",
            ja=f"{self.ja}に {key} がありません。{_spaced(ja)}を指定してください。",
            expected=expected,
        )

    def text(
        self, key: str, expected: str, ja: str, *, pattern: re.Pattern[str] | None = None
    ) -> str | None:
        """One line of text, as written; None where it is missing."""
        node = self.node(key)
        if node is None:
            return None
        if not isinstance(node, Scalar) or node.kind is Kind.OTHER:
            self.wrong(key, node, expected, ja)
            return None
        # A JSON number where text is due is a mistake; in YAML `rack: 1` can only mean the text 1.
        if node.kind is not Kind.TEXT and node.place.line is None:
            self.wrong(key, node, expected, ja)
            return None
        # One form for each character, so that names typed on different systems are the same name.
        value = unicodedata.normalize("NFC", node.text)
        if not _one_line(value) or (pattern is not None and pattern.fullmatch(value) is None):
            self.wrong(key, node, expected, ja)
            return None
        return value

    def required_text(self, key: str, expected: str, ja: str) -> str:
        if self.node(key) is None:
            self.missing(key, expected, ja)
        return self.text(key, expected, ja) or "-"

    def label(self, key: str) -> str | None:
        return self.text(
            key,
            "a short name of letters, digits and . _ - :",
            "英数字と . _ - : からなる短い名前",
            pattern=_LABEL,
        )

    def flavor_name(self) -> str:
        """As an identifier, with inner dots: `m1.small`."""
        expected = "1 to 63 characters of a-z, 0-9, inner dots and hyphens, such as m1.small"
        ja = "m1.small のような、英小文字・数字・途中の点とハイフンからなる1〜63文字の名前"
        if self.node("id") is None:
            self.missing("id", expected, ja)
        return self.text("id", expected, ja, pattern=_FLAVOR) or "-"

    def identifier(self, key: str = "id") -> str:
        expected = "1 to 63 characters of a-z, 0-9 and inner hyphens"
        ja = "英小文字・数字・途中のハイフンからなる1〜63文字の名前"
        node = self.node(key)
        if node is None:
            self.missing(key, expected, ja)
            return "-"
        value = self.text(key, expected, ja)
        if value is not None and not is_name(value):
            self.wrong(key, node, expected, ja)
            return "-"
        return value or "-"

    def whole(self, key: str, low: int, high: int) -> int:
        expected = f"a whole number from {low} to {high:,}"
        ja = f"{low}〜{high:,} の整数"
        node = self.node(key)
        if node is None:
            self.missing(key, expected, ja)
            return low
        if (
            isinstance(node, Scalar)
            and node.kind is Kind.WHOLE
            and _WHOLE.fullmatch(node.text)
            and low <= int(node.text) <= high
        ):
            return int(node.text)
        self.wrong(key, node, expected, ja)
        return low

    def decimal(self, key: str, low: float, high: float, default: float) -> float:
        node = self.node(key)
        if node is None:
            return default
        if (
            isinstance(node, Scalar)
            and node.kind in (Kind.WHOLE, Kind.DECIMAL)
            and _DECIMAL.fullmatch(node.text)
            and low <= float(node.text) <= high
        ):
            return float(node.text)
        self.wrong(key, node, f"a number from {low:g} to {high:g}", f"{low:g}〜{high:g} の数")
        return default

    def truth(self, key: str) -> bool:
        node = self.node(key)
        if node is None:
            return False
        if isinstance(node, Scalar) and node.kind is Kind.TRUTH:
            return node.text.lower() in ("true", "yes", "on")
        self.wrong(key, node, "true or false", "true か false")
        return False

    def memory(self, key: str, default: MiB | None = None, *, least: int = 1) -> MiB:
        return MiB(self._size(key, "MiB", "64 GiB", default, least))

    def disk(self, key: str) -> GiB:
        return GiB(self._size(key, "GiB", "500 GiB", None, 1))

    def _size(self, key: str, unit: str, example: str, default: int | None, least: int) -> int:
        expected = f"a size such as '{example}' (MiB, GiB or TiB)"
        ja = f"「{example}」のような大きさ(単位は MiB、GiB、TiB)"
        node = self.node(key)
        if node is None:
            if default is None:
                self.missing(key, expected, ja)
            return default if default is not None else least
        found = _SIZE.fullmatch(node.text) if isinstance(node, Scalar) else None
        if found is None or not isinstance(node, Scalar):
            self.wrong(key, node, expected, ja)
            return least
        number, fraction, written = found.groups()
        if written not in _MIB:
            right = _CONFUSED.get(written.lower()) or nearest(written, _MIB)
            if right in _MIB:
                digits = f"{number}.{fraction}" if fraction else number
                expected = f"'{digits} {right}', since sizes are counted in powers of 1024"
                ja = f"1024 の冪で数えた「{digits} {right}」のような大きさ"
            self.wrong(key, node, expected, ja)
            return least
        # Exact in integers: the number is scaled by 10**digits before the unit is applied.
        scale = int("1" + "0" * len(fraction or ""))
        mib = (int(number) * scale + int(fraction or 0)) * _MIB[written]
        whole, rest = divmod(mib, scale * _MIB[unit])
        if rest or not least <= whole <= MAX_MIB // _MIB[unit]:
            self.wrong(
                key,
                node,
                f"a whole number of {unit}, at least {least}",
                f"{least} {unit} 以上で、{unit} 単位の整数になる大きさ",
            )
            return least
        return whole

    def choices(self, key: str, of: type[E]) -> frozenset[E] | None:
        """None where the key is missing."""
        node = self.node(key)
        if node is None:
            return None
        words = [member.value for member in of]
        found = set()
        for item in self._items(
            key, node, f"a list of {', '.join(words)}", f"{'、'.join(words)} の一覧"
        ):
            word = as_written(item)
            if word in words:
                found.add(of(word))
            else:
                en_hint, ja_hint = meant(word or "", words)
                self.mistakes.add(
                    item.place,
                    en=f"{key} of {self.en} names the unknown '{quoted(word or '')}'{en_hint} Known: {', '.join(words)}.",
                    ja=f"{self.ja}の {key} に未知の「{quoted(word or '')}」があります。{ja_hint}使えるのは {'、'.join(words)} です。",
                    expected=f"one of {', '.join(words)}",
                )
        return frozenset(found)

    def choice(self, key: str, of: type[E], default: E) -> E:
        node = self.node(key)
        if node is None:
            return default
        words = [member.value for member in of]
        word = as_written(node)
        if word in words:
            return of(word)
        near = nearest(word or "", words)
        hint = f"{' or '.join(words)}" + (f" (did you mean '{near}'?)" if near else "")
        self.wrong(key, node, hint, " か ".join(words))
        return default

    def labels(self, key: str) -> frozenset[str]:
        """Short names such as traits; empty where the key is missing."""
        node = self.node(key)
        if node is None:
            return frozenset()
        expected = "a list of short names (letters, digits and . _ - :)"
        ja = "短い名前(英数字と . _ - :)の一覧"
        found = set()
        for item in self._items(key, node, expected, ja):
            word = as_written(item)
            if word is not None and _LABEL.fullmatch(word) and _texty(item):
                found.add(word)
            else:
                self.wrong(key, item, expected, ja)
        return frozenset(found)

    def words(self, key: str, expected: str, ja: str) -> tuple[Scalar, ...]:
        """The scalars of a list, for the caller to check."""
        node = self.node(key)
        if node is None:
            return ()
        found = []
        for item in self._items(key, node, expected, ja):
            if isinstance(item, Scalar) and _texty(item) and _one_line(item.text):
                found.append(item)
            else:
                self.wrong(key, item, expected, ja)
        return tuple(found)

    def _items(self, key: str, node: Node, expected: str, ja: str) -> tuple[Node, ...]:
        if isinstance(node, Items):
            return node.items
        self.wrong(key, node, expected, ja)
        return ()

    def tables(self, key: str) -> tuple[Node, ...]:
        """The items of a list of tables; empty where the key is missing."""
        node = self.node(key)
        return () if node is None else self._items(key, node, "a list", "一覧")


def _spaced(phrase: str) -> str:
    """Japanese sets a space between Latin letters and what follows."""
    return f"{phrase} " if phrase[-1:].isascii() and phrase[-1:] not in " )" else phrase


def _one_line(text: str) -> bool:
    """Printable, on one line, without space at its ends. The ideographic space counts as printable:
    Japanese names hold it."""
    return (
        0 < len(text) <= MAX_TEXT
        and text == text.strip()
        and all(c.isprintable() or c == "\N{IDEOGRAPHIC SPACE}" for c in text)
    )


def _texty(item: Node) -> bool:
    return (
        isinstance(item, Scalar)
        and item.kind not in (Kind.NOTHING, Kind.OTHER)
        and (item.kind is Kind.TEXT or item.place.line is not None)
    )
