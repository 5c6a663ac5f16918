"""`yui` as a process of its own that has nothing left to load: a fork of the one that runs the tests.

To load what a control plane is made of takes ten times as long as to start one. Those whose matter is the
start itself, or hypervisors, run `running.command` instead.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import TextIO

from control_plane.cli.main import main
from tests.cli.running import CHECKOUT, Ended

_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Forked:
    """As much of `subprocess.Popen` as is needed of it. `stderr` is what the process says."""

    process: BaseProcess
    stderr: TextIO

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, seconds: float = 60) -> int:
        self.process.join(seconds)
        code = self.process.exitcode
        assert code is not None, "it does not end"
        return code

    def send_signal(self, number: int) -> None:
        assert self.process.pid is not None
        if self.process.is_alive():
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()


def begin(
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    stdout: int | None = None,
    program: Callable[[], int | None] = main,
) -> Forked:
    """Run `yui`, or another program's entry point, with that environment and nothing to read. Its output
    goes to the open file `stdout`, or is thrown away."""
    ours, theirs = os.pipe()
    nowhere = os.open(os.devnull, os.O_RDWR)
    streams = (nowhere, nowhere if stdout is None else stdout, theirs)
    try:
        process = _FORK.Process(target=_live, args=(program, arguments, dict(environment), streams))
        process.start()
    finally:
        os.close(theirs)
        os.close(nowhere)
    return Forked(process, open(ours, encoding="utf-8", errors="replace"))


def run(
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    program: Callable[[], int | None] = main,
) -> Ended:
    """Until it ends by itself."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        begun = begin(arguments, environment, output.fileno(), program)
        with begun.stderr:
            said = begun.stderr.read()
        code = begun.wait(300)
        output.seek(0)
        return Ended(code, output.read(), said)


def _live(
    program: Callable[[], int | None],
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    streams: tuple[int, int, int],
) -> None:
    nowhere = streams[0]
    kept = dict(enumerate(streams))
    for number in map(int, os.listdir("/proc/self/fd")):
        # What the tests have open is theirs. Each number stays taken, lest whatever still believes that
        # it has it closes something of ours.
        with contextlib.suppress(OSError):
            if number not in streams:
                os.dup2(kept.get(number, nowhere), number, inheritable=number in kept)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    # Nor does anything listen that collects what tests say.
    logging.getLogger().handlers.clear()
    sys.excepthook, sys.unraisablehook = sys.__excepthook__, sys.__unraisablehook__
    threading.excepthook = threading.__excepthook__
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(CHECKOUT)
    sys.argv = ["yui", *arguments]
    sys.exit(program())
