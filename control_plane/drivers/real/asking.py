"""Asks hosts whether they are there, without being held up twice by one that is not.

A host that answered last time is given its full patience. One that did not is given a moment at each
look, while the question stays open; when its answer does come, the next look is patient again. So a
host that has been dead for days costs every look a moment, and one that is merely slow is not lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from control_plane.model.ids import HostId
from control_plane.model.units import Seconds


class _Line:
    """What is open to one host: at most one question, and how the last one ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open: Future[bool] | None = None
        self.patient = True


class Asking:
    """Safe to use from several threads."""

    def __init__(self, patience: Seconds, moment: Seconds) -> None:
        self._patience = patience
        self._moment = moment
        self._lock = threading.Lock()
        self._lines: dict[HostId, _Line] = {}

    def answers(self, host: HostId, ask: Callable[[], bool]) -> bool:
        """Whether `ask` came back True within the patience that the host has earned; an answer that
        came before this call does not count. Raises what `ask` raises."""
        with self._lock:
            line = self._lines.setdefault(host, _Line())
        with line.lock:
            question = line.open
            if question is None or question.done():
                line.patient = _came_back(question)
                question = line.open = _begin(host, ask)
            patience = self._patience if line.patient else self._moment
        try:
            answered = question.result(patience)
        except TimeoutError:
            if not question.done():
                answered = False
                with line.lock:
                    line.patient = False
            else:
                answered = question.result()
        return answered


def _came_back(question: Future[bool] | None) -> bool:
    """Whether the host has earned patience: nothing is held against one that was never asked."""
    if question is None:
        return True
    return question.exception() is None and question.result()


def _begin(host: HostId, ask: Callable[[], bool]) -> Future[bool]:
    question: Future[bool] = Future()

    def run() -> None:
        try:
            answer = ask()
        except BaseException as error:
            question.set_exception(error)
        else:
            question.set_result(answer)

    try:
        threading.Thread(target=run, name=f"ask-{host}", daemon=True).start()
    except RuntimeError:
        # This machine can't begin another thread, which says nothing about the host.
        question.set_exception(OSError(0, "no thread for asking a host"))
    return question
