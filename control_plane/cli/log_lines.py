"""Log lines leave from a thread of their own, so that nobody is answered later because whatever reads the
log is slow."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class LogLines:
    """A logger for structlog, and the factory of itself. Safe to use from several threads.

    Lines wait for a tenth of a second at most, and while the stream takes none: of more than `most` that
    wait, the newest are counted and left out.
    """

    def __init__(self, stream: TextIO, most: int = 20_000) -> None:
        self._stream = stream
        self._most = most
        self._waiting: deque[str] = deque()
        self._left_out = 0
        self._ending = threading.Event()
        self._writer = threading.Thread(target=self._write_on, name="log", daemon=True)
        self._writer.start()

    def __call__(self, *_: object) -> LogLines:
        return self

    def msg(self, message: str) -> None:
        if len(self._waiting) >= self._most:
            self._left_out += 1
        else:
            self._waiting.append(message)

    log = debug = info = warn = warning = err = error = critical = fatal = exception = msg

    def end(self) -> None:
        """Write what waits; a stream that takes nothing is given two seconds."""
        self._ending.set()
        self._writer.join(2)

    def _write_on(self) -> None:
        while not self._ending.wait(0.1):
            self._write()
        self._write()

    def _write(self) -> None:
        left_out, self._left_out = self._left_out, 0
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if left_out:
            lines.append(
                f'{{"event": "log lines left out", "level": "warning", "count": {left_out}}}'
            )
        if lines:
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                # Whoever read the log has gone; what is done goes on without.
                self._waiting.clear()


@contextmanager
def log_lines(stream: TextIO) -> Iterator[LogLines]:
    lines = LogLines(stream)
    try:
        yield lines
    finally:
        lines.end()
