"""Recovery points: the manifest that makes a backup exist, because it is written last of all.

It tells where each disk's tree begins, and is bound twice: its name holds the hash of its bytes, which
anybody can check, and its mac shows that a holder of the tenant's keys wrote it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backup.repository.canonical import (
    base64_bytes,
    base64_text,
    canonical_json,
    count,
    read_canonical,
    read_time,
    time_text,
)
from backup.repository.errors import (
    Damaged,
    altered,
    formless,
    malformed,
    no_disk,
    point_too_large,
    unsealed_wrongly,
)
from backup.repository.ids import object_id, read_id
from backup.repository.keys import NONCE_BYTES, Keyring, derive
from backup.repository.segment import PLAIN_LIMIT
from backup.repository.sizes import LARGEST_MANIFEST

Consistency = Literal["quiesced", "stopped", "crash"]
How = Literal["full", "changed"]

_POINT_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_NAME = re.compile(rf"({_POINT_ID.pattern})\.([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class PointDisk:
    """`root` is the tree's root id. `why`: why not only what changed was read. `changed_bytes`: of
    chunks that differ from the point that this one was based on."""

    name: str
    size: int
    chunk_bytes: int
    root: bytes
    how: How
    why: str | None
    read_bytes: int
    changed_bytes: int


@dataclass(frozen=True, slots=True)
class RecoveryPoint:
    """`set` is shared by the points of one system that were taken at one time. `stored_bytes` are those
    of `packs`, which were written for this point; its trees may lead into older ones too."""

    id: str
    tenant: str
    system: str
    server: str
    taken_at: datetime
    finished_at: datetime
    consistency: Consistency
    set: str | None
    disks: tuple[PointDisk, ...]
    stored_bytes: int
    packs: tuple[bytes, ...]
    sealed: bytes
    seal_key: str
    key: str = ""
    """The manifest's object, once it is known."""

    def disk(self, name: str) -> PointDisk:
        """Raises YuiError("recovery-point-disk-not-found")."""
        for disk in self.disks:
            if disk.name == name:
                return disk
        raise no_disk(self.id, name)


@dataclass(frozen=True, slots=True)
class PointFacts:
    """What a listing tells, without reading the manifest. `hash` is that of its bytes; `modified` by the
    store's clock."""

    id: str
    server: str
    taken_at: datetime
    key: str
    hash: bytes
    size: int
    modified: datetime


def points_prefix(tenant: str, server: str | None = None) -> str:
    return f"tenants/{tenant}/points/" + (f"{server}/" if server is not None else "")


def new_point_id(taken_at: datetime) -> str:
    return f"{taken_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def is_point_id(text: str) -> bool:
    return _POINT_ID.fullmatch(text) is not None


