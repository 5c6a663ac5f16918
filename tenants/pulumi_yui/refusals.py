"""What a program's author reads when something is refused, in their own language."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """One sentence, in the language of YUI_LANG or LANG; `type` is the problem's."""

    def __init__(self, sentence: str, type: str = "", status: int = 0) -> None:
        super().__init__(sentence)
        self.type = type
        self.status = status


def refused(language: str, en: str, ja: str) -> Refused:
    """`language` is `en` or `ja`."""
    return Refused(ja if language == "ja" else en)


def spoken(environment: Mapping[str, str]) -> str:
    """`ja` where YUI_LANG, LC_ALL, LC_MESSAGES or LANG says so, the first that is set deciding, as with
    `yui`; otherwise `en`. The order of the last three is POSIX's (XBD §8.2)."""
    names = ("YUI_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    said = next((environment[name] for name in names if environment.get(name)), "")
    return "ja" if said.lower().startswith("ja") else "en"
