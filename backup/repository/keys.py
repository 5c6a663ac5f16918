"""Who may read what: the operator's repository key opens each tenant's keyring, and from a keyring
come all keys of that tenant's chunks, packs and recovery points.

A keyring is never changed: rotation puts the next generation beside it, and the highest counts.
Destroying the keyring makes all that the tenant has in this repository unreadable.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backup.repository.canonical import (
    base64_bytes,
    base64_text,
    canonical_json,
    count,
    read_canonical,
    read_time,
    time_text,
)
from backup.repository.errors import malformed, malformed_key, unsealed_wrongly, wrong_key
from backup.repository.sizes import LARGEST_KEYRING

KEY_BYTES = 32
_KEY_ID = re.compile(r"[0-9a-f]{16}")
NONCE_BYTES = 12
_NONCE = re.compile(rb'"nonce":"([A-Za-z0-9+/=]+)"')
_WRAPPED = re.compile(rb'"wrapped":"([A-Za-z0-9+/=]+)"')
_GENERATION = re.compile(r"[0-9]{8}\.json")
_CREATED = re.compile(rb'"created":"([0-9T:.Z-]+)"')


def derive(secret: bytes, info: str, *, salt: bytes = b"", length: int = KEY_BYTES) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    return HKDF(
        algorithm=hashes.SHA256(), length=length, salt=salt or None, info=info.encode()
    ).derive(secret)


@dataclass(frozen=True)
class RepositoryKey:
    """32 bytes that the operator keeps outside the repository. `former`: the one before it, which opens what
    is not wrapped anew yet, and wraps nothing."""

    secret: bytes = field(repr=False)
    former: RepositoryKey | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise malformed_key()

    @staticmethod
    def generate() -> RepositoryKey:
        return RepositoryKey(secrets.token_bytes(KEY_BYTES))

    @staticmethod
    def parse(text: str) -> RepositoryKey:
        """From 64 hexadecimal digits or base64, as a secret ref holds it. Raises YuiError."""
        text = text.strip()
        try:
            return RepositoryKey(bytes.fromhex(text) if len(text) == 64 else base64_bytes(text))
        except ValueError:
            raise malformed_key() from None

    @cached_property
    def id(self) -> str:
        return derive(self.secret, "yui repository key id", length=8).hex()

    def opener(self, wrapped_by: str) -> RepositoryKey:
        """The one of that id; itself where neither is."""
        return self.former if self.former and self.former.id == wrapped_by else self


@dataclass(frozen=True, slots=True)
class SealKey:
    id: str
    secret: bytes = field(repr=False)
    since: datetime


@dataclass(frozen=True)
class Keyring:
    """All keys of one tenant. The last seal key seals what is new; ids never change, so that what is
    stored already is found again after a rotation."""

    tenant: str
    generation: int
    id_key: bytes = field(repr=False)
    seal_keys: tuple[SealKey, ...]

    @staticmethod
    def generate(tenant: str, now: datetime) -> Keyring:
        return Keyring(tenant, 1, secrets.token_bytes(KEY_BYTES), (_new_seal_key(now),))

    def rotated(self, now: datetime) -> Keyring:
        return replace(
            self,
            generation=self.generation + 1,
            seal_keys=(*self.seal_keys, _new_seal_key(now)),
        )

    def next_generation(self) -> Keyring:
        """The same keys, to be wrapped anew."""
        return replace(self, generation=self.generation + 1)

    @property
    def sealing(self) -> SealKey:
        return self.seal_keys[-1]

    def seal_key(self, id: str) -> SealKey | None:
        return next((key for key in self.seal_keys if key.id == id), None)

    @cached_property
    def chunk_key(self) -> bytes:
        return derive(self.id_key, "yui chunk id")

    @cached_property
    def node_key(self) -> bytes:
        return derive(self.id_key, "yui node id")

    @cached_property
    def point_key(self) -> bytes:
        return derive(self.id_key, "yui point")

    @cached_property
    def cache_key(self) -> bytes:
        """Guards the index's cache on this machine; nothing in the repository knows it."""
        return derive(self.id_key, "yui index cache")

    def secret_json(self) -> bytes:
        """What a keyring object or an escrow file seals."""
        return canonical_json(
            {
                "id_key": base64_text(self.id_key),
                "seal_keys": [
                    {"id": key.id, "key": base64_text(key.secret), "since": time_text(key.since)}
                    for key in self.seal_keys
                ],
            }
        )


