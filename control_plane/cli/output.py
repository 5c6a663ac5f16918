"""What reaches the terminal: tables and sentences for people, JSON for programs.

Results go to standard output, everything else to standard error. Text that came from elsewhere is
shown without its control characters, so that no server's console and no name can drive a terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from control_plane.cli import words
from control_plane.cli.client import ApiProblem
from control_plane.cli.language import Language, Message
from control_plane.model.errors import YuiError

_PIPED_WIDTH = 10_000
"""Where no terminal sets a width, no cell is ever cut or wrapped."""

_STYLES = {
    "up": "green", "active": "green", "running": "green", "done": "green", "valid": "green",
    "added": "green", "suspect": "yellow", "cleaning": "yellow", "building": "yellow",
    "migrating": "yellow", "draining": "yellow", "stopping": "yellow", "degraded": "yellow",
    "warning": "yellow", "noticed": "yellow", "due": "red", "changed": "yellow", "confirmed": "red", "fenced": "red",
    "stranded": "red", "failed": "red", "critical": "red", "removed": "red", "invalid": "red",
    "creating": "yellow", "attaching": "yellow", "detaching": "yellow", "restoring": "yellow",
    "running-from-repository": "yellow", "copying": "yellow",
    "available": "green", "in-use": "green", "error": "red",
    "shelving": "yellow", "shelved": "magenta", "unknown": "magenta", "deleting": "magenta", "maintenance": "magenta",
}  # fmt: skip


def harmless(text: str, *, lines: bool = False) -> str:
    """The text without what a terminal would obey; line breaks and tabs stay where `lines`."""
    keep = "\n\t" if lines else ""
    return "".join(
        c
        if c.isprintable() or c == "\N{IDEOGRAPHIC SPACE}" or c in keep
        else "\N{REPLACEMENT CHARACTER}"
        for c in text.replace("\r\n", "\n")
    )


class State(str):
    """A word of a state: told in the reader's language, and coloured."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Column:
    head: Message
    justify: Literal["left", "right"] = "left"


class Screen:
    """`language` and `json` hold for one run. Under `json`, nothing but JSON is printed."""

    def __init__(self, language: Language, *, json: bool) -> None:
        self.language = language
        self.json = json
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)

    def text(self, message: Message, **values: object) -> str:
        shown = {name: harmless(str(value)) for name, value in values.items()}
        return message.text(self.language, **shown)

    def say(self, message: Message, **values: object) -> None:
        """A result, for people."""
        if not self.json:
            self._out.print(Text(self.text(message, **values)), soft_wrap=True)

    def note(self, message: Message, **values: object) -> None:
        """Something beside the result, for people."""
        if not self.json:
            self._err.print(Text(self.text(message, **values)), soft_wrap=True)

    def line(self, text: str) -> None:
        """A result that is already in words."""
        self._out.print(Text(harmless(text, lines=True)), soft_wrap=True)

    def raw(self, text: str) -> None:
        sys.stdout.write(text)

    def data(self, value: Any) -> None:
        """A result, for programs: one JSON document."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def data_line(self, value: Any) -> None:
        """One JSON document on one line, of a stream of them."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Cells are plain text, or `State`."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in columns:
            table.add_column(
                self.text(column.head), justify=column.justify, overflow="fold", no_wrap=False
            )
        for row in rows:
            table.add_row(*(self._cell(cell) for cell in row))
        self._print(table)

    def pairs(self, rows: Sequence[tuple[Message, str]]) -> None:
        """One thing's properties, a line each."""
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for head, value in rows:
            table.add_row(Text(self.text(head)), self._cell(value))
        self._print(table)

    def _print(self, table: Table) -> None:
        """A table's lines are all as long as its longest; into a pipe they go without what is blank at
        their ends, which would be most of it."""
        if self._out.is_terminal:
            self._out.print(table)
            return
        with self._out.capture() as drawn:
            self._out.print(table)
        sys.stdout.write("\n".join(line.rstrip(" ") for line in drawn.get().split("\n")))

    def state(self, word: str) -> str:
        """A state in the reader's language."""
        known = words.STATES.get(word)
        return known.text(self.language) if known is not None else word

    def _cell(self, text: str) -> Text:
        if isinstance(text, State):
            return Text(self.state(harmless(text)), style=_STYLES.get(text, ""))
        return Text(harmless(text, lines=True))

    def complain(self, error: YuiError) -> None:
        """An error, on standard error: its sentence, or its problem document under `json`."""
        if self.json:
            document = (
                error.document
                if isinstance(error, ApiProblem)
                else {
                    "type": f"urn:yui:problem:{error.type}",
                    "status": error.status,
                    "detail": error.ja if self.language is Language.JA else error.en,
                    "fields": error.fields,
                }
            )
            sys.stderr.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
            return
        sentence = error.ja if self.language is Language.JA else error.en
        self._err.print(Text(harmless(sentence, lines=True), style="red"), soft_wrap=True)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Bar]:
        """A bar on standard error while something takes long; silent where nobody watches."""
        shown = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._err,
            transient=True,
            disable=self.json or not self._err.is_terminal,
        )
        with shown:
            task = shown.add_task(harmless(title).replace("[", "\\["), total=total or None)
            yield Bar(shown, task)


@dataclass(frozen=True, slots=True)
class Bar:
    _progress: Progress
    _task: Any

    def at(self, done: int, total: int, what: str | None = None) -> None:
        """`what`, where given, takes the title's place."""
        self._progress.update(
            self._task, completed=done, total=total or None, description=what and harmless(what)
        )


def _console(*, stderr: bool) -> Console:
    probe = Console(stderr=stderr, highlight=False)
    if probe.is_terminal:
        return probe
    return Console(stderr=stderr, highlight=False, width=_PIPED_WIDTH)


def gib(mebibytes: int) -> str:
    return f"{mebibytes / 1024:.1f}".removesuffix(".0")


def local_time(text: str) -> str:
    """An API's time as this machine's clock shows it."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
