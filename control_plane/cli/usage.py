"""Mistakes on the command line, told in the reader's language."""

from __future__ import annotations

import re

import typer
from pydantic import ValidationError

from control_plane.cli import messages as m
from control_plane.cli.language import Language, Message
from control_plane.http.validation import what_is_wrong
from control_plane.model.errors import YuiError

# The parser knows English only, and tells some of its complaints apart by their words alone.
_NO_COMMAND = re.compile(r"No such command '(?P<name>.*?)'")
_WHICH_COMMAND = re.compile(r"Missing command\.")
_EXTRA = re.compile(r"Got unexpected extra argument\(s\) \((?P<extra>.*)\)", re.DOTALL)
_NEEDS_VALUE = re.compile(r"Option '(?P<name>.*?)' requires ")
_TAKES_NO_VALUE = re.compile(r"Option '(?P<name>.*?)' does not take a value")
_NO_CHOICE = re.compile(r".* is not one of (?P<choices>.*?)\.?", re.DOTALL)

_COMPLAINTS = (
    (_NO_COMMAND, m.USAGE_NO_COMMAND),
    (_WHICH_COMMAND, m.USAGE_WHICH_COMMAND),
    (_EXTRA, m.USAGE_EXTRA),
    (_NEEDS_VALUE, m.USAGE_NEEDS_VALUE),
    (_TAKES_NO_VALUE, m.USAGE_TAKES_NO_VALUE),
)


def usage_error(error: typer.TyperException) -> YuiError:
    """The parser's complaint as an error of ours: its own words stand where there is no better."""
    en, ja = _told(error)
    near = _near(error)
    if near:
        en += m.MEANT.text(Language.EN, near=near)
        ja += m.MEANT.text(Language.JA, near=near)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "yui"
    return YuiError(
        "usage",
        en=f"{en} {m.USAGE_HINT.text(Language.EN, command=path)}",
        ja=f"{ja}{m.USAGE_HINT.text(Language.JA, command=path)}",
        status=400,
    )


def _told(error: typer.TyperException) -> tuple[str, str]:
    """One sentence, in English and in Japanese."""
    name, detail = _name(error), error.format_message()
    match type(error).__name__:
        case "NoSuchOption":
            return _both(m.USAGE_NO_OPTION, name=name)
        case "MissingParameter":
            return _both(m.USAGE_MISSING, name=name)
        case "BadParameter":
            return _bad_value(error, name)
    for words, message in _COMPLAINTS:
        found = words.match(detail)
        if found is not None:
            return _both(message, **found.groupdict())
    return _both(m.USAGE_WRONG, detail=_ended(detail))


def _bad_value(error: typer.TyperException, name: str) -> tuple[str, str]:
    said = str(error).removeprefix("Value error, ")
    choice = _NO_CHOICE.fullmatch(said)
    if choice is not None:
        return _both(m.USAGE_NO_CHOICE, name=name, choices=choice["choices"].replace("'", ""))
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        mistake = cause.errors()[0]
        if mistake["type"] != "value_error":
            en, ja = what_is_wrong(mistake["type"], mistake.get("ctx") or {})
            return f"{name} {en}.", f"{name} {ja}。"
    return _both(m.USAGE_BAD, name=name, detail=_ended(said))


def _both(message: Message, **values: object) -> tuple[str, str]:
    return message.text(Language.EN, **values), message.text(Language.JA, **values)


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


def _near(error: typer.TyperException) -> str:
    """What was probably meant: the parser knows for options, and says it of commands."""
    said = re.search(r"Did you mean (.*)\?", error.format_message())
    return ", ".join(getattr(error, "possibilities", None) or []) or (said[1] if said else "")
