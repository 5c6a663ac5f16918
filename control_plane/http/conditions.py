"""Changing only what one has read: entity tags and `If-Match` (RFC 9110 §8.8.3, §13.1.1)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header

from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation

_TAG = re.compile(r'"g([0-9]{1,18})"')
_CONTENT_TAG = re.compile(r'"[0-9a-f]{32}"')

_IfMatch = Annotated[
    str | None,
    Header(max_length=100, description="The ETag that was read, to change nothing newer."),
]


def entity_tag(generation: Generation) -> str:
    return f'"g{generation}"'


def content_tag(document: Mapping[str, Any]) -> str:
    """For what has no generation of its own: the same document has the same tag (the first 128 bits
    of its SHA-256)."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


async def _expected(if_match: _IfMatch = None) -> Generation | None:
    match = _given(if_match, _TAG, '"g3"')
    return None if match is None else Generation(int(match.group(1)))


async def _expected_content(if_match: _IfMatch = None) -> str | None:
    match = _given(if_match, _CONTENT_TAG, '"0123456789abcdef0123456789abcdef"')
    return None if match is None else match.group()


def _given(if_match: str | None, tag: re.Pattern[str], example: str) -> re.Match[str] | None:
    if if_match is None or if_match.strip() == "*":
        return None
    match = tag.fullmatch(if_match.strip())
    if match is None:
        raise YuiError(
            "if-match-invalid",
            en=f"If-Match holds no ETag of ours: send the ETag that you read, such as {example}, or leave it out.",
            ja=f"If-Match の値が正しくありません。読み取った ETag(例: {example})を指定するか、省略してください。",
            status=412,
        )
    return match


def generation_tag(shown: Mapping[str, Any]) -> Mapping[str, str]:
    """The headers of an answer that tells its generation."""
    return {"ETag": entity_tag(Generation(int(shown["generation"])))}


Expected = Annotated[Generation | None, Depends(_expected)]
"""The generation that the caller has read; None when it does not say."""

ExpectedContent = Annotated[str | None, Depends(_expected_content)]
"""The `content_tag` of what the caller has read; None when it does not say."""
