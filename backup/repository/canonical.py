"""One way to write each JSON value and each time, so that what is hashed or sealed is the same
bytes wherever it is made."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")


def canonical_json(value: object) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def read_canonical(data: bytes) -> dict[str, object]:
    """Raises ValueError for all but an object that is written as canonical_json writes it."""
    value = json.loads(data)
    if not isinstance(value, dict) or canonical_json(value) != data:
        raise ValueError("not canonical JSON")
    return value


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def base64_bytes(text: object, length: int | None = None) -> bytes:
    """Raises ValueError unless `text` is the one way to write these bytes."""
    if not isinstance(text, str):
        raise ValueError("not base64")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if base64_text(data) != text or (length is not None and len(data) != length):
        raise ValueError("not base64 of that length")
    return data


def time_text(time: datetime) -> str:
    """RFC 3339 in UTC with `Z`; to the second where it has no fraction."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_time(text: object) -> datetime:
    """Raises ValueError."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError("not a time")
    return datetime.fromisoformat(text)
