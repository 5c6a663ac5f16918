"""Writes the files of a volume's tar into a volume: what is zeros stays a hole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backup.containers.tar_reading import NoVolume, Read, files
from control_plane.drivers.backup_source import PIECE
from control_plane.drivers.container_volumes import VolumeWriting
from control_plane.drivers.protocol import DriverError

_HOLE = 4096


def put_back(read: Read, into: VolumeWriting, moved: Callable[[int], None]) -> Sequence[bytes]:
    """What could not be made, or not with all that it was. `moved` is told up to where the tar has been
    read; what it raises ends it. Raises DriverError, and what `read` raises."""
    try:
        for found in files(read):
            into.put(found.entry)
            for at in range(0, found.entry.size, PIECE):
                data = read(found.data_at + at, min(PIECE, found.entry.size - at))
                for offset, part in _not_zero(data):
                    into.write(at + offset, part)
                moved(found.data_at + at + len(data))
    except NoVolume as error:
        raise DriverError(f"What was kept is no volume of files: {error}.") from None
    return into.finish()


def _not_zero(data: bytes) -> list[tuple[int, bytes]]:
    if not data.count(0):
        return [(0, data)]
    runs: list[tuple[int, int]] = []
    for at in range(0, len(data), _HOLE):
        part = data[at : at + _HOLE]
        if part.count(0) == len(part):
            continue
        if runs and runs[-1][1] == at:
            runs[-1] = (runs[-1][0], at + len(part))
        else:
            runs.append((at, at + len(part)))
    return [(begin, data[begin:end]) for begin, end in runs]
