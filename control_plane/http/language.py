"""Which language a person asked for."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    EN = "en"
    JA = "ja"


def preferred(accept_language: str | None) -> Language:
    """The first of English and Japanese by quality (RFC 9110 §12.5.4); English where neither is
    named. Nonsense counts as not said."""
    best, best_quality = Language.EN, 0.0
    for part in (accept_language or "")[:500].split(","):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        quality = _quality(parameters)
        if primary in ("en", "ja") and quality > best_quality:
            best, best_quality = Language(primary), quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0
