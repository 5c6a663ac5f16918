"""Disks told by their chunks, so that a test can have a large one and know what must be read from it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from backup.repository import DiskReader, RecoveryPoint, Repository, RepositoryKey, Vault
from control_plane.drivers.objects import ObjectStore
from control_plane.drivers.simulated import Bucket, SimulatedWorld
from control_plane.model.tenant import MunicipalityCode

PLACE = "s3://backups/kyoto?endpoint=https://s3.kyoto.example&region=kyoto&credentials=env:KYOTO"
TENANT = MunicipalityCode("434311")
CHUNK = 4096
DETAILS = {"name": "web", "flavor": "m1.small"}


@dataclass
class Place:
    """A simulated bucket with a repository in it, and one tenant's vault."""

    world: SimulatedWorld = field(default_factory=SimulatedWorld)
    key: RepositoryKey = field(default_factory=RepositoryKey.generate)

    def __post_init__(self) -> None:
        self.repository = Repository.create(self.objects, self.key)
        self.vault = self.repository.vault(TENANT, create=True)

    @property
    def objects(self) -> ObjectStore:
        return self.world.objects(PLACE)

    @property
    def bucket(self) -> Bucket:
        return self.world.bucket(PLACE)

    def again(self) -> Vault:
        """The vault, opened anew by another process."""
        return Repository.open(self.objects, self.key).vault(TENANT)

    def keys(self, kind: str) -> list[str]:
        return self.bucket.keys(f"tenants/{TENANT}/{kind}/")


@dataclass(frozen=True)
class Disk:
    """`size` in bytes; `chunks`: content by number, each CHUNK long, zeros where none is."""

    size: int
    chunks: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return -(-self.size // CHUNK)

    def with_chunks(self, first: int, contents: Mapping[int, bytes]) -> Disk:
        told = {first + at: content for at, content in contents.items()}
        return replace(self, chunks={**self.chunks, **told})._cut()

    def without(self, first: int, end: int) -> Disk:
        return replace(self, chunks={n: c for n, c in self.chunks.items() if not first <= n < end})

    def resized(self, size: int) -> Disk:
        return replace(self, size=size)._cut()

    def _cut(self) -> Disk:
        """Behind the end there is nothing, also when the disk grows again."""
        chunks = {}
        for number, content in self.chunks.items():
            kept = content[: max(0, self.size - number * CHUNK)].ljust(CHUNK, b"\0")
            if any(kept):
                chunks[number] = kept
        return replace(self, chunks=chunks)

    def bytes_of(self, number: int, count: int = 1) -> bytes:
        """As a source would give them: the last chunk may be short."""
        data = b"".join(self.chunks.get(n, bytes(CHUNK)) for n in range(number, number + count))
        return data[: self.size - number * CHUNK]


def noise(seed: int) -> bytes:
    """A chunk that can't be compressed and is never zeros."""
    return random.Random(seed).randbytes(CHUNK)  # noqa: S311


def back_up(
    vault: Vault,
    disk: Disk,
    *,
    base: RecoveryPoint | None = None,
    changed: Iterator[tuple[int, int]] | list[tuple[int, int]] | None = None,
    name: str = "root",
    server: str = "web",
) -> RecoveryPoint:
    """Tell the whole disk, or with `changed` only these runs of (first chunk, count)."""
    with vault.begin(server, "residents", base=base) as writer:
        taken = writer.disk(
            name,
            disk.size,
            base_disk=name if base else None,
            chunk_bytes=CHUNK,
            how="full" if changed is None else "changed",
        )
        if changed is None:
            at = 0
            for number in sorted(disk.chunks):
                if number > at:
                    taken.zeros(at * CHUNK, (number - at) * CHUNK)
                taken.put(number * CHUNK, disk.bytes_of(number))
                at = number + 1
            if at * CHUNK < disk.size:
                taken.zeros(at * CHUNK, disk.size - at * CHUNK)
        else:
            for first, count in changed:
                taken.put(first * CHUNK, disk.bytes_of(first, count))
        taken.close()
        return writer.commit(consistency="crash", details=DETAILS)


def assert_reads_as(reader: DiskReader, disk: Disk) -> None:
    """Every way to read it gives the disk, and tells no byte twice."""
    assert reader.size == disk.size
    streamed: dict[int, bytes] = {}
    for offset, data in reader.stream():
        assert offset % CHUNK == 0
        for at in range(0, len(data), CHUNK):
            number = (offset + at) // CHUNK
            assert number not in streamed
            streamed[number] = data[at : at + CHUNK]
    assert streamed == {n: disk.bytes_of(n) for n in disk.chunks}
    at = 0
    held: set[int] = set()
    was: bool | None = None
    for extent in reader.extents():
        assert extent.offset == at
        assert extent.length > 0
        assert extent.data is not was
        at, was = at + extent.length, extent.data
        if extent.data:
            held.update(range(extent.offset // CHUNK, -(-at // CHUNK)))
    assert at == disk.size
    assert held == set(disk.chunks)
    for number in [*disk.chunks][:3]:
        start = max(0, number * CHUNK - 100)
        first = start // CHUNK
        expected = disk.bytes_of(first, 3)[start - first * CHUNK :][: CHUNK + 200]
        assert reader.read(start, CHUNK + 200)[: len(expected)] == expected
