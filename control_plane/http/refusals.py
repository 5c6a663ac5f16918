"""The audit trail tells of refused changes too: who asked for what, and why it was not done.

What is done is written by whoever does it, in the transaction that does it; what is refused leaves no
transaction, so it is written here as its answer goes out. Both have the same action and the form of
subject, so that one search finds both.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any, TypeVar
from urllib.parse import parse_qs

import structlog
from anyio import to_thread
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.drivers.world import Clock
from control_plane.http.principal import Principal
from control_plane.model.access import AuditEntry
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from control_plane.store import Store

F = TypeVar("F", bound=Callable[..., object])

STRANGER = "stranger"
"""The principal of whoever has no valid token."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_NAME = 80
_TRUE = frozenset({"1", "true", "on", "yes", "t", "y"})
"""What pydantic takes for true in a query."""


@dataclass(frozen=True, slots=True)
class Audited:
    """`thing` is the kind of what the route changes, named by its path where it names one."""

    action: str
    thing: str
    rehearsable: bool


def called(request: Request, action: str) -> None:
    """For a route whose body says what is to be done: what the audit trail calls this request."""
    asked = _asked(request.scope)
    assert asked is not None  # noqa: S101 — such a route is `audited`
    request.scope["state"]["audited"] = replace(asked, action=action)


def audited(action: str, thing: str) -> Callable[[F], F]:
    """Stands between a route that changes something and its function, and says what the audit trail
    calls that change."""

    def mark(endpoint: F) -> F:
        rehearsable = "dry_run" in signature(endpoint).parameters
        endpoint.audited = Audited(action, thing, rehearsable)  # type: ignore[attr-defined]
        return endpoint

    return mark


@dataclass(slots=True)
class _Window:
    began: Seconds
    recorded: int = 0
    left_out: int = 0


@dataclass(slots=True)
class Allowance:
    """At most `most` entries of one principal's within `window`; of the rest, the number. There are
    as many principals as tokens, and one for all strangers together."""

    most: int
    window: Seconds
    _windows: dict[str, _Window] = field(default_factory=dict)

    def take(self, principal: str, now: Seconds) -> int | None:
        """How many were left out since the entry before, when this one may be written; else None."""
        window = self._windows.setdefault(principal, _Window(now))
        if now >= window.began + self.window:
            window.began, window.recorded = now, 0
        if window.recorded >= self.most:
            window.left_out += 1
            return None
        window.recorded += 1
        left_out, window.left_out = window.left_out, 0
        return left_out


class RefusalRecord:
    """ASGI middleware. Records each refusal (a 4xx) of a change before it is answered. Rehearsals change
    nothing and are left out.

    Somebody with a token gets 100 entries in ten minutes, all strangers together one; the next entry
    says how many were left out, so that nobody fills the state by being refused."""

    def __init__(self, app: ASGIApp, store: Store, clock: Clock) -> None:
        self._app = app
        self._store = store
        self._clock = clock
        self._known = Allowance(100, Seconds(600))
        self._strangers = Allowance(1, Seconds(600))
        self._log = structlog.get_logger("yui.http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING:
            await self._app(scope, receive, send)
            return

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start" and 400 <= message["status"] < 500:
                entry = self._entry(scope, message["status"])
                if entry is not None:
                    await to_thread.run_sync(self._write, entry)
            await send(message)

        await self._app(scope, receive, send_recorded)

    def _entry(self, scope: MutableMapping[str, Any], status: int) -> AuditEntry | None:
        state = scope["state"]
        who: Principal | None = state.get("principal")
        asked = _asked(scope)
        if who is not None and (asked is None or _is_rehearsal(scope, asked)):
            return None
        allowance = self._strangers if who is None else self._known
        name = STRANGER if who is None else who.token
        left_out = allowance.take(name, self._clock.monotonic())
        if left_out is None:
            return None
        fields: dict[str, object] = {
            "status": status,
            "request_id": state.get("request_id", ""),
            **({} if who is None else who.marks),
            **({"left_out": left_out} if left_out else {}),
        }
        return AuditEntry(
            at=self._clock.now(),
            principal=name,
            role=None if who is None else who.role,
            tenant=None if who is None or who.tenant is None else who.tenant.text,
            action="token.check" if asked is None else asked.action,
            subject="api" if asked is None else _subject(scope, asked),
            outcome=state.get("problem", f"http-{status}"),
            fields=fields,
        )

    def _write(self, entry: AuditEntry) -> None:
        try:
            with self._store.write() as tx:
                tx.add_audit(entry)
        except YuiError as error:
            self._log.warning(
                "refusal not recorded",
                reason=error.en,
                action=entry.action,
                principal=entry.principal,
                outcome=entry.outcome,
            )


def _asked(scope: MutableMapping[str, Any]) -> Audited | None:
    """None where no route was reached, or one that changes nothing."""
    said: Audited | None = scope.get("state", {}).get("audited")
    return said or getattr(getattr(scope.get("route"), "endpoint", None), "audited", None)


def _is_rehearsal(scope: MutableMapping[str, Any], asked: Audited) -> bool:
    if not asked.rehearsable:
        return False
    said = parse_qs(scope["query_string"].decode("latin-1")).get("dry_run", [""])[-1]
    return said.lower() in _TRUE


def _subject(scope: MutableMapping[str, Any], asked: Audited) -> str:
    """As in `host:kyoto-1`. What stands in a path may be anything; the region and the project of an
    OpenStack path are where the thing is, and not the thing."""
    params: dict[str, Any] = scope.get("path_params", {})
    named = {key: value for key, value in params.items() if key not in ("region", "project")}
    if not named:
        return asked.thing
    first = str(named.get(asked.thing, next(iter(named.values()))))
    name = "".join(c if c.isprintable() else "?" for c in first[:_LONGEST_NAME])
    return f"{asked.thing}:{name}"
