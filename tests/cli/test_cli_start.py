"""`yui` begins quickly: a command loads what it needs, and no command but `serve` and `bench` needs a server."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import sys
from control_plane.cli.assembly import command_tree
from control_plane.cli.language import Language

commands = command_tree(Language.EN).commands
for name in commands:
    if name not in ("serve", "bench"):
        commands[name]
        heavy = {"sqlalchemy", "numpy", "fastapi", "ortools", "libvirt"} & set(sys.modules)
        assert not heavy, (name, heavy)
print(len(list(commands)))
"""


@pytest.mark.long
def test_no_command_loads_the_database_or_the_planner() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 20
