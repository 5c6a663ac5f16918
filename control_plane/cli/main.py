"""The entry point of `yui`: runs one command, and turns whatever ends it into one sentence and an
exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import typer

from control_plane.cli import messages as m
from control_plane.cli.arguments import global_options_first
from control_plane.cli.assembly import command_tree
from control_plane.cli.completion import COMPLETE_VARIABLE
from control_plane.cli.exit_codes import ExitCode, exit_code_of
from control_plane.cli.language import choose
from control_plane.cli.output import Screen
from control_plane.cli.session import Session
from control_plane.cli.usage import usage_error
from control_plane.model.errors import YuiError

_READER_GONE = 128 + signal.SIGPIPE


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character shows a question mark; nothing breaks off.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    with contextlib.suppress(BrokenPipeError):
        code = run(sys.argv[1:])
        sys.stdout.flush()
        sys.exit(code)
    # Whoever read our output has gone, as `head` does: end as a program killed by SIGPIPE would.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(_READER_GONE)


def run(arguments: Sequence[str]) -> int:
    """Run one command line, without the program's name; returns the exit code."""
    language = choose(arguments, os.environ)
    asked_json = "--json" in arguments[: _end_of_options(arguments)]
    session = Session(language, Screen(language, json=asked_json))
    try:
        return _run(session, global_options_first(arguments))
    except YuiError as error:
        session.screen.complain(error)
        return exit_code_of(error)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            # A group named without a command: its help has been printed already.
            return ExitCode.USAGE
        session.screen.complain(usage_error(error))
        return ExitCode.USAGE
    except typer.Abort:
        session.screen.note(m.ABORTED)
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return _interrupted(session)
    finally:
        session.close()


def _run(session: Session, arguments: list[str]) -> int:
    tree: Any = command_tree(session.language)
    try:
        code = tree.main(
            args=arguments,
            prog_name="yui",
            complete_var=COMPLETE_VARIABLE,
            standalone_mode=False,
            obj=session,
        )
    except SystemExit:
        # Answering a shell that completes ends so; else it is how Typer and Rich end once whoever
        # read the output has gone.
        if COMPLETE_VARIABLE in os.environ:
            raise
        return _READER_GONE
    # Typer turns an interrupt into this code on its own.
    return _interrupted(session) if code == ExitCode.INTERRUPTED else int(code or 0)


def _interrupted(session: Session) -> int:
    session.screen.note(m.INTERRUPTED)
    if session.underway is not None:
        sys.stderr.write(session.underway + "\n")
    return ExitCode.INTERRUPTED


def _end_of_options(arguments: Sequence[str]) -> int:
    return list(arguments).index("--") if "--" in arguments else len(arguments)
