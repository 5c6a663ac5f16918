"""Lets options that hold for every command stand anywhere on the line.

People add `--json` where they are typing, at the end. The parser knows these options on `yui`
itself only, so they are moved to its front before it looks.
"""

from __future__ import annotations

from collections.abc import Sequence

FLAGS = frozenset({"--json"})
VALUED = frozenset({"--lang", "--url", "--token-file", "--ca-file", "--profile"})


def global_options_first(arguments: Sequence[str]) -> list[str]:
    """The same arguments, those of `FLAGS` and `VALUED` first; nothing behind `--` is moved."""
    first: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest.append(argument)
            rest.extend(waiting)
        elif argument in FLAGS or argument.partition("=")[0] in VALUED:
            first.append(argument)
            if argument in VALUED and (value := next(waiting, None)) is not None:
                first.append(value)
        else:
            rest.append(argument)
    return first + rest
