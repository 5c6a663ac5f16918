"""A pool description as a tree of plain values that remember where they were written.

YAML and JSON end in the same tree, so that one reader serves both. Nothing is ever constructed from
a YAML tag, and depth, length and the number of values (aliases counted each time they are used)
are bounded: a small file can't unfold into a large one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import yaml

from control_plane.pool_file.mistakes import Mistakes, Place, quoted

MAX_CHARACTERS = 2_000_000
MAX_DEPTH = 12
MAX_VALUES = 400_000


class Kind(Enum):
    TEXT = "text"
    WHOLE = "whole number"
    DECIMAL = "decimal number"
    TRUTH = "true or false"
    NOTHING = "nothing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Scalar:
    """`text` is the value as it was written."""

    place: Place
    text: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    place: Place
    entries: Mapping[str, Node]
    key_places: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Items:
    place: Place
    items: tuple[Node, ...]


Node = Scalar | Table | Items

_YAML_KINDS = {
    "tag:yaml.org,2002:str": Kind.TEXT,
    "tag:yaml.org,2002:int": Kind.WHOLE,
    "tag:yaml.org,2002:float": Kind.DECIMAL,
    "tag:yaml.org,2002:bool": Kind.TRUTH,
    "tag:yaml.org,2002:null": Kind.NOTHING,
    "tag:yaml.org,2002:timestamp": Kind.TEXT,
    "tag:yaml.org,2002:value": Kind.TEXT,
}
_YAML_TABLE = "tag:yaml.org,2002:map"
_YAML_ITEMS = "tag:yaml.org,2002:seq"


class _TooDeep(yaml.MarkedYAMLError):
    pass


class _BoundedLoader(yaml.SafeLoader):
    """Composes nodes without the recursion that deep nesting would ask of the interpreter."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _TooDeep(problem="too deep", problem_mark=self.get_mark())
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Budget:
    """Counts values while a tree grows."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def spend(self, place: Place, depth: int, mistakes: Mistakes) -> None:
        self._left -= 1
        if self._left < 0:
            raise mistakes.fatal(
                place,
                en=f"the description unfolds into more than {MAX_VALUES:,} values; describe the pool without so many aliases.",
                ja=f"展開すると値が {MAX_VALUES:,} 個を超えます。エイリアスを減らしてください。",
                expected=f"at most {MAX_VALUES} values",
            )
        if depth > MAX_DEPTH:
            raise too_deep(place, mistakes)


def too_deep(place: Place, mistakes: Mistakes) -> Exception:
    return mistakes.fatal(
        place,
        en=f"lists and keys are nested more than {MAX_DEPTH} deep; a pool needs no more than five levels.",
        ja=f"入れ子が {MAX_DEPTH} 段を超えています。プールの記述は5段以内で足ります。",
        expected=f"at most {MAX_DEPTH} levels",
    )


def from_yaml(text: str, source: str, mistakes: Mistakes) -> Node:
    """Raises YuiError where the text is not YAML, or is beyond the bounds."""
    if len(text) > MAX_CHARACTERS:
        raise mistakes.fatal(
            Place(source, 1, ""),
            en=f"the file is longer than {MAX_CHARACTERS:,} characters, so it was not read.",
            ja=f"ファイルが {MAX_CHARACTERS:,} 文字を超えているため、読み込みませんでした。",
            expected=f"at most {MAX_CHARACTERS} characters",
        )
    try:
        loader = _BoundedLoader(text)
        root: yaml.Node | None = loader.get_single_node()
    except _TooDeep as error:
        raise too_deep(Place(source, _line(error), ""), mistakes) from None
    except yaml.YAMLError as error:
        problem = quoted(str(getattr(error, "problem", None) or getattr(error, "reason", "")))
        raise mistakes.fatal(
            Place(source, _line(error, text), ""),
            en=f"this is not YAML ({problem}).",
            ja=f"YAML として読めません({problem})。",
            expected="YAML",
        ) from None
    except (ValueError, OverflowError):
        # PyYAML lets these out for escapes and version numbers beyond what Python can hold.
        raise mistakes.fatal(
            Place(source, 1, ""),
            en="this is not YAML (an escape or number is out of range).",
            ja="YAML として読めません(範囲外の文字コードまたは数値があります)。",
            expected="YAML",
        ) from None
    if root is None:
        return Scalar(Place(source, 1, ""), "", Kind.NOTHING)
    return _YamlTree(source, mistakes).grow(root, "", 0)


def _line(error: yaml.YAMLError, text: str = "") -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    return text.count("\n", 0, int(getattr(error, "position", 0))) + 1


class _YamlTree:
    def __init__(self, source: str, mistakes: Mistakes) -> None:
        self._source, self._mistakes, self._budget = source, mistakes, _Budget()

    def grow(self, node: yaml.Node, path: str, depth: int) -> Node:
        place = Place(self._source, node.start_mark.line + 1, path)
        self._budget.spend(place, depth, self._mistakes)
        if isinstance(node, yaml.ScalarNode):
            return Scalar(place, node.value, _YAML_KINDS.get(node.tag, Kind.OTHER))
        if isinstance(node, yaml.SequenceNode) and node.tag == _YAML_ITEMS:
            return Items(
                place,
                tuple(
                    self.grow(child, f"{path}[{index}]", depth + 1)
                    for index, child in enumerate(node.value)
                ),
            )
        if isinstance(node, yaml.MappingNode) and node.tag == _YAML_TABLE:
            return self._table(node, place, depth)
        return Scalar(place, node.tag, Kind.OTHER)

    def _table(self, node: yaml.MappingNode, place: Place, depth: int) -> Table:
        entries: dict[str, Node] = {}
        key_places: dict[str, Place] = {}
        for key, child in node.value:
            at = Place(self._source, key.start_mark.line + 1, place.path)
            if not isinstance(key, yaml.ScalarNode):
                self._mistakes.add(
                    at,
                    en="a key must be one word.",
                    ja="キーは1語で書いてください。",
                    expected="a word as key",
                )
                continue
            shown = quoted(key.value)
            if key.value in entries:
                first = key_places[key.value].line
                self._mistakes.add(
                    at,
                    en=f"'{shown}' is given twice, first on line {first}; keep one.",
                    ja=f"「{shown}」が二度書かれています(最初は {first} 行目)。一つだけ残してください。",
                    expected="each key once",
                )
                continue
            below = f"{place.path}.{shown}" if place.path else shown
            key_places[key.value] = Place(self._source, at.line, below)
            entries[key.value] = self.grow(child, below, depth + 1)
        return Table(place, entries, key_places)


def from_plain(value: object, source: str | None, mistakes: Mistakes) -> Node:
    """The tree of what a JSON parser returned."""
    return _from_plain(value, Place(source, None, ""), 0, _Budget(), mistakes)


def _from_plain(
    value: object, place: Place, depth: int, budget: _Budget, mistakes: Mistakes
) -> Node:
    budget.spend(place, depth, mistakes)
    match value:
        case None:
            return Scalar(place, "", Kind.NOTHING)
        case bool():
            return Scalar(place, "true" if value else "false", Kind.TRUTH)
        case int():
            # Beyond 4,300 digits Python refuses to write an integer out.
            return Scalar(place, str(value) if abs(value) < 10**30 else "1e30", Kind.WHOLE)
        case float():
            return Scalar(place, repr(value), Kind.DECIMAL)
        case str():
            return Scalar(place, value, Kind.TEXT)
        case Mapping():
            entries: dict[str, Node] = {}
            places: dict[str, Place] = {}
            for key, child in value.items():
                name = str(key)
                below = f"{place.path}.{quoted(name)}" if place.path else quoted(name)
                places[name] = Place(place.source, None, below)
                entries[name] = _from_plain(child, places[name], depth + 1, budget, mistakes)
            return Table(place, entries, places)
        case Sequence():
            return Items(
                place,
                tuple(
                    _from_plain(
                        child,
                        Place(place.source, None, f"{place.path}[{index}]"),
                        depth + 1,
                        budget,
                        mistakes,
                    )
                    for index, child in enumerate(value)
                ),
            )
        case _:
            return Scalar(place, type(value).__name__, Kind.OTHER)
