"""Tells people what happened: as lines of a log, and to a webhook where one is configured.

Telling must never hold up or break the work: what can't be delivered is counted, and the event is in
the store all the same.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Sequence
from typing import TextIO

import httpx
import structlog

from control_plane.drivers.fencing.secret_refs import SecretUnavailable, read_secret
from control_plane.drivers.world import Clock, Notifier
from control_plane.model.operation import Event
from control_plane.model.units import Seconds

_LONGEST_QUEUE = 1000
_TRIES = 3


class _Count:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 0

    def up(self) -> None:
        with self._lock:
            self._value += 1

    @property
    def value(self) -> int:
        return self._value


class LogNotifier:
    """One JSON object per event and line, to `stream` (None: standard error)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(sys.stderr if stream is None else stream),
            processors=[structlog.processors.JSONRenderer(ensure_ascii=False, default=str)],
        )
        self._undeliverable = _Count()

    @property
    def undeliverable(self) -> int:
        return self._undeliverable.value

    def notify(self, event: Event) -> None:
        try:
            self._log.info(event.kind, **_fields(event))
        except Exception:
            self._undeliverable.up()


class WebhookNotifier:
    """Posts each event as JSON, in order, from a thread of its own.

    `url_ref` names the address as a secret (`file:/path` or `env:NAME`), since such addresses often
    hold a token. Without TLS only an address of this machine is taken. Each event is tried three
    times; at most 1000 wait."""

    def __init__(
        self,
        clock: Clock,
        url_ref: str,
        *,
        timeout: Seconds = Seconds(5.0),
        pause: Seconds = Seconds(2.0),
    ) -> None:
        self._clock = clock
        self._url_ref = url_ref
        self._pause = pause
        # httpx's client would write the address, and so the token in it, to the log.
        self._transport = httpx.HTTPTransport()
        self._timeout = httpx.Timeout(timeout).as_dict()
        self._undeliverable = _Count()
        self._waiting: queue.Queue[Event | None] = queue.Queue(_LONGEST_QUEUE)
        self._closing = threading.Event()
        self._poster = threading.Thread(target=self._post_all, name="webhook", daemon=True)
        self._poster.start()

    @property
    def undeliverable(self) -> int:
        return self._undeliverable.value

    def notify(self, event: Event) -> None:
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._undeliverable.up()

    def close(self, patience: Seconds = Seconds(5.0)) -> None:
        """Post what waits, for as long as `patience`."""
        self._closing.set()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._poster.join(patience)

    def _post_all(self) -> None:
        while (event := self._waiting.get()) is not None:
            if not self._post(event):
                self._undeliverable.up()
        self._transport.close()

    def _post(self, event: Event) -> bool:
        for attempt in range(_TRIES):
            if attempt and not self._closing.is_set():
                self._clock.sleep(self._pause)
            try:
                url = httpx.URL(read_secret(self._url_ref))
                if url.scheme != "https" and url.host not in ("127.0.0.1", "::1", "localhost"):
                    return False
                body = json.dumps({"kind": event.kind, **_fields(event)}, default=str)
                request = httpx.Request(
                    "POST",
                    url,
                    content=body,
                    headers={"Content-Type": "application/json"},
                    extensions={"timeout": self._timeout},
                )
                answer = self._transport.handle_request(request)
                answer.close()
            except (SecretUnavailable, httpx.HTTPError, httpx.InvalidURL, ValueError):
                continue
            if answer.is_success:
                return True
        return False


class NotifyAll:
    """Every event to each of them."""

    def __init__(self, notifiers: Sequence[Notifier]) -> None:
        self._notifiers = tuple(notifiers)

    def notify(self, event: Event) -> None:
        for notifier in self._notifiers:
            notifier.notify(event)


def _fields(event: Event) -> dict[str, object]:
    return {
        "subject": event.subject,
        "at": event.at.isoformat(),
        "severity": event.severity.value,
        "en": event.en,
        "ja": event.ja,
        "tenant": event.tenant,
        "fields": dict(event.fields or {}),
        "sequence": event.sequence,
    }
