"""What is asked of a guest itself: to run what its own people have put there, and whether it serves."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from control_plane.model.backup.dumps import HookEnd
from control_plane.model.health import Miss
from control_plane.model.units import Seconds

_LONGEST_LINE = 200


@dataclass(frozen=True, slots=True)
class GuestHook:
    """`name` is a file's in the guest's HOOKS_FOLDER: lower-case letters, digits, hyphens."""

    name: str
    timeout: Seconds


@dataclass(frozen=True, slots=True)
class HookResult:
    """`said` is the last line that it printed, as `last_line` makes it."""

    end: HookEnd
    seconds: float = 0.0
    exit_status: int | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """One GET of `path`. `addresses` (IPv4 with prefix length) are where the guest may be found, the likeliest
    first: what was restored may have kept the address that it had before."""

    addresses: tuple[str, ...]
    port: int
    path: str
    timeout: Seconds


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`status` None: no answer, because of `miss`. Of `body` there is as much as PROBE_BODY."""

    status: int | None
    body: bytes = b""
    miss: Miss | None = None


PROBE_BODY = 64 * 1024
"""Bytes of an answer that are read."""


def last_line(output: bytes) -> str:
    """The last line with anything on it that can be shown, without what a terminal would obey, cut at 200
    characters."""
    for line in reversed(output.decode("utf-8", errors="replace").splitlines()):
        shown = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in line)
        shown = " ".join(shown.split())
        if shown:
            return shown if len(shown) <= _LONGEST_LINE else shown[: _LONGEST_LINE - 1] + "…"
    return ""
