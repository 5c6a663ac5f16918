"""The private key that signs the audit trail's heads: a file of its owner's, beside the state and never
in it, so that whoever can write the state can't sign what they wrote.
"""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from control_plane.journal.audit_check import KEY_INTRODUCED
from control_plane.model.access import AuditEntry
from control_plane.model.audit_chain import AuditKey, key_statement, time_text
from control_plane.model.errors import YuiError
from control_plane.store import LostRace, Store, Transaction

CONTROL_PLANE = "yui"
"""The principal of what the control plane does by itself."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`public` is the key's name: its 32 bytes in 64 hexadecimal figures."""

    public: str
    _private: Ed25519PrivateKey = field(repr=False)

    @staticmethod
    def of(private: Ed25519PrivateKey) -> SigningKey:
        return SigningKey(private.public_key().public_bytes_raw().hex(), private)

    def sign(self, statement: bytes) -> str:
        return self._private.sign(statement).hex()


def signing_key(
    store: Store,
    path: Path,
    at: datetime,
    *,
    previous: Path | None = None,
    lost: str | None = None,
) -> SigningKey:
    """The key in `path`, known to the state. A state without keys gets it, or one that is made; a
    state with keys takes another only when the one in `previous`, which it knows, vouches for it. Where
    a person says in `lost` how all earlier keys were lost, the new key vouches for itself, and whoever
    checks the trail has to be told to trust it.

    Raises `audit-key-missing`, `audit-key-unknown`, `audit-key-unusable`."""
    while True:
        with store.read() as tx:
            known = [key.public for key in tx.audit_keys()]
        if known and not path.exists() and lost is None and previous is None:
            raise _missing(path, known)
        key = load_key(path) if path.exists() else _make(path)
        if key.public in known:
            return key
        voucher = key if not known or lost is not None else None
        if voucher is None and previous is not None:
            voucher = load_key(previous)
            if voucher.public not in known:
                raise _unknown(previous, voucher.public, known)
        if voucher is None:
            raise _unknown(path, key.public, known)
        try:
            with store.write() as tx:
                if len(tx.audit_keys()) == len(known):
                    _introduce(tx, key, voucher, at, lost if known else None)
        except LostRace:
            # Another control plane has introduced a key at the same time.
            continue


def load_key(path: Path) -> SigningKey:
    """Raises `audit-key-unusable`."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            private = load_pem_private_key(file.read(10_000), password=None)
    except OSError as error:
        raise _unusable(path, error.strerror or "?", error.strerror or "?") from None
    except (ValueError, TypeError):
        raise _unusable(path, "it holds no private key", "秘密鍵がありません") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise _unusable(path, "it is no Ed25519 key", "Ed25519 の鍵ではありません")
    if mode & 0o077:
        raise _unusable(
            path,
            f"other users may read it (mode {mode:04o}); run chmod 600 and consider a new key",
            f"他の利用者も読めます(モード {mode:04o})。chmod 600 を実行し、鍵の交換を検討してください",
        )
    return SigningKey.of(private)


def _make(path: Path) -> SigningKey:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # It appears under its name once all of it is there, so that nobody reads half a key.
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            os.link(unfinished, path)
        finally:
            unfinished.unlink()
    except FileExistsError:
        return load_key(path)
    except OSError as error:
        raise _unusable(path, error.strerror or "?", error.strerror or "?") from None
    return SigningKey.of(private)


def _introduce(
    tx: Transaction, key: SigningKey, voucher: SigningKey, at: datetime, lost: str | None
) -> None:
    statement = key_statement(key.public, time_text(at), voucher.public)
    record = AuditKey(
        public=key.public,
        at=time_text(at),
        vouched_by=voucher.public,
        signature=voucher.sign(statement),
        own_signature=key.sign(statement),
    )
    tx.add_audit_key(record)
    tx.add_audit(
        AuditEntry(
            at=at,
            principal=CONTROL_PLANE,
            role=None,
            tenant=None,
            action=KEY_INTRODUCED,
            subject=f"key:{key.public[:16]}",
            outcome="done",
            fields={
                "public": record.public,
                "vouched_by": record.vouched_by,
                "signature": record.signature,
                "own_signature": record.own_signature,
                **({} if lost is None else {"lost": lost}),
            },
        )
    )


def _missing(path: Path, known: list[str]) -> YuiError:
    newest = known[-1][:16]
    return YuiError(
        "audit-key-missing",
        en=f"{path} is missing, while heads of the audit trail are signed by the key {newest}…: put that key back; no other is made, and nothing is signed meanwhile.",
        ja=f"監査記録の署名鍵 {path} がありません(使用中の鍵: {newest}…)。元の鍵を戻してください。新しい鍵は自動では作らず、それまで署名しません。",
        status=503,
    )


def _unknown(path: Path, public: str, known: list[str]) -> YuiError:
    return YuiError(
        "audit-key-unknown",
        en=f"The audit trail does not know the key {public[:16]}… in {path}: put back the key {known[-1][:16]}…, or name its file with --previous-audit-key, so that it vouches for the new one.",
        ja=f"{path} の鍵 {public[:16]}… は監査記録に登録されていません。鍵 {known[-1][:16]}… を戻すか、そのファイルを --previous-audit-key で指定して新しい鍵を保証させてください。",
        status=503,
    )


def _unusable(path: Path, en: str, ja: str) -> YuiError:
    return YuiError(
        "audit-key-unusable",
        en=f"{path} can't be used as the audit trail's key: {en}.",
        ja=f"{path} を監査記録の署名鍵として使えません。{ja}。",
        status=503,
    )
