"""What the parser says of itself is in the reader's language too: help pages and mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer import rich_utils

from control_plane.cli.assembly import command_tree
from control_plane.cli.language import Language
from control_plane.cli.parser_ja import RENDERER_JA
from tests.cli.running import Ended

Yui = Callable[..., Ended]

# What Typer and Click write into a page by themselves, in English.
ENGLISH = re.compile(
    r"Usage|Options|\[OPTIONS\]|Arguments|\bCOMMAND\b|Commands|\[ARGS\]|\[required\]|\[default|"
    r"\[env var|Show this message|Try '|deprecated|Error"
)


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from paths(child, (*path, name))


EVERY = list(paths(command_tree(Language.EN)))


@pytest.mark.long
@pytest.mark.parametrize("path", EVERY, ids=lambda path: " ".join(("yui", *path)))
def test_a_help_page_holds_no_english_of_the_parsers(yui: Yui, path: tuple[str, ...]) -> None:
    page = yui("--lang", "ja", *path, "--help", env={"COLUMNS": "120"})
    assert page.returncode == 0, page.stderr
    assert ENGLISH.search(page.stdout) is None, page.stdout
    assert "使い方: yui" in page.stdout
    assert "この説明を表示します。" in page.stdout


def test_the_panels_and_remarks_of_a_page_are_japanese(yui: Yui) -> None:
    whole = yui("--lang", "ja", "--help", env={"COLUMNS": "120"}).stdout
    assert "─ オプション ─" in whole
    assert "─ コマンド ─" in whole
    assert whole.count("─ オプション ─") == 1
    join = yui("--lang", "ja", "member", "join", "--help", env={"COLUMNS": "120"}).stdout
    assert "─ 引数 ─" in join
    assert "[必須]" in join


def test_a_group_without_a_command_shows_its_page_in_japanese(yui: Yui) -> None:
    page = yui("--lang", "ja", "host")
    assert page.returncode == 2
    assert "使い方: yui host [オプション] コマンド [引数]..." in page.stdout


def test_after_a_japanese_page_an_english_one_is_english_again(yui: Yui) -> None:
    before = yui("member", "join", "--help").stdout
    yui("--lang", "ja", "member", "join", "--help")
    assert yui("member", "join", "--help").stdout == before
    assert "Usage: yui member join [OPTIONS]" in before
    assert "[required]" in before


def test_every_word_that_the_renderer_can_say_has_its_japanese() -> None:
    """Those that Typer marks for translation are its constants named so."""
    said = {
        name
        for name in vars(rich_utils)
        if name.endswith(("_TITLE", "_STRING", "_TEXT")) or name == "RICH_HELP"
    }
    symbols = {"REQUIRED_SHORT_STRING", "RANGE_STRING"}
    assert said - symbols == RENDERER_JA.keys()


MISTAKES: list[tuple[tuple[str, ...], str, str]] = [
    (("member", "join"), "CODE is missing.", "CODE を指定してください。"),
    (("serve", "--port", "x"), "--port must be a whole number.", "--port は整数で指定して"),
    (("events", "--limit", "0"), "--limit must be at least 1.", "--limit は 1 以上で指定して"),
    (("nope",), "There is no command 'nope'.", "「nope」というコマンドはありません。"),
    (("server", "lst"), "Did you mean 'list'?", "'list' ではありませんか。"),
    (("--nope",), "There is no option --nope.", "--nope というオプションはありません。"),
    (("serve", "--certificate"), "--certificate needs a value.", "--certificate には値を指定して"),
    (("events", "--follow=3"), "--follow takes no value.", "--follow に値は指定できません。"),
    (("events", "a", "b"), "'a b' is more than this command takes", "「a b」は余分です。"),
    (
        ("token", "create", "--role", "boss", "--label", "x"),
        "--role must be one of operator, approver, auditor, member-admin, member-user.",
        "--role は operator, approver, auditor, member-admin, member-user のいずれかで指定して",
    ),
]


@pytest.mark.parametrize(("arguments", "en", "ja"), MISTAKES, ids=lambda x: " ".join(x)[:30])
def test_a_mistake_is_one_sentence_in_either_language(
    yui: Yui, arguments: tuple[str, ...], en: str, ja: str
) -> None:
    for language, sentence, hint in (
        ("en", en, "Try `yui"),
        ("ja", ja, "--help` をご覧ください。"),
    ):
        ended = yui("--lang", language, *arguments)
        assert ended.returncode == 2
        assert ended.stdout == ""
        (line,) = ended.stderr.strip().splitlines()
        assert sentence in line
        assert hint in line


def test_an_option_alone_asks_for_a_command(yui: Yui) -> None:
    assert "コマンドを指定してください。" in yui("--lang", "ja", "--json").stderr
    assert "A command is missing." in yui("--json").stderr
