"""Tells people what happened: as lines of a log, and to a webhook where one is configured.

An event may be told twice after a crash. Its `sequence` shows that: no two events share one, and each
notifier tells them in that order.
"""

from __future__ import annotations

import json
import sys
from typing import TextIO

import httpx
import structlog

from control_plane.drivers.fencing.secret_refs import SecretUnavailable, read_secret
from control_plane.drivers.world import NotTold
from control_plane.model.operation import Event
from control_plane.model.units import Seconds

# Bad Request, Payload Too Large, Unsupported Media Type, Unprocessable Content: an answer about this
# event, which another try would get again (RFC 9110, section 15.5).
_ABOUT_THIS_EVENT = frozenset({400, 413, 415, 422})


class LogNotifier:
    """One JSON object per event and line, to `stream` (None: standard error). What can't be written is
    counted and passed over: a log that is gone has nobody waiting for it."""

    name = "log"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(sys.stderr if stream is None else stream),
            processors=[structlog.processors.JSONRenderer(ensure_ascii=False, default=str)],
        )
        self.undeliverable = 0

    def notify(self, event: Event) -> None:
        try:
            self._log.info(event.kind, **_fields(event))
        except Exception:
            self.undeliverable += 1


class WebhookNotifier:
    """Posts each event as JSON.

    `url_ref` names the address as a secret (`file:/path` or `env:NAME`), since such addresses often
    hold a token; it is read anew for each event. Without TLS only an address of this machine is taken.
    An event that the webhook refuses for its own sake is counted and passed over."""

    name = "webhook"

    def __init__(self, url_ref: str, *, timeout: Seconds = Seconds(5.0)) -> None:
        self._url_ref = url_ref
        # httpx's client would write the address, and so the token in it, to the log.
        self._transport = httpx.HTTPTransport()
        self._timeout = httpx.Timeout(timeout).as_dict()
        self.undeliverable = 0

    def notify(self, event: Event) -> None:
        """Raises NotTold while nobody takes it."""
        status = self._post(event)
        if status in _ABOUT_THIS_EVENT:
            self.undeliverable += 1
        elif not 200 <= status < 300:
            raise NotTold(f"The webhook answered with HTTP {status}.")

    def close(self) -> None:
        self._transport.close()

    def _post(self, event: Event) -> int:
        """The answer's status."""
        try:
            url = httpx.URL(read_secret(self._url_ref))
            if url.scheme != "https" and url.host not in ("127.0.0.1", "::1", "localhost"):
                raise NotTold("The webhook's address has no TLS (https), so nothing is sent there.")
            request = httpx.Request(
                "POST",
                url,
                content=json.dumps({"kind": event.kind, **_fields(event)}, default=str),
                headers={"Content-Type": "application/json"},
                extensions={"timeout": self._timeout},
            )
            answer = self._transport.handle_request(request)
            answer.close()
        except SecretUnavailable as error:
            raise NotTold(f"The webhook's address can't be read: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # What they say may quote the address.
            raise NotTold(f"The webhook can't be reached ({type(error).__name__}).") from None
        return answer.status_code


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
