"""Tells the story as it happens, and shows progress while it waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from control_plane.cli.language import Language, Message


class Narrator:
    def __init__(self, console: Console, language: Language) -> None:
        self._console = console
        self.language = language
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def say(self, message: Message, **values: object) -> None:
        self._line(message.text(self.language, **values))

    def detail(self, message: Message, **values: object) -> None:
        """A line that belongs to the one before."""
        self._console.print(
            f"         {message.text(self.language, **values)}", highlight=False, soft_wrap=True
        )

    def _line(self, text: str) -> None:
        self._console.print(
            f"[dim]{self.elapsed_s:6.1f} s[/dim] {text}", highlight=False, soft_wrap=True
        )

    @contextmanager
    def progress(self, message: Message, total: int) -> Iterator[Counter]:
        """Shows `message` (with `count` and `total`) as a bar for people, as lines for logs."""
        bar = Progress(
            TextColumn("         {task.description}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        with bar:
            counter = Counter(bar, message, self.language, total)
            yield counter
        self._line(message.text(self.language, count=counter.count, total=total))


class Counter:
    def __init__(self, bar: Progress, message: Message, language: Language, total: int) -> None:
        self._bar, self._message, self._language, self._total = bar, message, language, total
        self.count = 0
        self._task = bar.add_task(self._text(), total=total)

    def at(self, count: int) -> None:
        self.count = count
        self._bar.update(self._task, completed=count, description=self._text())

    def _text(self) -> str:
        return self._message.text(self._language, count=self.count, total=self._total)
