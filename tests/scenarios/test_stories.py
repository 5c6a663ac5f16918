"""Plays every story beside this file and compares what happened, line by line, with what must."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scenarios.script import read_script
from tests.scenarios.setting import read_setting
from tests.scenarios.stage import Stage

HERE = Path(__file__).parent
STORIES = sorted(path.parent for path in HERE.glob("*/story"))
REWRITE = "YUI_REWRITE_STORIES"
"""Set to 1 to write what happened as what must happen, then read the difference in git."""


@pytest.mark.long
@pytest.mark.parametrize("folder", [pytest.param(path, id=path.name) for path in STORIES])
def test_a_story_ends_as_written(folder: Path, tmp_path: Path) -> None:
    script = read_script(folder / "story")
    stage = Stage(read_setting(folder / "pool.yaml"), tmp_path / "state.db")
    try:
        stage.play(script.commands, script.end)
    finally:
        stage.close()
    happened = f"# {script.about}\n" + "\n".join(stage.log) + "\n"
    assert stage.world.violations == []
    assert stage.world.double_started == 0
    lost = [line for line in stage.log if line.endswith(" LOST")]
    assert lost == []
    expected = folder / "expected.log"
    if os.environ.get(REWRITE) == "1":
        assert "CI" not in os.environ, "what must happen is never rewritten by a robot"
        expected.write_text(happened, encoding="utf-8")
    assert happened == expected.read_text(encoding="utf-8")


def test_there_are_at_least_twenty_five_stories() -> None:
    assert len(STORIES) >= 25
