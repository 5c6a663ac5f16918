"""Times as OpenStack writes them: UTC, to the second, or to the microsecond at Keystone."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds(at: datetime) -> str:
    # A list says hundreds of times, and `strftime` takes four times as long.
    return f"{at.astimezone(UTC).isoformat()[:19]}Z"


def microseconds(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def without_zone(at: datetime) -> str:
    """As Cinder and Glance's older answers have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
