"""Yui's steps in the comparison: a process that is told on standard input which to take.

The disk is a file here. A hypervisor tells a guest's disk the same way: which parts hold data, and, where
it has kept a bitmap, which have changed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from backup.objects.directory import DirectoryStore
from backup.repository import Repository, RepositoryKey, Vault
from backup.repository.scrub import scrub
from control_plane.model.tenant import MunicipalityCode

_KEY = RepositoryKey(bytes(range(32)))
_TENANT = MunicipalityCode("012220")
_PIECE = 4 << 20


def begin(orders: dict[str, Any]) -> None:
    folder = Path(orders["repository"])
    folder.mkdir()
    Repository.create(DirectoryStore(folder), _KEY).vault(_TENANT, create=True).close()


def back_up(orders: dict[str, Any]) -> None:
    with _vault(orders) as vault, Path(orders["image"]).open("rb") as file:
        points = vault.points("bench")
        base = vault.point(points[-1]) if points else None
        size = os.fstat(file.fileno()).st_size
        with vault.begin("bench", "bench", base=base) as writer:
            disk = writer.disk("root", size, base_disk="root" if base else None)
            for start, end, data in _extents(
                file.fileno(), size, orders["changed"], disk.chunk_bytes
            ):
                if not data:
                    disk.zeros(start, end - start)
                    continue
                for place in range(start, end, _PIECE):
                    file.seek(place)
                    disk.put(place, file.read(min(_PIECE, end - place)))
            disk.close()
            writer.commit(consistency="crash", details={})


def restore(orders: dict[str, Any]) -> None:
    with _vault(orders) as vault, Path(orders["to"]).open("wb") as file:
        disk = vault.read(vault.point(vault.points("bench")[-1]), "root")
        file.truncate(disk.size)
        for place, data in disk.stream():
            file.seek(place)
            file.write(data)


def verify(orders: dict[str, Any]) -> None:
    """As `check --read-data` of others: every object is read, opened, and compared with its ids."""
    with _vault(orders) as vault:
        found = scrub(vault.objects, vault.tenant, budget=1 << 60, keyring=vault.keyring)
    if found.findings or not found.ended:
        raise SystemExit(f"damaged: {found.findings}")


def _vault(orders: dict[str, Any]) -> Vault:
    cache = Path(orders["cache"])
    cache.mkdir(exist_ok=True)
    return Repository.open(DirectoryStore(Path(orders["repository"])), _KEY).vault(
        _TENANT, cache=cache
    )


def _extents(
    file: int, size: int, changed: Sequence[tuple[int, int]] | None, chunk: int
) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether data), in whole chunks: what has changed, else the whole disk."""
    if changed is not None:
        yield from ((start, end, True) for start, end in _whole(changed, size, chunk))
        return
    at = 0
    for start, end in _whole(_data(file, size), size, chunk):
        if start > at:
            yield at, start, False
        yield start, end, True
        at = end
    if at < size:
        yield at, size, False


def _data(file: int, size: int) -> Iterator[tuple[int, int]]:
    at = 0
    while at < size:
        try:
            start = os.lseek(file, at, os.SEEK_DATA)
        except OSError:
            return
        at = os.lseek(file, start, os.SEEK_HOLE)
        yield start, at - start


def _whole(
    parts: Sequence[tuple[int, int]] | Iterator[tuple[int, int]], size: int, chunk: int
) -> Iterator[tuple[int, int]]:
    """(start, end), outwards to whole chunks, those that touch as one."""
    begun: tuple[int, int] | None = None
    for offset, length in parts:
        start = offset // chunk * chunk
        end = min(size, -(-(offset + length) // chunk) * chunk)
        if begun is not None and start <= begun[1]:
            begun = (begun[0], max(end, begun[1]))
            continue
        if begun is not None:
            yield begun
        begun = (start, end)
    if begun is not None:
        yield begun


_STEPS = {"begin": begin, "back_up": back_up, "restore": restore, "verify": verify}


def main() -> None:
    """Orders as JSON, one a line, of which each is answered with its name when it is done: the control
    plane, whose backups these are, doesn't start for each of them either."""
    print("ready", flush=True)
    for line in sys.stdin:
        given = json.loads(line)
        _STEPS[given["step"]](given)
        print(given["step"], flush=True)


if __name__ == "__main__":
    main()
