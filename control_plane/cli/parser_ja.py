"""The words that Typer itself puts into a help page, in Japanese.

They are constants of its renderer and are exchanged only while a page is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_USAGE = "使い方: "
_OPTIONS = "[オプション]"
_SUBCOMMAND = "コマンド [引数]..."

RENDERER_JA: Mapping[str, str] = {
    "ARGUMENTS_PANEL_TITLE": "引数",
    "OPTIONS_PANEL_TITLE": "オプション",
    "COMMANDS_PANEL_TITLE": "コマンド",
    "ERRORS_PANEL_TITLE": "エラー",
    "REQUIRED_LONG_STRING": "[必須]",
    "DEFAULT_STRING": "[省略時: {}]",
    "ENVVAR_STRING": "[環境変数: {}]",
    "DEPRECATED_STRING": "(廃止予定) ",
    "ABORTED_TEXT": "中止しました。",
    "RICH_HELP": "[blue]'{command_path} {help_option}'[/] をご覧ください。",
}
"""The constants of `typer.rich_utils`, by their names."""


def speak_japanese(command: Any, help_of_help: str) -> None:
    """Make the help page of one command, which Typer has built, Japanese; its own texts are left.
    `help_of_help` explains its option --help."""
    command.options_metavar = _OPTIONS
    if hasattr(command, "subcommand_metavar"):
        command.subcommand_metavar = _SUBCOMMAND
    write_page = command.format_help

    def format_help(context: Any, formatter: Any) -> None:
        option = command.get_help_option(context)
        if option is not None:
            option.help = help_of_help
        with _renderer_in_japanese():
            write_page(context, formatter)

    def format_usage(context: Any, formatter: Any) -> None:
        pieces = command.collect_usage_pieces(context)
        formatter.write_usage(context.command_path, " ".join(pieces), prefix=_USAGE)

    command.format_help = format_help
    command.format_usage = format_usage


@contextmanager
def _renderer_in_japanese() -> Iterator[None]:
    from typer import rich_utils  # noqa: PLC0415 — slow, and needed for a help page alone

    english = {name: getattr(rich_utils, name) for name in RENDERER_JA}
    try:
        for name, text in RENDERER_JA.items():
            setattr(rich_utils, name, text)
        yield
    finally:
        for name, text in english.items():
            setattr(rich_utils, name, text)
