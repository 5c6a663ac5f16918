"""Changing only what one has read: entity tags and `If-Match` (RFC 9110 §8.8.3, §13.1.1)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header

from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation

_TAG = re.compile(r'"g([0-9]{1,18})"')


def entity_tag(generation: Generation) -> str:
    return f'"g{generation}"'


def _expected(
    if_match: Annotated[
        str | None,
        Header(max_length=100, description="The ETag that was read, to change nothing newer."),
    ] = None,
) -> Generation | None:
    if if_match is None or if_match.strip() == "*":
        return None
    match = _TAG.fullmatch(if_match.strip())
    if match is None:
        raise YuiError(
            "if-match-invalid",
            en='If-Match holds no ETag of ours: send the ETag that you read, such as "g3", or leave it out.',
            ja='If-Match の値が正しくありません。読み取った ETag(例: "g3")を指定するか、省略してください。',
            status=412,
        )
    return Generation(int(match.group(1)))


Expected = Annotated[Generation | None, Depends(_expected)]
"""The generation that the caller has read; None when it does not say."""
