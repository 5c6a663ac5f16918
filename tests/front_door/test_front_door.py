"""What the papers at the front door say can be done, can be done."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from control_plane.cli.assembly import command_tree
from control_plane.cli.language import Language
from deploy.local.prerequisites import APT_PACKAGES
from images import boot_disk, initramfs

ROOT = Path(__file__).parents[2]
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("locks/*.md")])
COMMANDS = re.compile(r"^    (?P<block>\S.*?)(?:\s+#.*)?$|`(?P<inline>[^`\n]+)`", re.MULTILINE)


def commands(program: str) -> list[object]:
    """Every command of that program that a paper shows, with the paper's name."""
    found = {}
    for paper in PAPERS:
        for match in COMMANDS.finditer(paper.read_text(encoding="utf-8")):
            text = match["block"] or match["inline"]
            words = text.split()
            if words[0] == program and len(words) > 1 and not words[1].startswith("-"):
                found[text] = paper.name
    return [pytest.param(text, id=f"{paper}: {text}") for text, paper in sorted(found.items())]


@pytest.mark.parametrize("text", commands("make"))
def test_a_make_command_that_is_shown_is_a_target(text: str) -> None:
    planned = subprocess.run(
        ["make", "-n", *shlex.split(text)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert planned.returncode == 0, planned.stderr


@pytest.mark.parametrize("text", commands("yui"))
def test_a_yui_command_that_is_shown_is_one_that_yui_takes(text: str) -> None:
    command: Any = command_tree(Language.EN)
    # What holds for every command may stand anywhere.
    words = [word for word in shlex.split(text.partition(" > ")[0])[1:] if word != "--json"]
    parent = None
    while hasattr(command, "resolve_command"):
        if not words:
            return  # a group that a sentence names
        context = command.make_context(command.name, list(words), parent=parent)
        _, command, words = command.resolve_command(context, words)
        parent = context
    in_a_block = re.compile(rf"^    {re.escape(text)}(\s+#|$)", re.MULTILINE)
    if not words and not any(in_a_block.search(paper.read_text("utf-8")) for paper in PAPERS):
        return  # a command that a sentence names, not one to type
    # Parsing raises a usage error for an option that is unknown, or one that is needed and missing.
    assert command.make_context(command.name, words, parent=parent) is not None


def test_the_readme_begins_with_what_yui_is_and_two_commands() -> None:
    for name in ("README.md", "README.ja.md"):
        top = (ROOT / name).read_text(encoding="utf-8")[:900]
        assert top.startswith("# Yui")
        assert "    make demo " in top
        assert "    make test " in top


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_links_between_the_papers_lead_somewhere(paper: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", paper.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (paper.parent / target.partition("#")[0]).exists(), target


def test_both_readmes_lead_to_the_same_places() -> None:
    places = [
        set(re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")))
        for name in ("README.md", "README.ja.md")
    ]
    assert places[0] - {"README.ja.md"} == places[1] - {"README.md"}


@pytest.mark.parametrize(
    "japanese", sorted(ROOT.glob("docs/*.ja.md")), ids=lambda paper: paper.name
)
def test_a_guide_in_two_languages_has_the_same_parts_and_commands(japanese: Path) -> None:
    english = japanese.with_name(japanese.name.replace(".ja.md", ".md"))
    texts = [paper.read_text(encoding="utf-8") for paper in (english, japanese)]
    for part in (
        r"^ {4,}((?:yui|openstack|terraform|ansible-\w+) .*?)(?:\s+#.*)?$",
        "^(#+) ",
        r"^(\* |\|)",
    ):
        first, second = (re.findall(part, text, re.MULTILINE) for text in texts)
        assert first == second, part


def test_set_up_installs_every_program_that_is_asked_for_elsewhere() -> None:
    listed = {
        line.split()[1]
        for line in (ROOT / "deploy/setup/packages.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    wanted = {*APT_PACKAGES, *boot_disk.PROGRAMS.values(), *initramfs.PROGRAMS.values()}
    assert wanted <= listed


@pytest.mark.parametrize("lock", sorted(ROOT.glob("locks/*.txt")), ids=lambda lock: lock.name)
def test_every_locked_package_has_digests_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"\S+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_continuous_integration_runs_what_everybody_runs() -> None:
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("make test")
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
