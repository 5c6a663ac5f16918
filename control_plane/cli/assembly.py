"""Puts the groups of commands together, in the language of one run.

A group's module is loaded when the group is named or its help is shown: a run needs one of two
dozen, and loading them all takes longer than most commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.main import get_group

from control_plane.cli.help_ja import HELP_JA, HELP_OPTION_JA
from control_plane.cli.language import Language
from control_plane.cli.output import Screen
from control_plane.cli.parser_ja import speak_japanese
from control_plane.cli.session import session_of
from control_plane.cli.settings import Asked

HELP = """The cloud that municipalities own together.

The options below hold for every command and may stand anywhere on the line. Where they are missing, YUI_URL, YUI_TOKEN_FILE, YUI_CA_FILE, YUI_PROFILE and YUI_LANG count, and then the file ~/.config/yui/config.toml (mode 600), which knows url, token_file and ca_file, at its top or in tables named profile.NAME.
"""

EPILOG = "Exit codes: 0 done · 1 refused, failed, or the answer is no · 2 the command line is wrong · 3 something that is named isn't there · 4 no access · 5 the API can't be reached · 6 in conflict with the present state: try again · 130 interrupted (what was begun on the server goes on)."

_COMMANDS: Mapping[str, str] = {
    "pool": "pool:app",
    "host": "hosts:app",
    "member": "leaving:app",
    "quota": "reclaims:app",
    "system": "system_life:app",
    "server": "server_notes:app",
    "container-group": "container_groups:app",
    "volume": "volumes:app",
    "snapshot": "snapshots:app",
    "backup": "backup_pull:app",
    "repository": "repositories:app",
    "link": "region_links:app",
    "location-rule": "location_rules:app",
    "disaster": "disasters:app",
    "backup-key": "backup_keys:app",
    "network": "networks:app",
    "security-group": "security_groups:app",
    "binding": "bindings:app",
    "keypair": "keypairs:app",
    "server-group": "server_groups:app",
    "certificate": "certificate:app",
    "explain": "explain:explain",
    "events": "events:events",
    "audit": "audit:app",
    "operation": "operations:app",
    "blueprint": "blueprints:app",
    "image": "image_making:app",
    "token": "tokens:app",
    "user": "users:app",
    "account": "accounts:app",
    "break-glass": "break_glass:app",
    "login": "login:login",
    "logout": "login:logout",
    "whoami": "login:whoami",
    "serve": "serve:serve",
    "bench": "bench:app",
    "completion": "completion:completion",
    "version": "version:version",
}
"""Where each command is: a module beside this one, and in it a group of commands or one command.
They are shown in this order."""


def _options(
    context: typer.Context,
    *,
    url: Annotated[
        str | None, typer.Option(help="The API's address, such as https://yui.example.jp.")
    ] = None,
    token_file: Annotated[
        str | None, typer.Option(help="The file with your token (mode 600).")
    ] = None,
    ca_file: Annotated[
        str | None, typer.Option(help="Trust this CA (PEM) and no other for the API.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Use the table profile.NAME of the profile file.")
    ] = None,
    lang: Annotated[
        Language | None, typer.Option(help="English or Japanese; otherwise as LANG says.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    session = session_of(context)
    session.asked = Asked(url, token_file, ca_file, profile)
    if lang is not None:
        session.language = lang
    session.screen = Screen(session.language, json=json)


class _Loaded(Mapping[str, Any]):
    """The commands by name, each loaded when it is asked for."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._commands: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._commands:
            self._commands[name] = self._load(name, *_COMMANDS[name].split(":"))
        return self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in _COMMANDS

    def _load(self, name: str, module: str, attribute: str) -> Any:
        found = getattr(import_module(f"control_plane.cli.{module}"), attribute)
        around = typer.Typer()
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=name)
        else:
            around.command(name)(found)
        command = get_group(around).commands[name]
        if self._language is Language.JA:
            _in_japanese(command)
        return command


def command_tree(language: Language) -> Any:
    """The whole command with its help in `language`."""
    completion_init()
    app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, add_completion=False)
    app.callback()(_options)
    tree: Any = get_group(app)
    if language is Language.JA:
        _in_japanese(tree)
    tree.commands = _Loaded(language)
    return tree


def _in_japanese(command: Any) -> None:
    command.help = _japanese(command.help)
    command.epilog = _japanese(command.epilog)
    for parameter in command.params:
        parameter.help = _japanese(getattr(parameter, "help", None))
    speak_japanese(command, HELP_OPTION_JA)
    for child in getattr(command, "commands", {}).values():
        _in_japanese(child)


def _japanese(text: str | None) -> str | None:
    return None if text is None else HELP_JA.get(" ".join(text.split()), text)
