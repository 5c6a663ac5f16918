"""Bounds on everything that a request may carry.

Every text has a length, a set of characters, and is compared in one Unicode form, so that nothing
unprintable or endless reaches the store, a log or a screen.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode general categories (UAX #44 §5.7.1) of controls, formats, surrogates, private use,
unassigned, and line and paragraph separators."""


def _printable(text: str) -> str:
    """The text in NFC. Raises on a character that has no place in one line of plain text."""
    normal = unicodedata.normalize("NFC", text)
    for character in normal:
        if unicodedata.category(character) in _UNPRINTABLE:
            raise PydanticCustomError(
                "unprintable_character",
                "holds the unprintable character U+{code}",
                {"code": f"{ord(character):04X}"},
            )
    return normal


Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", max_length=63)
]
"""A DNS label: the ids of hosts, regions, blueprints, systems and servers."""

FlavorName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$", max_length=63)
]
"""As a name, with inner dots: `m1.small`."""

CodeText = Annotated[
    str, StringConstraints(min_length=1, max_length=32), AfterValidator(_printable)
]
"""A municipality code as typed; whether it is one is for the model to say."""

Sentence = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, strip_whitespace=True),
    AfterValidator(_printable),
]

ShortText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, strip_whitespace=True),
    AfterValidator(_printable),
]
"""A name or a label: one line."""

Statement = Annotated[
    str,
    StringConstraints(min_length=10, max_length=500, strip_whitespace=True),
    AfterValidator(_printable),
]
"""One sentence that a person signs with their name."""


class RequestBody(BaseModel):
    """A request's JSON object. Unknown members are refused, so that a typing mistake is heard."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ResponseBody(BaseModel):
    """An answer's JSON object."""

    model_config = ConfigDict(frozen=True)
