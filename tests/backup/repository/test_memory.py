"""Backing up and restoring take the memory of a few packs, however large the disk; of a sparse disk
only what it holds costs anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GROWTH = """
import random, resource, sys
from pathlib import Path
from backup.objects.directory import DirectoryStore
from backup.repository import Repository, RepositoryKey
from control_plane.model.tenant import MunicipalityCode

MIB = 1 << 20
size, data, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
vault = Repository.create(DirectoryStore(folder), RepositoryKey.generate()).vault(
    MunicipalityCode("434311"), create=True)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

draw = random.Random(1)
before = peak()
with vault.begin("web", "residents") as writer:
    disk = writer.disk("root", size)
    step = size // (data // MIB)
    for at in range(0, size - step + 1, step):
        disk.put(at, draw.randbytes(MIB))
        if step > MIB:
            disk.zeros(at + MIB, step - MIB)
    disk.close()
    point = writer.commit(consistency="crash", details={})
written = peak()
read = sum(len(part) for _, part in vault.read(point, "root").stream())
assert read == data, (read, data)
extents = sum(1 for _ in vault.read(point, "root").extents())
print(written - before, peak() - before, point.stored_bytes, extents)
"""


def measured(tmp_path: Path, size: int, data: int) -> tuple[int, int, int, int]:
    """MiB that writing took, and then reading; bytes stored; extents."""
    folder = tmp_path / "store"
    folder.mkdir()
    told = subprocess.run(
        [sys.executable, "-c", GROWTH, str(size), str(data), str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    written, read, stored, extents = (int(word) for word in told.stdout.split())
    return written, read, stored, extents


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "data"),
    [
        pytest.param(128 << 20, 128 << 20, id="dense"),
        pytest.param(64 << 30, 32 << 20, id="64 GiB, sparse"),
    ],
)
def test_memory_does_not_grow_with_the_disk(tmp_path: Path, size: int, data: int) -> None:
    written, read, stored, extents = measured(tmp_path, size, data)
    assert written < 100
    assert read < 200
    assert data < stored < data * 1.02
    assert extents == (1 if size == data else 2 * (data >> 20))
