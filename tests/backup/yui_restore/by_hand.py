"""Backups written from docs/repository-format.md by the shortest way, with no part of Yui.

Two servers of one system, whose disks share what is equal; a disk of more than one level; chunks in
packs of their own; everything at once in memory.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import struct
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TENANT = "434311"
CHUNK = 4096
ZERO = bytes(32)


def derived(secret: bytes, info: str, salt: bytes = b"", length: int = 32) -> bytes:
    return HKDF(SHA256(), length, salt, info.encode()).derive(secret)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64(data: bytes) -> str:
    return b64encode(data).decode()


@dataclass
class ByHand:
    """`place` gets what a repository holds of one tenant; `segment` items lie in a segment."""

    place: Path
    segment_items: int = 24
    id_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    seal_id: bytes = field(default_factory=lambda: secrets.token_bytes(8))
    seal_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    repository_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def __post_init__(self) -> None:
        self.tenant = self.place / "tenants" / TENANT
        self._stored: set[bytes] = set()
        self._write(
            self.place / "repository.json",
            canonical(
                {
                    "format": "yui-repository",
                    "version": 1,
                    "id": "0" * 32,
                    "created": "2026-04-01T00:00:00Z",
                }
            ),
        )
        nonce = secrets.token_bytes(12)
        aad = b"yui-keyring 1\0" + TENANT.encode() + b"\0" + b"1"
        ring = {
            "format": "yui-keyring",
            "version": 1,
            "tenant": TENANT,
            "generation": 1,
            "created": "2026-04-01T00:00:00Z",
            "wrapped_by": derived(self.repository_key, "yui repository key id", length=8).hex(),
            "nonce": b64(nonce),
            "wrapped": b64(AESGCM(self.repository_key).encrypt(nonce, self.secret, aad)),
        }
        self._write(self.tenant / "keyring" / "00000001.json", canonical(ring))

    @property
    def secret(self) -> bytes:
        seal = {
            "id": self.seal_id.hex(),
            "key": b64(self.seal_key),
            "since": "2026-04-01T00:00:00Z",
        }
        return canonical({"id_key": b64(self.id_key), "seal_keys": [seal]})

    def escrow(self, passphrase: str | None, public: bytes | None = None) -> bytes:
        nonce, salt = secrets.token_bytes(12), secrets.token_bytes(16)
        told: dict[str, object] = {
            "format": "yui-escrow",
            "version": 1,
            "tenant": TENANT,
            "generation": 1,
            "created": "2026-04-01T00:00:00Z",
        }
        if public is None:
            assert passphrase is not None
            key = hashlib.scrypt(passphrase.encode(), salt=salt, n=1024, r=8, p=1, dklen=32)
            scrypt = {"n": 1024, "r": 8, "p": 1, "salt": b64(salt)}
            told |= {"how": "passphrase", "scrypt": scrypt}
        else:
            mine = X25519PrivateKey.generate()
            ephemeral = mine.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            shared = mine.exchange(X25519PublicKey.from_public_bytes(public))
            key = derived(shared, "yui escrow", ephemeral + public)
            told |= {"how": "x25519", "ephemeral": b64(ephemeral), "recipient": b64(public)}
        aad = b"yui-escrow 1\0" + TENANT.encode() + b"\0" + b"1"
        told |= {"nonce": b64(nonce), "sealed": b64(AESGCM(key).encrypt(nonce, self.secret, aad))}
        return json.dumps(told, indent=1).encode()

    def point(
        self,
        server: str,
        when: str,
        disks: dict[str, bytes],
        together: str | None = None,
        servers: tuple[str, ...] = (),
    ) -> str:
        """A recovery point of what the disks hold; its id. `servers` are those of the set, if it is told."""
        chunks: dict[bytes, bytes] = {}
        nodes: dict[bytes, bytes] = {}
        told = [
            {
                "name": name,
                "bytes": len(data),
                "chunk_bytes": CHUNK,
                "root": self._tree(data, chunks, nodes).hex(),
                "how": "full",
                "why": None,
                "read_bytes": len(data),
                "changed_bytes": len(data),
            }
            for name, data in disks.items()
        ]
        packs = [
            self._pack(kind, {k: v for k, v in items.items() if k not in self._stored})
            for kind, items in ((1, chunks), (2, nodes))
        ]
        self._stored |= chunks.keys() | nodes.keys()
        point_id = f"{when}-{secrets.token_hex(4)}"
        nonce = secrets.token_bytes(12)
        told_servers = {"servers": list(servers)} if servers else {}
        details = canonical({"name": server, "名前": "住民記録", **told_servers})
        key = derived(self.seal_key, "yui point details", point_id.encode())
        point: dict[str, object] = {
            "format": "yui-point",
            "version": 1,
            "id": point_id,
            "tenant": TENANT,
            "system": "resident-records",
            "server": server,
            "taken_at": f"{when[:4]}-{when[4:6]}-{when[6:8]}T{when[9:11]}:{when[11:13]}:{when[13:15]}Z",
            "finished_at": "2026-12-31T00:00:00Z",
            "consistency": "quiesced",
            "set": together,
            "disks": told,
            "stored_bytes": 0,
            "packs": packs,
            "seal_key": self.seal_id.hex(),
            "sealed": b64(nonce + AESGCM(key).encrypt(nonce, details, point_id.encode())),
        }
        self.put(server, point_id, canonical(point | {"mac": self.mac(point)}))
        return point_id

    def mac(self, point: dict[str, object]) -> str:
        told = {name: value for name, value in point.items() if name != "mac"}
        return blake3(canonical(told), key=derived(self.id_key, "yui point")).hexdigest()

    def put(self, server: str, point_id: str, manifest: bytes) -> Path:
        """Under the name that its content gives it, whatever that is."""
        name = f"{point_id}.{blake3(manifest).hexdigest()}"
        self._write(self.tenant / "points" / server / name, manifest)
        return self.tenant / "points" / server / name

    def _tree(self, data: bytes, chunks: dict[bytes, bytes], nodes: dict[bytes, bytes]) -> bytes:
        chunk_key, node_key = (
            derived(self.id_key, "yui chunk id"),
            derived(self.id_key, "yui node id"),
        )
        level_ids = []
        for start in range(0, len(data), CHUNK):
            chunk = data[start : start + CHUNK]
            chunk_id = blake3(chunk, key=chunk_key).digest() if any(chunk) else ZERO
            if chunk_id != ZERO:
                chunks[chunk_id] = chunk
            level_ids.append(chunk_id)
        level = 0
        while level == 0 or len(level_ids) > 1:
            level += 1
            above = []
            for start in range(0, len(level_ids), 256):
                node = b"".join(level_ids[start : start + 256])
                node_id = (
                    blake3(bytes([level]) + node, key=node_key).digest() if any(node) else ZERO
                )
                if node_id != ZERO:
                    nodes[node_id] = node
                above.append(node_id)
            level_ids = above
        return level_ids[0] if level_ids else ZERO

    def _pack(self, kind: int, items: dict[bytes, bytes]) -> str:
        salt = secrets.token_bytes(32)
        key = derived(self.seal_key, "yui pack", salt)
        out = b"YUIPACK\x01" + TENANT.encode() + bytes(2) + self.seal_id + salt + bytes(8)
        listed = list(items.items())
        groups = [
            listed[i : i + self.segment_items] for i in range(0, len(listed), self.segment_items)
        ]
        footer = struct.pack(">I", len(groups))
        for number, group in enumerate(groups):
            plain = b"".join(data for _, data in group)
            packed = zstandard.compress(plain)
            compression = 1 if len(packed) < len(plain) else 0
            nonce = bytes(4) + struct.pack(">Q", number)
            aad = salt + struct.pack(">IBB", number, kind, compression)
            sealed = AESGCM(key).encrypt(nonce, packed if compression else plain, aad)
            footer += struct.pack(
                ">BBHQII", kind, compression, len(group), len(out), len(sealed), len(plain)
            )
            at = 0
            for item, data in group:
                footer += item + struct.pack(">II", at, len(data))
                at += len(data)
            out += sealed
        sealed = AESGCM(key).encrypt(
            b"\xff" * 4 + bytes(8), zstandard.compress(footer), salt + b"footer"
        )
        out += sealed + struct.pack(">Q", len(sealed)) + b"YUIPEND\x01"
        name = blake3(out).hexdigest()
        self._write(self.tenant / "packs" / name[:2] / name, out)
        return name

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def some_disk(seed: int, chunks: int, tail: int = 0) -> bytes:
    """Zeros, repetitions, what compresses and what does not."""
    draw = random.Random(seed)  # noqa: S311
    kinds = [
        lambda: bytes(CHUNK),
        lambda: b"\xaa" * CHUNK,
        lambda: draw.randbytes(CHUNK),
        lambda: (b"%08d" % draw.randrange(10**8)) * (CHUNK // 8),
    ]
    data = b"".join(draw.choices(kinds, (8, 1, 1, 1))[0]() for _ in range(chunks))
    return data + draw.randbytes(tail)
