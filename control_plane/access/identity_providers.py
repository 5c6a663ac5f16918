"""Judges the tokens (JWT, RFC 7519) of the identity providers that the operators trust.

The token's own word on who issued it chooses among those providers and nothing else: no address that
stands in a token is ever asked. Which algorithms count is ours to say, and they are all signatures by
a key pair, so a public key can't pass for a shared secret.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from control_plane.access.provider_keys import ProviderKeys
from control_plane.access.provider_settings import Provider
from control_plane.http.recognition import KeysWanted
from control_plane.model.identity import Claimed
from control_plane.model.units import Seconds

LEEWAY = timedelta(seconds=60)
"""How far the provider's clock and ours may be apart."""

_LONGEST = 16_384
_LONGEST_CLAIM = 255
"""Of a subject: OpenID Connect Core 1.0, section 2."""


@dataclass(slots=True)
class IdentityProviders:
    """Safe to use from several threads."""

    providers: tuple[Provider, ...]
    now: Callable[[], datetime]
    keys: Mapping[str, ProviderKeys] = field(default_factory=dict)

    @staticmethod
    def of(
        providers: Sequence[Provider],
        now: Callable[[], datetime],
        monotonic: Callable[[], Seconds],
    ) -> IdentityProviders:
        keys = {provider.issuer: ProviderKeys(provider, monotonic) for provider in providers}
        return IdentityProviders(tuple(providers), now, keys)

    def read(self, text: str, *, asking: bool) -> Claimed | None:
        """Who the bearer is; None where the token proves nothing. Raises KeysWanted where the keys at
        hand do not do, unless it is `asking`; and `provider-unreachable` (503)."""
        if len(text) > _LONGEST or text.count(".") != 2:
            return None
        header, claims = (_object(part) for part in text.split(".")[:2])
        provider = self._provider(claims)
        if header is None or provider is None:
            return None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in provider.algorithms or not isinstance(kid, str | None):
            return None
        keys = self.keys[provider.issuer]
        if keys.wants_asking(kid, algorithm):
            if not asking:
                raise KeysWanted
            keys.ask(kid, algorithm)
        key = keys.known(kid, algorithm)
        if key is None:
            keys.refuse_without_keys()
            return None
        try:
            proved = jwt.decode(text, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError):
            return None
        return self._claimed(provider, proved)

    def _provider(self, claims: Mapping[str, Any] | None) -> Provider | None:
        issuer = None if claims is None else claims.get("iss")
        return next((each for each in self.providers if each.issuer == issuer), None)

    def _claimed(self, provider: Provider, claims: Mapping[str, Any]) -> Claimed | None:
        """What the claims say, where they are meant for us and hold now."""
        now = self.now()
        audience = claims.get("aud")
        readers = audience if isinstance(audience, list) else [audience]
        expires_at = _time(claims.get("exp"))
        if (
            claims.get("iss") != provider.issuer
            or provider.audience not in readers
            or expires_at is None
            or now >= expires_at + LEEWAY
        ):
            return None
        for name in ("nbf", "iat"):
            begins = _time(claims.get(name))
            if (begins is None and name in claims) or (
                begins is not None and begins > now + LEEWAY
            ):
                return None
        subject = _line(claims.get(provider.claims.subject))
        if subject is None:
            return None
        email = _line(claims.get(provider.claims.email))
        verified = claims.get("email_verified") is True
        return Claimed(
            provider.issuer,
            subject,
            _line(claims.get(provider.claims.name)),
            email if verified else None,
            provider.bind_by_email,
            expires_at,
        )


def _object(part: str) -> dict[str, Any] | None:
    """A part of a token before its signature was checked: good for choosing a key, no more."""
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _time(seconds: object) -> datetime | None:
    """A NumericDate (RFC 7519, section 2)."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not math.isfinite(seconds) or not 0 <= seconds < 2**33:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _line(text: object) -> str | None:
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_CLAIM or not text.isprintable():
        return None
    return text
