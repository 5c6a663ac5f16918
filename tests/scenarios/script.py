"""Reads a story: a sentence that says what it is about, then commands with their times.

# A host dies and its servers come back at their refuges.
at 10s power cut kyoto-1
at 120s end
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from control_plane.model.units import Seconds

_LINE = re.compile(r"at (?P<at>\d+(?:\.\d+)?)s (?P<what>\S.*)")


@dataclass(frozen=True, slots=True)
class Command:
    at: Seconds
    what: str


@dataclass(frozen=True, slots=True)
class Script:
    """`commands` in the order of time, without the `end` that gives `end`."""

    about: str
    commands: tuple[Command, ...]
    end: Seconds


def read_script(path: Path) -> Script:
    """Raises ValueError naming file and line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0].startswith("# "):
        raise ValueError(f"{path}:1: say what the story is about, as '# A host dies.'")
    commands: list[Command] = []
    for number, line in enumerate(lines[1:], start=2):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = _LINE.fullmatch(text)
        if found is None:
            raise ValueError(f"{path}:{number}: expected 'at 10s <what happens>', found '{text}'")
        at = Seconds(float(found["at"]))
        if commands and at < commands[-1].at:
            raise ValueError(f"{path}:{number}: {at:g}s comes before the line above it")
        commands.append(Command(at, found["what"]))
    if not commands or commands[-1].what != "end":
        raise ValueError(f"{path}: a story ends with 'at <time>s end'")
    return Script(lines[0][2:], tuple(commands[:-1]), commands[-1].at)
