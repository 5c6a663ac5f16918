"""What was seen stays seen, however much it becomes."""

from __future__ import annotations

import random

from backup.repository.reach import SeenIds


def test_seen_ids_are_a_set_that_grows() -> None:
    draw = random.Random(7)  # noqa: S311
    ids = [draw.randbytes(32) for _ in range(5000)]
    seen, known = SeenIds(), set()
    for id in draw.choices(ids, k=12_000):
        assert seen.add(id) == (id not in known)
        known.add(id)
    assert len(seen) == len(known)


def test_ids_that_begin_alike_are_told_apart() -> None:
    seen = SeenIds()
    ids = [b"\xff" * 15 + bytes([last]) + bytes(16) for last in range(200)]
    assert all(seen.add(id) for id in ids)
    assert not any(seen.add(id) for id in ids)
