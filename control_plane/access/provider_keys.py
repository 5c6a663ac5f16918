"""The public keys of an identity provider, asked for seldom and kept for a while.

A key that nobody has seen makes us ask again, so that a provider may rotate its keys; but at most once
in `pause`, so that made-up key ids are no way to make us flood it. When it does not answer, the keys
that it gave last hold on for `hold`.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from pydantic import TypeAdapter

from control_plane.access.provider_settings import Address, Provider
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds

_TYPES: Mapping[str, str] = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_MOST_BYTES = 512 * 1024
_MOST_KEYS = 100


class Unreachable(Exception):
    """The provider did not answer, or not with what it should."""


@dataclass(frozen=True, slots=True)
class _Keys:
    found: tuple[tuple[str | None, str, Key], ...]
    """Key id, type, key."""
    asked_at: Seconds


@dataclass(slots=True)
class ProviderKeys:
    """Safe to use from several threads. `monotonic` is a clock that only moves forward. One fetch takes
    `patience` at most, whatever the other side does."""

    provider: Provider
    monotonic: Callable[[], Seconds]
    fresh: Seconds = Seconds(600)
    hold: Seconds = Seconds(86_400)
    pause: Seconds = Seconds(10)
    patience: Seconds = Seconds(5)
    _keys: _Keys | None = None
    _tried_at: Seconds | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def known(self, kid: str | None, algorithm: str) -> Key | None:
        """The key at hand, if its set is not too old to be believed."""
        keys = self._keys
        if keys is None or self.monotonic() >= keys.asked_at + self.hold:
            return None
        fitting = [
            (id, key)
            for id, kind, key in keys.found
            if kind == _TYPES[algorithm] and (kid is None or id == kid)
        ]
        # Without a key id there must be no choice (OpenID Connect Core 1.0, section 10.1).
        return fitting[0][1] if len(fitting) == 1 else None

    def wants_asking(self, kid: str | None, algorithm: str) -> bool:
        """Whether it is time to ask the provider before judging a token of that key."""
        if self._lock.locked() and self.known(kid, algorithm) is None:
            return True  # Somebody is asking at this moment: wait for what comes.
        return self._is_time(kid, algorithm)

    def _is_time(self, kid: str | None, algorithm: str) -> bool:
        keys, now = self._keys, self.monotonic()
        if self._tried_at is not None and now < self._tried_at + self.pause:
            return False
        return (
            keys is None or now >= keys.asked_at + self.fresh or self.known(kid, algorithm) is None
        )

    def ask(self, kid: str | None, algorithm: str) -> None:
        """Fetch the keys, unless somebody else just did. Raises `provider-unreachable` where the
        provider can't be asked and no keys hold."""
        with self._lock:
            if self._is_time(kid, algorithm):
                self._tried_at = self.monotonic()
                with contextlib.suppress(Unreachable):
                    self._keys = _Keys(self._fetch(), self.monotonic())
            self.refuse_without_keys()

    def refuse_without_keys(self) -> None:
        """Raises `provider-unreachable`."""
        keys = self._keys
        if keys is None or self.monotonic() >= keys.asked_at + self.hold:
            raise YuiError(
                "provider-unreachable",
                en=f"The identity provider {self.provider.issuer} does not answer, so nobody can be recognised by it at the moment: try again soon.",
                ja=f"ID プロバイダー {self.provider.issuer} が応答しないため、現在ログインを確認できません。少し待って再度お試しください。",
                status=503,
                fields={"issuer": self.provider.issuer},
            )

    def _fetch(self) -> tuple[tuple[str | None, str, Key], ...]:
        ends = time.monotonic() + self.patience
        document = self._get(self.provider.jwks_uri or self._described(ends), ends)
        keys = document.get("keys")
        if not isinstance(keys, list):
            raise Unreachable("no list of keys")
        return tuple(found for key in keys[:_MOST_KEYS] if (found := _key(key)) is not None)

    def _described(self, ends: float) -> str:
        described = self._get(self.provider.discovery, ends)
        if described.get("issuer") != self.provider.issuer:
            raise Unreachable("the description is another issuer's")
        try:
            return TypeAdapter(Address).validate_python(described.get("jwks_uri"))
        except ValueError as error:
            raise Unreachable("no usable jwks_uri") from error

    def _get(self, address: str, ends: float) -> dict[str, Any]:
        with httpx.Client(
            verify=self._trust(address),
            follow_redirects=False,
            timeout=self.patience,
            trust_env=urlsplit(self.provider.issuer).scheme == "https",
        ) as client:
            return _get(client, address, ends)

    def _trust(self, address: str) -> ssl.SSLContext:
        if urlsplit(address).scheme == "http":
            # Nobody shows a certificate, so none of an authority's needs to be read.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        file = self.provider.ca_file
        try:
            return ssl.create_default_context(cafile=None if file is None else str(file))
        except OSError as error:
            raise Unreachable from error


def _get(client: httpx.Client, address: str, ends: float) -> dict[str, Any]:
    """One JSON object, of a bounded size and in a bounded time."""
    body = bytearray()
    try:
        with client.stream("GET", address, headers={"Accept": "application/json"}) as answer:
            if answer.status_code != 200:
                raise Unreachable(f"HTTP {answer.status_code}")
            for part in answer.iter_bytes():
                body += part
                if len(body) > _MOST_BYTES or time.monotonic() > ends:
                    raise Unreachable("too long")
        document = json.loads(bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
        raise Unreachable from error
    if not isinstance(document, dict):
        raise Unreachable("not an object")
    return document


def _key(document: object) -> tuple[str | None, str, Key] | None:
    """A public key for signatures; None for everything else that a provider may publish."""
    if not isinstance(document, dict):
        return None
    kind, kid = document.get("kty"), document.get("kid")
    if kind not in _TYPES.values() or document.get("use") not in (None, "sig"):
        return None
    public = {
        k: v for k, v in document.items() if k not in ("d", "p", "q", "dp", "dq", "qi", "oth")
    }
    try:
        key = JWKRegistry.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return (kid if isinstance(kid, str) else None, str(kind), key)
