"""Which language the command line speaks, and how a message carries both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    EN = "en"
    JA = "ja"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell a person, in both languages, with the same `{placeholders}`."""

    en: str
    ja: str

    def text(self, language: Language, **values: object) -> str:
        return (self.ja if language is Language.JA else self.en).format(**values)


def choose(arguments: Sequence[str], environment: Mapping[str, str]) -> Language:
    """Japanese where `--lang`, YUI_LANG, LC_ALL, LC_MESSAGES or LANG says so, the first that is set
    deciding; otherwise English. The order of the last three is POSIX's (XBD §8.2)."""
    asked = _asked(arguments)
    if asked is None:
        names = ("YUI_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
        asked = next((environment[name] for name in names if environment.get(name)), "")
    return Language.JA if asked.lower().startswith("ja") else Language.EN


def _asked(arguments: Sequence[str]) -> str | None:
    for index, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")
        if argument == "--lang" and index + 1 < len(arguments):
            return arguments[index + 1]
    return None
