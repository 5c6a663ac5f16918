"""Bearer tokens: how they are made, hashed and recognised.

A token is `yui_<id>_<secret>`. The store holds its id and an Argon2id hash; the secret exists only
at its holder's. Argon2 is slow by design, so a token that has proved right once is remembered for a
while under a digest keyed with this process's own key; its row is read each time all the same, so
that a revocation holds from the next request on.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from control_plane.model.units import Seconds

_TOKEN = re.compile(r"yui_([a-z2-7]{16})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True)
class HashCost:
    """What Argon2id takes to hash a token with one lane; each hash says what it took, and proving it
    takes the same."""

    passes: int
    memory_kib: int

    def hash(self, text: str) -> str:
        return PasswordHasher(self.passes, self.memory_kib, parallelism=1).hash(text)


FULL_COST = HashCost(passes=2, memory_kib=19 * 1024)
"""19 MiB, two passes: the floor that OWASP's Password Storage Cheat Sheet gives for Argon2id, which is
ample for a secret of 256 random bits."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """`text` is shown once; `hash` is what is kept."""

    id: str
    text: str
    hash: str


def new_token(cost: HashCost = FULL_COST) -> NewToken:
    """A token with 80 random bits of id and 256 of secret."""
    token_id = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    text = f"yui_{token_id}_{secrets.token_urlsafe(32)}"
    return NewToken(token_id, text, cost.hash(text))


def token_id_of(text: str) -> str | None:
    """The id within a token's text; None for what can't be a token."""
    match = _TOKEN.fullmatch(text)
    return None if match is None else match.group(1)


@dataclass(slots=True)
class TokenCheck:
    """Whether a token's text belongs to a stored hash. Safe to use from several threads.

    `monotonic` is a clock that only moves forward.
    """

    monotonic: Callable[[], Seconds]
    remember: Seconds = Seconds(300)
    most_remembered: int = 4096
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _proved: OrderedDict[bytes, Seconds] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remembers(self, text: str, stored_hash: str) -> bool:
        """Whether it has proved right lately. The look-up is by a digest whose key nobody outside
        knows, so its timing tells nothing."""
        digest = self._digest(text, stored_hash)
        with self._lock:
            until = self._proved.get(digest)
            if until is None:
                return False
            if self.monotonic() >= until:
                del self._proved[digest]
                return False
            return True

    def proves(self, text: str, stored_hash: str) -> bool:
        """Takes tens of milliseconds and 19 MiB for a hash of FULL_COST, unless it is remembered."""
        if self.remembers(text, stored_hash):
            return True
        try:
            PasswordHasher().verify(stored_hash, text)
        except (VerificationError, InvalidHashError):
            return False
        with self._lock:
            self._proved[self._digest(text, stored_hash)] = Seconds(
                self.monotonic() + self.remember
            )
            while len(self._proved) > self.most_remembered:
                self._proved.popitem(last=False)
        return True

    def _digest(self, text: str, stored_hash: str) -> bytes:
        return hmac.digest(self._key, f"{stored_hash}\n{text}".encode(), hashlib.sha256)
