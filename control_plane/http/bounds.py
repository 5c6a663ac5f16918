"""Bounds on everything that a request may carry.

Every text has a length, a set of characters, and is compared in one Unicode form, so that nothing
unprintable or endless reaches the store, a log or a screen.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, PydanticCustomError

from control_plane.http.token_shapes import holds_token
from control_plane.http.whole_numbers import without_truth_values

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode general categories (UAX #44 §5.7.1) of controls, formats, surrogates, private use,
unassigned, and line and paragraph separators."""


_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and a symbol that are shown as nothing: Hangul fillers and the empty Braille pattern."""


def _in_one_form(text: object) -> object:
    """Text in NFC, so that its length is that of what is kept."""
    return unicodedata.normalize("NFC", text) if isinstance(text, str) else text


def _printable(text: str) -> str:
    """Raises on a character that has no place in one line of plain text, on text that shows nothing, and
    on a bearer token, which is nobody's name."""
    for character in text:
        if unicodedata.category(character) in _UNPRINTABLE:
            raise PydanticCustomError(
                "unprintable_character",
                "holds the unprintable character U+{code}",
                {"code": f"{ord(character):04X}"},
            )
    if all(each in _BLANK or unicodedata.category(each)[0] in "MZ" for each in text):
        raise PydanticCustomError("nothing_visible", "shows nothing")
    if holds_token(text.encode()):
        raise PydanticCustomError("token_inside", "holds a token")
    return text


_NFC = BeforeValidator(_in_one_form)

Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", max_length=63)
]
"""A DNS label: the ids of hosts, regions, blueprints, systems and servers."""

FlavorName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$", max_length=63)
]
"""As a name, with inner dots: `m1.small`."""

CodeText = Annotated[
    str, StringConstraints(min_length=1, max_length=32), _NFC, AfterValidator(_printable)
]
"""A municipality code as typed; whether it is one is for the model to say."""

Sentence = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, strip_whitespace=True),
    _NFC,
    AfterValidator(_printable),
]

ShortText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, strip_whitespace=True),
    _NFC,
    AfterValidator(_printable),
]
"""A name or a label: one line."""

Statement = Annotated[
    str,
    StringConstraints(min_length=10, max_length=500, strip_whitespace=True),
    _NFC,
    AfterValidator(_printable),
]
"""One sentence that a person signs with their name."""


def _printable_or_empty(text: str) -> str:
    return _printable(text) if text.strip() else text.strip()


Words = Annotated[
    str, StringConstraints(max_length=4096), _NFC, AfterValidator(_printable_or_empty)
]
"""One line of anything, or nothing."""


class RequestBody(BaseModel):
    """A request's JSON object. Unknown members are refused, so that a typing mistake is heard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return without_truth_values(handler(source))


class ResponseBody(BaseModel):
    """An answer's JSON object."""

    model_config = ConfigDict(frozen=True)
