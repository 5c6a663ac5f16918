"""Public keys as OpenSSH writes them: read, judged, and made together with their private halves."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)

from control_plane.model.errors import YuiError

LEAST_RSA_BITS = 2048
"""NIST SP 800-131A Rev. 2 §3: shorter ones are disallowed."""

_KINDS = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
    }
)
_OTHER_KIND = re.compile(r"(?:ssh|ecdsa|sk)-[a-z0-9.@-]+")
_COMMENT = "made-by-yui"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One line, and its fingerprint as KeyPair has it."""

    line: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """`private` is in OpenSSH's format, without a passphrase."""

    public: PublicKey
    private: str


def read_public_key(text: str) -> PublicKey:
    """Of Ed25519, of one of NIST's curves, or RSA of 2048 bits at least; a comment may follow. Raises
    `public-key-unreadable`, `public-key-unsupported`, `public-key-too-short`."""
    if text.lstrip().startswith("-----BEGIN CERTIFICATE"):
        raise _unsupported(
            "An X.509 certificate is no key for SSH", "X.509 証明書は SSH の鍵として使えません"
        )
    lines = [line.strip() for line in text.strip().splitlines()]
    words = lines[0].split(maxsplit=2) if len(lines) == 1 else []
    if len(words) < 2:
        raise _UNREADABLE
    line = " ".join(words)
    if not line.replace("\u3000", "").isprintable():
        raise _UNREADABLE
    if _OTHER_KIND.fullmatch(words[0]) and words[0] not in _KINDS:
        raise _KIND_UNSUPPORTED
    try:
        blob = base64.b64decode(words[1], validate=True)
        key = load_ssh_public_key(line.encode())
    except UnsupportedAlgorithm:
        raise _KIND_UNSUPPORTED from None
    except (ValueError, binascii.Error):
        raise _UNREADABLE from None
    match key:
        case Ed25519PublicKey() | EllipticCurvePublicKey():
            pass
        case RSAPublicKey(key_size=bits):
            if bits < LEAST_RSA_BITS:
                raise YuiError(
                    "public-key-too-short",
                    en=f"This RSA key has {bits} bits, and {LEAST_RSA_BITS} are needed at least: make another, such as with `ssh-keygen -t ed25519`.",
                    ja=f"この RSA 鍵は {bits} ビットですが、{LEAST_RSA_BITS} ビット以上が必要です。`ssh-keygen -t ed25519` などで作り直してください。",
                    fields={"bits": bits, "least": LEAST_RSA_BITS},
                )
        case _:
            raise _KIND_UNSUPPORTED
    return PublicKey(line, fingerprint_of(blob))


def make_key() -> NewKey:
    """An Ed25519 key that nobody has seen."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return NewKey(read_public_key(f"{public} {_COMMENT}"), private)


def fingerprint_of(blob: bytes) -> str:
    """As clients of OpenStack and EC2 show it; it names the key and proves nothing."""
    figures = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(figures[at : at + 2] for at in range(0, len(figures), 2))


_UNREADABLE = YuiError(
    "public-key-unreadable",
    en="This is no public key as OpenSSH writes it: send the one line of a file such as id_ed25519.pub.",
    ja="OpenSSH 形式の公開鍵として読み取れません。id_ed25519.pub などのファイルの内容(1行)を指定してください。",
)


def _unsupported(en: str, ja: str) -> YuiError:
    return YuiError(
        "public-key-unsupported",
        en=f"{en}: send an Ed25519, ECDSA or RSA key in OpenSSH's format.",
        ja=f"{ja}。Ed25519・ECDSA・RSA の公開鍵を OpenSSH 形式で指定してください。",
    )


_KIND_UNSUPPORTED = _unsupported("Keys of this kind are not taken", "この種類の鍵は使えません")
