"""The reader's own BLAKE3, for machines that have no library of it."""

from __future__ import annotations

import pytest
from blake3 import blake3

from backup.yui_restore import blake3_in_python

KEY = b"whats the Elvish word for friend"
LENGTHS = [0, 1, 2, 63, 64, 65, 127, 128, 1023, 1024, 1025, 2048, 2049, 3072, 3073, 4097, 8193]

# From BLAKE3's published test vectors: the input is 0, 1, 2 … 250, 0, 1 …; the first 32 bytes.
PUBLISHED = {
    0: (
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
    ),
    1: (
        "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
    ),
    1024: (
        "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
        "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
    ),
    1025: (
        "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
        "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69",
    ),
    2048: (
        "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a",
        "879cf1fa2ea0e79126cb1063617a05b6ad9d0b696d0d757cf053439f60a99dd1",
    ),
}


def counting(length: int) -> bytes:
    return bytes(i % 251 for i in range(length))


def test_it_gives_the_published_values() -> None:
    for length, (plain, keyed) in PUBLISHED.items():
        assert blake3_in_python([counting(length)])[0].hex() == plain
        assert blake3_in_python([counting(length)], KEY)[0].hex() == keyed


@pytest.mark.parametrize("key", [None, KEY])
def test_it_agrees_with_the_library_at_every_border_of_block_chunk_and_tree(
    key: bytes | None,
) -> None:
    messages = [counting(length) for length in LENGTHS]
    expected = [(blake3(m, key=key) if key else blake3(m)).digest() for m in messages]
    assert blake3_in_python(messages, key) == expected


def test_it_agrees_for_more_chunks_than_go_side_by_side() -> None:
    message = counting(2048 * 1024 + 70)
    assert blake3_in_python([message], KEY) == [blake3(message, key=KEY).digest()]
