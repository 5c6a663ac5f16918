"""What is written down of servers, as JSON."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from control_plane.http.bounds import RequestBody, ResponseBody
from control_plane.http.token_shapes import holds_token
from control_plane.model.server_notes import MOST_LABELS, MOST_TAGS

_NEVER = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _plain(text: str) -> str:
    """May be empty; several lines are welcome."""
    for character in text:
        if unicodedata.category(character) in _NEVER and character not in "\n\t":
            raise PydanticCustomError(
                "unprintable_character",
                "holds the unprintable character U+{code}",
                {"code": f"{ord(character):04X}"},
            )
    if holds_token(text.encode()):
        raise PydanticCustomError("token_inside", "holds a token")
    return text


Description = Annotated[str, StringConstraints(max_length=255), AfterValidator(_plain)]
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9\-_:. ]{1,255}$")]
"""As OpenStack's metadata keys (Compute API, "Server metadata")."""
LabelText = Annotated[str, StringConstraints(max_length=255), AfterValidator(_plain)]
Labels = Annotated[dict[LabelName, LabelText], Field(max_length=MOST_LABELS)]
Tag = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60, pattern=r"^[^/,]+$"),
    AfterValidator(_plain),
]
"""As OpenStack's server tags: neither `/` nor `,`."""
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS)]


class ServerNotesOut(ResponseBody):
    """`made_by` is the service account, the user or the token that asked for it; null where it came with
    its system, whose beginning is then `made_at`. `sites` are those that it must be at, if any."""

    server: str
    made_at: datetime
    made_by: str | None
    description: str | None
    labels: dict[str, str]
    tags: list[str]
    sites: list[str]
    generation: int


class ServerNotesIn(RequestBody):
    """What is left out stays as it is. `labels` and `tags` replace all that there are; they mean nothing to
    Yui, and must hold no secret."""

    description: Description | None = None
    labels: Labels | None = None
    tags: Tags | None = None
