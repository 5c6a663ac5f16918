"""YAML files as plain values that remember on which line each field stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
# The same loader written in C, where PyYAML came with it: many times as fast.
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Mistake:
    """`line` counts from 1; `en` and `ja` are sentences without the place."""

    file: str
    line: int
    en: str
    ja: str

    @property
    def sentence_en(self) -> str:
        return f"{self.file}, line {self.line}: {self.en}"

    @property
    def sentence_ja(self) -> str:
        return f"{self.file} の {self.line} 行目: {self.ja}"


@dataclass(frozen=True, slots=True)
class Document:
    value: Any
    lines: Mapping[tuple[str | int, ...], int]

    def line(self, *path: str | int) -> int:
        """The line of a field, or of the nearest thing around it that was written."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1


class _Refused(Exception):
    def __init__(self, line: int, en: str, ja: str) -> None:
        super().__init__(en)
        self.line, self.en, self.ja = line, en, ja


def read_yaml(path: Path) -> Document | Mistake:
    """A file of at most 256 KiB without aliases, or the one mistake that keeps it from being read."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise _Refused(
                1,
                f"the file is larger than {MAX_BYTES} bytes.",
                f"ファイルが {MAX_BYTES} バイトを超えています。",
            )
        return _document(raw.decode("utf-8"))
    except _Refused as error:
        return Mistake(path.name, error.line, error.en, error.ja)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return Mistake(
            path.name, line, "this is not UTF-8.", "UTF-8 ではない文字が含まれています。"
        )
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return Mistake(
            path.name,
            1 if mark is None else mark.line + 1,
            "this is not YAML.",
            "YAML として読めません。",
        )
    except ValueError:
        # PyYAML lets this out for a date that does not exist.
        return Mistake(path.name, 1, "this is not YAML.", "YAML として読めません。")
    except OSError as error:
        reason = error.strerror or "unreadable"
        return Mistake(
            path.name,
            1,
            f"the file can't be read ({reason}).",
            f"ファイルを読めません({reason})。",
        )


def _document(text: str) -> Document:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _Refused(
                1 if event.start_mark is None else event.start_mark.line + 1,
                f"lists and keys are nested more than {MAX_DEPTH} deep.",
                f"入れ子が {MAX_DEPTH} 段を超えています。",
            )
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(
                1 if event.start_mark is None else event.start_mark.line + 1,
                "aliases are not used here: write the value out.",
                "エイリアスは使えません。値をそのまま書いてください。",
            )
    root = yaml.compose(text, Loader=_LOADER)
    if root is None:
        raise _Refused(1, "the file is empty.", "ファイルが空です。")
    lines: dict[tuple[str | int, ...], int] = {}
    _note(root, (), lines)
    return Document(yaml.load(text, Loader=_LOADER), lines)  # noqa: S506 - either is a safe one


def _note(
    node: yaml.Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]
) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _note(child, (*path, index), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise _Refused(line, "a key must be a word.", "キーは語で書いてください。")
            below = (*path, key.value)
            if below in lines:
                raise _Refused(
                    line,
                    f"'{key.value}' is given twice, first on line {lines[below]}.",
                    f"「{key.value}」が二度書かれています(最初は {lines[below]} 行目)。",
                )
            lines[below] = line
            _note(child, below, lines)
