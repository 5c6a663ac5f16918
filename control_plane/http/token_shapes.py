"""What looks like a bearer token, wherever it stands."""

from __future__ import annotations

import re

_SHAPES = r"yuis?_[a-z2-7]{16}_[A-Za-z0-9_-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
"""Our own tokens and sessions, also with some of their end cut off, and signed JSON Web Tokens (RFC 7515 §3.1)."""
_TOKEN = re.compile(_SHAPES, re.ASCII)
_TOKEN_BYTES = re.compile(_SHAPES.encode())


def without_tokens(text: str) -> str:
    return _TOKEN.sub("(token)", text)


def holds_token(part: bytes) -> bool:
    return _TOKEN_BYTES.search(part) is not None
