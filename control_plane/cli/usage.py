"""Mistakes on the command line, told in the reader's language."""

from __future__ import annotations

import re

import typer

from control_plane.cli import messages as m
from control_plane.cli.language import Language, Message
from control_plane.model.errors import YuiError

_NO_COMMAND = re.compile(r"No such command '(.*?)'")


def usage_error(error: typer.TyperException) -> YuiError:
    """The parser's complaint as an error of ours. The parser knows English only, so its kind decides
    the sentence, and its own words stand where there is no better."""
    name = _name(error)
    detail = error.format_message()
    match type(error).__name__:
        case "NoSuchOption":
            message, values = m.USAGE_NO_OPTION, {"name": name}
        case "MissingParameter":
            message, values = m.USAGE_MISSING, {"name": name}
        case "BadParameter":
            message, values = (
                m.USAGE_BAD,
                {"name": name, "detail": _ended(str(error).removeprefix("Value error, "))},
            )
        case _ if found := _NO_COMMAND.match(detail):
            message, values = m.USAGE_NO_COMMAND, {"name": found[1]}
        case _:
            message, values = m.USAGE_WRONG, {"detail": _ended(detail)}
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "yui"
    near = _near(error, detail)
    return YuiError(
        "usage",
        en=_sentences(message, Language.EN, values, near, path),
        ja=_sentences(message, Language.JA, values, near, path),
        status=400,
    )


def _sentences(
    message: Message, language: Language, values: dict[str, str], near: str, path: str
) -> str:
    said = message.text(language, **values)
    if near and message is not m.USAGE_WRONG:
        said += m.MEANT.text(language, near=near)
    between = "" if language is Language.JA else " "
    return said + between + m.USAGE_HINT.text(language, command=path)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?")) else sentence + "."


def _name(error: typer.TyperException) -> str:
    """What the mistake is about: an option as typed, or an argument's name."""
    option = getattr(error, "option_name", None)
    if option:
        return str(option)
    parameter = getattr(error, "param", None)
    if parameter is None:
        return str(getattr(error, "param_hint", None) or "?")
    if parameter.param_type_name == "option":
        return str(parameter.opts[0])
    return str(parameter.metavar or parameter.name)


def _near(error: typer.TyperException, detail: str) -> str:
    """What was probably meant: the parser knows for options, and says it of commands."""
    said = re.search(r"Did you mean (.*)\?", detail)
    return ", ".join(getattr(error, "possibilities", None) or []) or (said[1] if said else "")
