"""One way to write each JSON value and each time, so that what is hashed or sealed is the same
bytes wherever it is made; and one way to read them, which whatever may lie in a store can't break.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from datetime import UTC, datetime

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
LARGEST_COUNT = (1 << 63) - 1
"""Of bytes, of packs, or of whatever else is counted: what a signed integer of 64 bits holds."""


def canonical_json(value: object) -> bytes:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def read_json(data: bytes, *, most: int, fractions: bool = False) -> dict[str, object]:
    """An object of JSON in UTF-8, of at most so many bytes. `fractions`: its numbers need not be whole.
    Raises ValueError for all else, however it is written."""
    if len(data) > most:
        raise ValueError("too long")
    try:
        value = json.loads(
            data.decode(),
            parse_int=_whole,
            parse_float=_finite if fractions else _refused,
            parse_constant=_refused,
        )
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def read_canonical(data: bytes, *, most: int, fractions: bool = False) -> dict[str, object]:
    """Raises ValueError for all but an object that is written as canonical_json writes it."""
    value = read_json(data, most=most, fractions=fractions)
    if canonical_json(value) != data:
        raise ValueError("not canonical JSON")
    return value


def count(value: object) -> int:
    """Of something, at least 0. Raises ValueError."""
    if type(value) is not int or not 0 <= value <= LARGEST_COUNT:
        raise ValueError("not a count")
    return value


def _whole(text: str) -> int:
    if len(text) > len(str(-LARGEST_COUNT)) or abs(int(text)) > LARGEST_COUNT:
        raise ValueError("out of bounds")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("out of bounds")
    return value


def _refused(text: str) -> object:
    raise ValueError(f"{text[:20]} is no whole number")


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
