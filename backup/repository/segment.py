"""Segments: up to 1 MiB of chunks or of nodes, compressed together and sealed as one, because zstd
needs more than a chunk to be good and every seal costs a tag."""

from __future__ import annotations

import struct
from enum import IntEnum

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PLAIN_LIMIT = 1 << 20
MOST_ITEMS = 0xFFFF
TAG_BYTES = 16
ZSTD_LEVEL = 3


class Kind(IntEnum):
    CHUNKS = 1
    NODES = 2


class Compression(IntEnum):
    NONE = 0
    ZSTD = 1


def compress(
    plain: bytes | bytearray, compressor: zstandard.ZstdCompressor
) -> tuple[Compression, bytes | bytearray]:
    """Whichever is smaller. A compressor belongs to one thread."""
    small = compressor.compress(plain)
    return (Compression.ZSTD, small) if len(small) < len(plain) else (Compression.NONE, plain)


def seal_into(
    buffer: memoryview,
    body: bytes | bytearray,
    *,
    aead: AESGCM,
    salt: bytes,
    number: int,
    kind: Kind,
    compression: Compression,
) -> None:
    """Fill `buffer`, which is TAG_BYTES longer than `body`."""
    aead.encrypt_into(_nonce(number), body, _bound_to(salt, number, kind, compression), buffer)


def unseal(
    sealed: bytes | memoryview,
    plain_length: int,
    *,
    aead: AESGCM,
    salt: bytes,
    number: int,
    kind: int,
    compression: int,
) -> bytes:
    """The plaintext. Raises ValueError when it isn't what was sealed under that number."""
    if len(sealed) < TAG_BYTES:
        raise ValueError("too short")
    body = bytearray(len(sealed) - TAG_BYTES)
    try:
        aead.decrypt_into(_nonce(number), sealed, _bound_to(salt, number, kind, compression), body)
    except InvalidTag:
        raise ValueError("does not open") from None
    if compression == Compression.ZSTD:
        plain = decompress(body, plain_length)
    elif compression == Compression.NONE:
        plain = bytes(body)
    else:
        raise ValueError("compressed in an unknown way")
    if len(plain) != plain_length:
        raise ValueError("not of its length")
    return plain


def decompress(data: bytes | bytearray | memoryview, at_most: int) -> bytes:
    """One frame that tells its content's size. Raises ValueError, also when that is over `at_most`."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= at_most:
            raise ValueError("too long")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=at_most)
    except zstandard.ZstdError:
        raise ValueError("not a frame of zstd") from None


def _nonce(number: int) -> bytes:
    return struct.pack(">4xQ", number)


def _bound_to(salt: bytes, number: int, kind: int, compression: int) -> bytes:
    return salt + struct.pack(">IBB", number, kind, compression)
