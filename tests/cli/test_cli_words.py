"""Everything that yui can say, it can say in both languages."""

import re
import string

import pytest

from control_plane.cli import messages, words
from control_plane.cli.assembly import command_tree
from control_plane.cli.help_ja import HELP_JA
from control_plane.cli.language import Language, Message, choose

MESSAGES = {name: m for name, m in vars(messages).items() if isinstance(m, Message)}
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def placeholders(text):
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_says_the_same_things_in_both_languages(name):
    message = MESSAGES[name]
    assert message.en.strip()
    assert placeholders(message.en) == placeholders(message.ja)
    same_in_both = {"ID", "SHA256"}
    assert name in same_in_both or JAPANESE.search(message.ja)


def test_every_state_has_a_japanese_word():
    assert all(JAPANESE.search(message.ja) for message in words.STATES.values())


def all_help(command):
    """Every help text below a command, as one line."""
    for text in (command.help, command.epilog, *(getattr(p, "help", None) for p in command.params)):
        if text:
            yield " ".join(text.split())
    for child in getattr(command, "commands", {}).values():
        yield from all_help(child)


def test_every_help_text_has_its_japanese_and_none_is_left_over():
    texts = set(all_help(command_tree(Language.EN)))
    assert texts == HELP_JA.keys()


def test_every_command_and_option_is_explained():
    def unexplained(command, path):
        if not command.help and path != "yui":
            yield path
        for parameter in command.params:
            if not getattr(parameter, "help", None):
                yield f"{path} {parameter.name}"
        for name, child in getattr(command, "commands", {}).items():
            yield from unexplained(child, f"{path} {name}")

    assert list(unexplained(command_tree(Language.EN), "yui")) == []


@pytest.mark.parametrize(
    ("arguments", "environment", "language"),
    [
        ([], {}, Language.EN),
        ([], {"LANG": "ja_JP.UTF-8"}, Language.JA),
        ([], {"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, Language.EN),
        ([], {"LANG": "en_US.UTF-8", "YUI_LANG": "ja"}, Language.JA),
        (["host", "list", "--lang", "ja"], {"YUI_LANG": "en"}, Language.JA),
        (["--lang=en"], {"LANG": "ja_JP.UTF-8"}, Language.EN),
        (["--", "--lang=ja"], {}, Language.EN),
    ],
)
def test_the_language_is_the_one_asked_for_most_directly(arguments, environment, language):
    assert choose(arguments, environment) is language
