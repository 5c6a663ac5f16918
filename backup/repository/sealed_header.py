"""The first 64 bytes of a pack or an index: whose it is and which key opens it."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backup.repository.keys import Keyring, derive

HEADER_BYTES = 64
PACK_MAGIC = b"YUIPACK\x01"
INDEX_MAGIC = b"YUIINDX\x01"
_HEADER = struct.Struct(">8s6s2s8s32s8s")
_INFO = {PACK_MAGIC: "yui pack", INDEX_MAGIC: "yui index"}


@dataclass(frozen=True, slots=True)
class Header:
    salt: bytes
    aead: AESGCM


def new_header(magic: bytes, keyring: Keyring) -> tuple[bytes, Header]:
    """The header's bytes, with a salt and so a key that nothing else ever has."""
    salt = secrets.token_bytes(32)
    key = keyring.sealing
    packed = _HEADER.pack(
        magic, keyring.tenant.encode(), bytes(2), bytes.fromhex(key.id), salt, bytes(8)
    )
    return packed, Header(salt, AESGCM(derive(key.secret, _INFO[magic], salt=salt)))


def check_header(magic: bytes, data: bytes, tenant: str) -> None:
    """As far as it can be read without keys. Raises ValueError."""
    if len(data) < HEADER_BYTES:
        raise ValueError("too short")
    found, whose, gap, _, _, rest = _HEADER.unpack_from(data)
    if found != magic or whose != tenant.encode() or any(gap) or any(rest):
        raise ValueError("not this tenant's header")


def read_header(magic: bytes, data: bytes | memoryview, keyring: Keyring) -> Header:
    """Raises ValueError when it is another's, of another kind, or under an unknown key."""
    check_header(magic, bytes(data[:HEADER_BYTES]), keyring.tenant)
    _, _, _, key_id, salt, _ = _HEADER.unpack_from(data)
    key = keyring.seal_key(key_id.hex())
    if key is None:
        raise ValueError("sealed with an unknown key")
    return Header(salt, AESGCM(derive(key.secret, _INFO[magic], salt=salt)))
