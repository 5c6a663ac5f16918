"""What a member keeps in its own safe, so that it can read its backups without the operator: its
keyring, sealed to a passphrase or to a public key of its own. docs/repository-format.md tells the file.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backup.repository.canonical import (
    base64_bytes,
    base64_text,
    canonical_json,
    count,
    read_json,
    time_text,
)
from backup.repository.keys import KEY_BYTES, NONCE_BYTES, Keyring, derive, keyring_from_secret
from backup.repository.sizes import LARGEST_KEYRING
from control_plane.model.errors import YuiError

SHORTEST_PASSPHRASE = 12
_SCRYPT_N = 131072
_SCRYPT_R, _SCRYPT_P = 8, 1
# Beyond this a file would only make the reader spend memory: 128 * r * n bytes.
_LARGEST_N, _LARGEST_R, _LARGEST_P = 1 << 20, 16, 4


def seal_to_passphrase(keyring: Keyring, passphrase: str, now: datetime) -> bytes:
    """Takes 128 MiB of memory for a moment (scrypt, RFC 7914). Raises YuiError for a short one."""
    if len(_normal(passphrase)) < SHORTEST_PASSPHRASE:
        raise YuiError(
            "escrow-passphrase-short",
            en=f"A passphrase for escrow has at least {SHORTEST_PASSPHRASE} characters: choose a longer one.",
            ja=f"預託用のパスフレーズは{SHORTEST_PASSPHRASE}文字以上にしてください。",
        )
    salt = secrets.token_bytes(16)
    key = _stretched(passphrase, salt, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P)
    parameters = {"n": _SCRYPT_N, "r": _SCRYPT_R, "p": _SCRYPT_P, "salt": base64_text(salt)}
    return _sealed(keyring, now, key, {"how": "passphrase", "scrypt": parameters})


def seal_to_public_key(keyring: Keyring, recipient: X25519PublicKey, now: datetime) -> bytes:
    ephemeral = X25519PrivateKey.generate()
    ours, theirs = ephemeral.public_key().public_bytes_raw(), recipient.public_bytes_raw()
    key = derive(ephemeral.exchange(recipient), "yui escrow", salt=ours + theirs)
    return _sealed(
        keyring,
        now,
        key,
        {"how": "x25519", "ephemeral": base64_text(ours), "recipient": base64_text(theirs)},
    )


def open_escrow(data: bytes, secret: str | X25519PrivateKey) -> Keyring:
    """`secret` is the passphrase or the private key. Raises YuiError when it is not an escrow file or
    does not open."""
    try:
        value = read_json(data, most=LARGEST_KEYRING)
        if value.get("format") != "yui-escrow" or count(value.get("version")) != 1:
            raise ValueError("not an escrow file")
        tenant, generation = value["tenant"], value["generation"]
        if not isinstance(tenant, str) or type(generation) is not int:
            raise ValueError("not an escrow file")
        key = _key_of(value, secret)
        opened = AESGCM(key).decrypt(
            base64_bytes(value.get("nonce"), NONCE_BYTES),
            base64_bytes(value.get("sealed")),
            _bound_to(tenant, generation),
        )
        return keyring_from_secret(tenant, generation, opened)
    except (ValueError, KeyError):
        raise YuiError(
            "escrow-malformed",
            en="This is not a whole escrow file of a backup's keys: take another copy of it.",
            ja="これはバックアップ鍵の預託ファイルではないか、壊れています。別の写しを使ってください。",
        ) from None
    except InvalidTag:
        raise YuiError(
            "escrow-secret-wrong",
            en="The escrow file does not open with this passphrase or key: give the one it was sealed to.",
            ja="このパスフレーズまたは鍵では預託ファイルを開けません。封じたときのものを指定してください。",
        ) from None


def _sealed(keyring: Keyring, now: datetime, key: bytes, how: Mapping[str, object]) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(
        nonce, keyring.secret_json(), _bound_to(keyring.tenant, keyring.generation)
    )
    return canonical_json(
        {
            "format": "yui-escrow",
            "version": 1,
            "tenant": keyring.tenant,
            "generation": keyring.generation,
            "created": time_text(now),
            **how,
            "nonce": base64_text(nonce),
            "sealed": base64_text(sealed),
        }
    )


def _key_of(value: Mapping[str, object], secret: str | X25519PrivateKey) -> bytes:
    if isinstance(secret, str):
        scrypt = value.get("scrypt")
        if not isinstance(scrypt, Mapping):
            raise ValueError("not sealed to a passphrase")
        n, r, p = (scrypt.get(name) for name in ("n", "r", "p"))
        if (
            not isinstance(n, int)
            or not isinstance(r, int)
            or not isinstance(p, int)
            or not (2 <= n <= _LARGEST_N and 1 <= r <= _LARGEST_R and 1 <= p <= _LARGEST_P)
        ):
            raise ValueError("parameters out of bounds")
        return _stretched(secret, base64_bytes(scrypt.get("salt")), n, r, p)
    ephemeral = base64_bytes(value.get("ephemeral"), KEY_BYTES)
    recipient = secret.public_key().public_bytes_raw()
    if base64_bytes(value.get("recipient"), KEY_BYTES) != recipient:
        raise InvalidTag
    shared = secret.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    return derive(shared, "yui escrow", salt=ephemeral + recipient)


def _stretched(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        _normal(passphrase).encode(),
        salt=salt,
        n=n,
        r=r,
        p=p,
        dklen=KEY_BYTES,
        maxmem=128 * r * (n + p + 2) + (1 << 20),
    )


def _normal(passphrase: str) -> str:
    """Full-width and half-width letters of one word agree."""
    return unicodedata.normalize("NFKC", passphrase)


def _bound_to(tenant: str, generation: int) -> bytes:
    return f"yui-escrow 1\0{tenant}\0{generation}".encode()
