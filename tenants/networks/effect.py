"""Whether hosts have made so what was declared, in a word."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """Whether what was declared is so on the hosts that it is about."""

    IN_EFFECT = "in-effect"
    NOT_YET = "not-yet"
    UNKNOWN = "unknown"
    """Some of the hosts never said what they have made so."""
    SITE_MANAGED = "site-managed"
    """Some of the hosts leave it to their site's own people."""
    NO_SERVERS = "no-servers"
