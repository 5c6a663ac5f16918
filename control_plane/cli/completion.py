"""`yui completion`: the script that makes a shell complete `yui` commands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from control_plane.cli.session import session_of

COMPLETE_VARIABLE = "_YUI_COMPLETE"
"""Set by the script when the shell asks; the parser then answers in place of running a command."""


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    context: typer.Context, shell: Annotated[Shell, typer.Argument(help="Which shell.")]
) -> None:
    """Print a completion script: source <(yui completion bash)."""
    script = get_completion_script(
        prog_name="yui", complete_var=COMPLETE_VARIABLE, shell=shell.value
    )
    session = session_of(context)
    if session.screen.json:
        session.screen.data({"shell": shell.value, "script": script})
    else:
        session.screen.raw(script + "\n")
