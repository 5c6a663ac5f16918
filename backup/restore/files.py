"""Puts a point's disks as files into the member's export folder: qcow2, or raw with holes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backup.records.restores import finish_restore
from backup.restore import telling
from backup.restore.disks import Disks
from backup.restore.progress import Progress
from backup.restore.reading import PointSource
from backup.restore.selection import Chosen
from control_plane.drivers.qcow2_stream import Qcow2Stream
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import RestoreJob
from control_plane.model.errors import YuiError
from control_plane.store import Transaction


@dataclass(slots=True)
class ToFiles:
    """`<root>/<member>/restores/<restore>/<server>/<disk>.<format>`; what is being written has `.part` behind
    its name, and a file under its own name is whole. `root` None: there is no such folder."""

    disks: Disks
    source: PointSource
    progress: Progress
    point: RecoveryPointRecord
    chosen: Sequence[Chosen]
    root: Path | None

    def carry_out(self) -> None:
        job = self.progress.begun
        folder = folder_of(self.root, job)
        format = job.target.format or "qcow2"
        self.progress.total = sum(one.bytes for one in self.chosen)
        for one in self.chosen:
            for name in one.disks:
                place = folder / _plain(one.part.name) / f"{_plain(name)}.{format}"
                size = one.point.disk(name).size
                if not place.exists():
                    content = self.progress.along(self.source.content(one.point, name), size)
                    _write(place, format, size, content)
                self.progress.behind(size)
        self.progress.write(lambda tx: self._finish(tx, folder))

    def _finish(self, tx: Transaction, folder: Path) -> None:
        now = self.disks.world.clock.now()
        job = finish_restore(tx, self.progress.begun.id, now)
        tx.add_event(
            telling.restored(job, self.point, self.source.used, now, f"restores/{folder.name}")
        )


def folder_of(root: Path | None, job: RestoreJob) -> Path:
    """Raises `no-export-directory`."""
    if root is None:
        raise YuiError(
            "no-export-directory",
            en="This control plane has no directory for exports: an operator starts it with one.",
            ja="このコントロールプレーンにはエクスポート先のディレクトリが設定されていません。運用担当者に設定を依頼してください。",
            status=409,
        )
    return root / job.tenant.text / "restores" / job.id


def _write(place: Path, format: str, size: int, content: Iterator[tuple[int, bytes]]) -> None:
    """All of the file or nothing of it. Raises OSError, also where another process is at it."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(file, 0)
        if format == "raw":
            os.ftruncate(file, size)
            for offset, data in content:
                _put(file, offset, data)
        else:
            stream = Qcow2Stream(size, lambda offset, data: _put(file, offset, data))
            for offset, data in content:
                stream.put(offset, data)
            stream.finish()
        os.fsync(file)
        part.rename(place)
    finally:
        os.close(file)
    parent = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _put(file: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        offset, view = offset + written, view[written:]


def _plain(name: str) -> str:
    """As a name of a file that leads nowhere else."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return kept.lstrip(".") or "_"
