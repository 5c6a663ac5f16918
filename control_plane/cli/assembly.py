"""Puts the groups of commands together, in the language of one run."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.main import get_command

from control_plane.cli import (
    accounts,
    audit,
    bench,
    blueprints,
    break_glass,
    certificate,
    events,
    explain,
    hosts,
    images,
    login,
    members,
    operations,
    pool,
    quotas,
    serve,
    server_life,
    system_life,
    tokens,
    users,
)
from control_plane.cli import completion as completion_command
from control_plane.cli import version as version_command
from control_plane.cli.help_ja import HELP_JA, HELP_OPTION_JA
from control_plane.cli.language import Language
from control_plane.cli.output import Screen
from control_plane.cli.parser_ja import speak_japanese
from control_plane.cli.session import session_of
from control_plane.cli.settings import Asked

HELP = """The cloud that municipalities own together.

The options below hold for every command and may stand anywhere on the line. Where they are missing, YUI_URL, YUI_TOKEN_FILE, YUI_CA_FILE, YUI_PROFILE and YUI_LANG count, and then the file ~/.config/yui/config.toml (mode 600), which knows url, token_file and ca_file, at its top or in tables named profile.NAME.
"""

EPILOG = "Exit codes: 0 done · 1 refused, failed, or the answer is no · 2 the command line is wrong · 3 not found · 4 no access · 5 the API can't be reached · 6 in conflict with the present state: try again · 130 interrupted (what was begun on the server goes on)."

_ORDER = (
    "pool",
    "host",
    "member",
    "quota",
    "system",
    "server",
    "certificate",
    "explain",
    "events",
    "audit",
    "operation",
    "blueprint",
    "image",
    "token",
    "user",
    "account",
    "break-glass",
    "login",
    "logout",
    "whoami",
    "serve",
    "bench",
    "completion",
    "version",
)


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


def _application() -> typer.Typer:
    app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, add_completion=False)
    app.callback()(_options)
    app.add_typer(pool.app, name="pool")
    app.add_typer(hosts.app, name="host")
    app.add_typer(members.app, name="member")
    app.add_typer(quotas.app, name="quota")
    app.add_typer(system_life.app, name="system")
    app.add_typer(server_life.app, name="server")
    app.add_typer(certificate.app, name="certificate")
    app.command("events")(events.events)
    app.add_typer(audit.app, name="audit")
    app.command("explain")(explain.explain)
    app.add_typer(blueprints.app, name="blueprint")
    app.add_typer(images.app, name="image")
    app.add_typer(operations.app, name="operation")
    app.add_typer(tokens.app, name="token")
    app.add_typer(users.app, name="user")
    app.add_typer(accounts.app, name="account")
    app.add_typer(break_glass.app, name="break-glass")
    app.command("login")(login.login)
    app.command("logout")(login.logout)
    app.command("whoami")(login.whoami)
    app.add_typer(bench.app, name="bench")
    app.command("serve")(serve.serve)
    app.command("completion")(completion_command.completion)
    app.command("version")(version_command.version)
    return app


def command_tree(language: Language) -> Any:
    """The whole command with its help in `language`."""
    completion_init()
    tree: Any = get_command(_application())
    tree.commands = dict(sorted(tree.commands.items(), key=lambda item: _ORDER.index(item[0])))
    if language is Language.JA:
        _in_japanese(tree)
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
