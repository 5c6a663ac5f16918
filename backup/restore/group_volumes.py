"""Puts container groups' volumes back in their place, into claims that nothing uses.

What is in them goes first: there is no room beside it as there is for servers' disks. A group that still
runs is refused before anything of its own is touched; one that broke off is filled anew from the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from backup.containers.putting_back import put_back
from backup.restore import telling
from backup.restore.progress import Progress
from backup.restore.reading import PointSource
from backup.restore.selection import Chosen
from control_plane.drivers.container_volumes import ContainerVolumes, VolumeClaim
from control_plane.drivers.disk_exports import Unreadable
from control_plane.drivers.world import World
from control_plane.model.container_group import ContainerGroup
from control_plane.model.ids import ContainerGroupId
from control_plane.store import Snapshot, Store

_ACCESS = ("ReadWriteOnce",)


@dataclass(slots=True)
class GroupVolumes:
    """`left` counts, by volume, files that could not be made with all that they were."""

    store: Store
    world: World
    source: PointSource
    progress: Progress
    chosen: Sequence[Chosen]
    left: dict[str, int] = field(default_factory=dict)
    _done: int = 0

    def carry_out(self) -> None:
        """Raises DriverError (ClaimBusy where a group runs), YuiError, and what reading raises."""
        with self.store.read() as tx:
            wanted = [(one, self._group(tx, one)) for one in self.chosen]
        for one, group in wanted:
            volumes = self.world.container_volumes(group.region)
            for name in one.disks:
                self._fill(volumes, group, one, name)
        for name, count in self.left.items():
            at = self.world.clock.now()
            event = telling.files_left(self.progress.begun, name, count, at)
            self.progress.write(lambda tx, event=event: tx.add_event(event))  # type: ignore[misc]

    def _fill(
        self, volumes: ContainerVolumes, group: ContainerGroup, one: Chosen, name: str
    ) -> None:
        disk, total = one.point.disk(name), sum(each.bytes for each in self.chosen)
        claim = _claim(one, name, disk.size)
        kept = self.source.serving(one.point, name).disk()

        def read(offset: int, length: int) -> bytes:
            length = min(length, disk.size - offset)
            try:
                return kept.read(offset, length) if length > 0 else b""
            except Unreadable as error:
                raise error.__cause__ or error from None

        with volumes.writing(group.tenant, group.id, claim, replace=True) as into:
            left = put_back(read, into, lambda at: self.progress.show(self._done + at, total))
        if left:
            self.left[f"{one.part.name}/{name}"] = len(left)
        self._done += disk.size

    def _group(self, tx: Snapshot, one: Chosen) -> ContainerGroup:
        """Raises `container-group-not-found`."""
        return tx.container_group(ContainerGroupId(one.part.server), self.progress.begun.tenant)


def _claim(one: Chosen, name: str, size: int) -> VolumeClaim:
    """As it was, where that is told."""
    told = one.description.get("claims")
    for each in told if isinstance(told, list) else ():
        if isinstance(each, dict) and each.get("name") == name:
            bytes_, kept, modes = (
                each.get("size_bytes"),
                each.get("storage_class"),
                each.get("access_modes"),
            )
            return VolumeClaim(
                name,
                bytes_ if isinstance(bytes_, int) else size,
                kept if isinstance(kept, str) else "",
                tuple(map(str, modes)) if isinstance(modes, list) and modes else _ACCESS,
            )
    return VolumeClaim(name, size)
