"""How it is told that a server is well, and what came of looking."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """A GET of `path` at `port` answers with `status`, and with `contains` in what it answers."""

    path: str
    port: int = 80
    status: int = 200
    contains: str | None = None

    def __str__(self) -> str:
        return f":{self.port}{self.path}"


class Miss(StrEnum):
    """Why nothing was answered. Halves of sentences."""

    NOT_RUNNING = "not-running"
    NOBODY = "nobody"
    CLOSED = "closed"
    UNANSWERED = "unanswered"
    SILENT = "silent"
    NO_HTTP = "no-http"

    @property
    def en(self) -> str:
        return _MISSES[self][0]

    @property
    def ja(self) -> str:
        return _MISSES[self][1]


_MISSES = {
    Miss.NOT_RUNNING: ("it did not run", "稼働していません"),
    Miss.NOBODY: ("nobody answered at its address", "アドレスに応答がありません"),
    Miss.CLOSED: ("the port was closed", "ポートが閉じています"),
    Miss.UNANSWERED: ("the port did not answer", "ポートに応答がありません"),
    Miss.SILENT: (
        "the port took the connection and answered nothing",
        "ポートは接続を受け付けましたが、応答がありません",
    ),
    Miss.NO_HTTP: ("what answered was no HTTP", "HTTP ではない応答でした"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it should be of a server, in halves of sentences."""

    en: str
    ja: str


UNTESTED = "untested"
"""Of what a point holds and no restore test tries."""


def judged(check: HttpCheck, status: int | None, body: bytes, miss: Miss | None) -> Finding | None:
    """None: it is well. What it answered is not quoted: it may be somebody's."""
    asked = f"GET {check}"
    if status is None:
        why = Miss.NOBODY if miss is None else miss
        return Finding(f"{asked}: {why.en}", f"{asked}: {why.ja}")
    if status != check.status:
        return Finding(
            f"{asked} answered with status {status} instead of {check.status}",
            f"{asked} の応答コードが {check.status} ではなく {status} でした",
        )
    if check.contains is not None and check.contains.encode() not in body:
        return Finding(
            f"{asked} answered {len(body)} bytes without “{check.contains}” in them",
            f"{asked} の応答({len(body)} バイト)に「{check.contains}」がありません",
        )
    return None


@dataclass(frozen=True, slots=True)
class HealthSeen:
    """Of one server of a restore test. `by` is http, or console where there is no such check or its host
    can't ask; it was well `seconds` after its start, or not at all: `finding` says what was seen last. What the
    point holds of a container group has `by` untested."""

    server: str
    by: str
    seconds: float | None
    finding: Finding | None = None
