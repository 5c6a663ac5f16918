"""Sessions: tokens that a client gets for a token, for an hour, as the OpenStack API's clients expect.

A session is `yuis_<id>_<secret>`. It can do what its token can, and no longer than that: the token is
read anew for each request, so that revoking it ends its sessions too. The secret has 256 random bits,
which nobody finds by trying: a plain SHA-256 keeps it, and proving a session takes microseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from control_plane.http.principal import Principal
from control_plane.model.access import Session, Token
from control_plane.model.identity import User
from control_plane.store import Snapshot

_SESSION = re.compile(r"yuis_([a-z2-7]{16})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

LASTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session together with whose it is: the token or the user that it was begun with."""

    session: Session
    whose: Token | User

    def proves(self, text: str) -> bool:
        return hmac.compare_digest(self.session.hash, _digest(text))

    def principal(self, now: datetime) -> Principal | None:
        """None when it is over, or its token is."""
        if self.session.expires_at <= now:
            return None
        if isinstance(self.whose, User):
            if self.whose.disabled:
                return None
            user = Principal.of_user(self.whose, self.session.expires_at)
            return replace(user, scoped=self.session.scoped)
        if self.whose.expires_at is not None and self.whose.expires_at <= now:
            return None
        return replace(
            Principal.of(self.whose),
            expires_at=self.session.expires_at,
            scoped=self.session.scoped,
        )


def session_id_of(text: str) -> str | None:
    """The id within a session's text; None for what can't be one."""
    match = _SESSION.fullmatch(text)
    return None if match is None else match.group(1)


def new_session(
    who: Principal, now: datetime, *, methods: tuple[str, ...], scoped: bool
) -> tuple[Session, str]:
    """A session for whoever asks, with the text that is shown once. It ends with what they came with."""
    id = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    text = f"yuis_{id}_{secrets.token_urlsafe(32)}"
    ends = now + LASTS if who.expires_at is None else min(now + LASTS, who.expires_at)
    session = Session(
        id, _digest(text), who.token, who.is_user, now, ends, scoped=scoped, methods=methods
    )
    return session, text


def read_session(tx: Snapshot, id: str) -> OpenSession | None:
    """None for one that never was, was ended, or whose token or user is gone."""
    session = tx.session(id)
    if session is None:
        return None
    whose = tx.user_by_id(session.whose) if session.of_user else tx.token_by_id(session.whose)
    return None if whose is None else OpenSession(session, whose)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