def facts_of(key: str, size: int, modified: datetime) -> PointFacts | None:
    """None: no manifest's key."""
    server, _, name = key.partition("/points/")[2].partition("/")
    found = _NAME.fullmatch(name)
    if not server or found is None:
        return None
    id, hash = found.groups()
    try:
        taken_at = datetime.strptime(id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return PointFacts(id, server, taken_at, key, bytes.fromhex(hash), size, modified)


def seal_details(details: Mapping[str, object], point: str, keyring: Keyring) -> bytes:
    """The server's description, which only holders of the keys can read."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealer = _details_sealer(keyring.sealing.secret, point)
    return nonce + sealer.encrypt(nonce, canonical_json(details), point.encode())


def open_details(point: RecoveryPoint, keyring: Keyring) -> dict[str, object]:
    """Raises Damaged."""
    key = keyring.seal_key(point.seal_key)
    if key is None:
        raise unsealed_wrongly(point.key, "the server's description").needed_by(point.id)
    sealer = _details_sealer(key.secret, point.id)
    try:
        return read_canonical(
            sealer.decrypt(
                point.sealed[:NONCE_BYTES], point.sealed[NONCE_BYTES:], point.id.encode()
            ),
            most=LARGEST_MANIFEST,
            fractions=True,
        )
    except (InvalidTag, ValueError):
        raise unsealed_wrongly(point.key, "the server's description").needed_by(point.id) from None


def manifest(point: RecoveryPoint, keyring: Keyring) -> tuple[str, bytes]:
    """(key, bytes) of the point's object."""
    value: dict[str, object] = {
        "format": "yui-point",
        "version": 1,
        "id": point.id,
        "tenant": point.tenant,
        "system": point.system,
        "server": point.server,
        "taken_at": time_text(point.taken_at),
        "finished_at": time_text(point.finished_at),
        "consistency": point.consistency,
        "set": point.set,
        "disks": [
            {
                "name": disk.name,
                "bytes": disk.size,
                "chunk_bytes": disk.chunk_bytes,
                "root": disk.root.hex(),
                "how": disk.how,
                "why": disk.why,
                "read_bytes": disk.read_bytes,
                "changed_bytes": disk.changed_bytes,
            }
            for disk in point.disks
        ],
        "stored_bytes": point.stored_bytes,
        "packs": [pack.hex() for pack in point.packs],
        "sealed": base64_text(point.sealed),
        "seal_key": point.seal_key,
    }
    value["mac"] = _mac(value, keyring)
    data = canonical_json(value)
    name = f"{point.id}.{object_id(data).hex()}"
    if len(data) > LARGEST_MANIFEST:
        raise point_too_large(point.id)
    return points_prefix(point.tenant, point.server) + name, data


def read_manifest(key: str, data: bytes, keyring: Keyring) -> RecoveryPoint:
    """Raises Damaged when it is not, byte for byte, what a holder of the keys wrote under that key; Stray,
    when nobody who keeps to the format did."""
    facts = facts_of(key, len(data), datetime.min.replace(tzinfo=UTC))
    points = () if facts is None else (facts.id,)
    if facts is None or object_id(data) != facts.hash:
        raise _needed(altered(key), points)
    try:
        value = _form(data)
    except ValueError:
        raise formless(key, "a manifest") from None
    try:
        mac = value.pop("mac", None)
        if not isinstance(mac, str) or mac != _mac(value, keyring):
            raise _needed(
                Damaged(
                    key,
                    "no holder of the tenant's keys wrote it so",
                    ja="団体の鍵を持つ者が書いたものではありません",
                ),
                points,
            )
        point = _point(value, key)
        if (point.tenant, point.server, point.id) != (keyring.tenant, facts.server, facts.id):
            raise ValueError("under another's name")
    except (ValueError, KeyError, TypeError):
        raise _needed(malformed(key, "the manifest"), points) from None
    return point


def packs_told(key: str, data: bytes) -> list[bytes]:
    """The packs that were written for the point, as its manifest tells whoever has no keys. Raises Damaged
    where it does not agree with its name, Stray where it is no manifest."""
    facts = facts_of(key, len(data), datetime.min.replace(tzinfo=UTC))
    if facts is None or object_id(data) != facts.hash:
        raise altered(key) if facts is None else altered(key).needed_by(facts.id)
    try:
        value = _form(data)
    except ValueError:
        raise formless(key, "a manifest") from None
    try:
        packs = value.get("packs")
        if not isinstance(packs, list):
            raise ValueError("not a list")
        return [read_id(each) for each in packs]
    except ValueError:
        raise malformed(key, "the manifest").needed_by(facts.id) from None


def _form(data: bytes) -> dict[str, object]:
    """What is a manifest by its form, whatever it says and whoever wrote it. Raises ValueError."""
    # A long one names packs, and little else: no other takes many times its length when it is read.
    if sum(map(data.count, (b",", b"[", b"{"))) > 4096 + len(data) // 48:
        raise ValueError("too many values")
    value = read_canonical(data, most=LARGEST_MANIFEST)
    if value.get("format") != "yui-point" or type(value.get("version")) is not int:
        raise ValueError("another format")
    return value


def _point(value: dict[str, object], key: str) -> RecoveryPoint:
    if value["format"] != "yui-point" or value["version"] != 1:
        raise ValueError("another format")
    disks, packs, consistency, set = (
        value["disks"],
        value["packs"],
        value["consistency"],
        value["set"],
    )
    if not isinstance(disks, list) or not isinstance(packs, list):
        raise ValueError("not lists")
    if consistency not in ("quiesced", "stopped", "crash") or not isinstance(set, str | None):
        raise ValueError("an unknown consistency")
    return RecoveryPoint(
        id=_text(value["id"]),
        tenant=_text(value["tenant"]),
        system=_text(value["system"]),
        server=_text(value["server"]),
        taken_at=read_time(value["taken_at"]),
        finished_at=read_time(value["finished_at"]),
        consistency=consistency,
        set=set,
        disks=tuple(_disk(each) for each in disks),
        stored_bytes=count(value["stored_bytes"]),
        packs=tuple(read_id(each) for each in packs),
        sealed=base64_bytes(value["sealed"]),
        seal_key=_text(value["seal_key"]),
        key=key,
    )


def _disk(value: object) -> PointDisk:
    if not isinstance(value, dict):
        raise ValueError("not a disk")
    how, why, chunk_bytes = value["how"], value["why"], count(value["chunk_bytes"])
    if (
        how not in ("full", "changed")
        or not isinstance(why, str | None)
        or not 0 < chunk_bytes <= PLAIN_LIMIT
    ):
        raise ValueError("not a disk")
    return PointDisk(
        name=_text(value["name"]),
        size=count(value["bytes"]),
        chunk_bytes=chunk_bytes,
        root=read_id(value["root"]),
        how=how,
        why=why,
        read_bytes=count(value["read_bytes"]),
        changed_bytes=count(value["changed_bytes"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def _mac(value: Mapping[str, object], keyring: Keyring) -> str:
    return blake3(canonical_json(value), key=keyring.point_key).hexdigest()


def _details_sealer(secret: bytes, point: str) -> AESGCM:
    return AESGCM(derive(secret, "yui point details", salt=point.encode()))


def _needed(error: Damaged, points: tuple[str, ...]) -> Damaged:
    return error.needed_by(points[0]) if points else error