def keyring_from_secret(tenant: str, generation: int, secret: bytes) -> Keyring:
    """Raises ValueError."""
    value = read_canonical(secret, most=LARGEST_KEYRING)
    listed = value.get("seal_keys")
    if not isinstance(listed, list) or not listed:
        raise ValueError("no seal keys")
    return Keyring(
        tenant,
        generation,
        base64_bytes(value.get("id_key"), KEY_BYTES),
        tuple(_seal_key(entry) for entry in listed),
    )


def _seal_key(entry: object) -> SealKey:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str):
        raise ValueError("not a seal key")
    if not _KEY_ID.fullmatch(entry["id"]):
        raise ValueError("not a seal key's id")
    return SealKey(
        entry["id"], base64_bytes(entry.get("key"), KEY_BYTES), read_time(entry.get("since"))
    )


def _new_seal_key(now: datetime) -> SealKey:
    return SealKey(secrets.token_hex(8), secrets.token_bytes(KEY_BYTES), now)


def keyrings_prefix(tenant: str) -> str:
    return f"tenants/{tenant}/keyring/"


def keyring_object(tenant: str, generation: int) -> str:
    return f"{keyrings_prefix(tenant)}{generation:08d}.json"


def generation_of(key: str) -> int | None:
    """None: no keyring's object."""
    name = key.rpartition("/")[2]
    return int(name[:8]) or None if _GENERATION.fullmatch(name) else None


def wrap(keyring: Keyring, key: RepositoryKey) -> bytes:
    """The keyring as its object in a repository. `created` is when its newest seal key was made, so
    that a reader can compare even this member with what is sealed."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key.secret).encrypt(
        nonce, keyring.secret_json(), _bound_to(keyring.tenant, keyring.generation)
    )
    return canonical_json(
        {
            "format": "yui-keyring",
            "version": 1,
            "tenant": keyring.tenant,
            "generation": keyring.generation,
            "created": time_text(keyring.sealing.since),
            "wrapped_by": key.id,
            "nonce": base64_text(nonce),
            "wrapped": base64_text(sealed),
        }
    )


def unwrap(data: bytes, key: RepositoryKey, *, tenant: str, generation: int, store: str) -> Keyring:
    """`store` is named in the errors. Raises YuiError("backup-wrong-key"), Damaged."""
    where = keyring_object(tenant, generation)
    try:
        value = read_canonical(data, most=LARGEST_KEYRING)
        wrapped_by = value.get("wrapped_by")
        nonce = base64_bytes(value.get("nonce"), NONCE_BYTES)
        wrapped = base64_bytes(value.get("wrapped"))
        if (
            value.get("format") != "yui-keyring"
            or count(value.get("version")) != 1
            or value.get("tenant") != tenant
            or count(value.get("generation")) != generation
            or not isinstance(wrapped_by, str)
            or not _KEY_ID.fullmatch(wrapped_by)
        ):
            raise ValueError("not this keyring")
    except ValueError:
        raise malformed(where, "the keyring") from None
    key = key.opener(wrapped_by)
    try:
        secret = AESGCM(key.secret).decrypt(nonce, wrapped, _bound_to(tenant, generation))
    except InvalidTag:
        if wrapped_by != key.id:
            raise wrong_key(store, tenant, wrapped_by, key.id) from None
        raise unsealed_wrongly(where, "the wrapped secret") from None
    try:
        keyring = keyring_from_secret(tenant, generation, secret)
        if wrapped_by != key.id or value.get("created") != time_text(keyring.sealing.since):
            raise ValueError("told otherwise")
    except ValueError:
        raise malformed(where, "the keyring") from None
    return keyring


def salvaged(data: bytes, key: RepositoryKey, *, tenant: str, generation: int) -> Keyring | None:
    """What a damaged keyring object still holds, where the sealed part of it is whole: that it opens proves
    each of its bytes. None where it is not."""
    nonce, wrapped = _NONCE.search(data), _WRAPPED.search(data)
    if nonce is None or wrapped is None:
        return None
    try:
        sealed = base64_bytes(nonce[1].decode(), NONCE_BYTES), base64_bytes(wrapped[1].decode())
    except ValueError:
        return None
    for each in (key, key.former):
        with suppress(InvalidTag, ValueError):
            if each is not None:
                secret = AESGCM(each.secret).decrypt(*sealed, _bound_to(tenant, generation))
                return keyring_from_secret(tenant, generation, secret)
    return None


def told_created(data: bytes) -> datetime | None:
    """When the newest seal key of a damaged keyring object was made, as far as it still tells."""
    found = _CREATED.search(data)
    try:
        return None if found is None else read_time(found[1].decode())
    except ValueError:
        return None


def _bound_to(tenant: str, generation: int) -> bytes:
    return f"yui-keyring 1\0{tenant}\0{generation}".encode()
