"""What a member of a story asks for of volumes and snapshots, by the services that the API uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.errors import YuiError
from control_plane.model.ids import VolumeId
from control_plane.model.units import GiB
from control_plane.model.volume import (
    Attached,
    ServerSnapshot,
    Volume,
    status_of_snapshot,
    status_of_volume,
)
from control_plane.store import Store
from tenants.asking import Asker
from tenants.servers import find_server
from tenants.volumes import growing, snapshots, volumes
from tenants.volumes.asking import find_volume
from tenants.volumes.placing import VolumeRequest
from tests.scenarios.joining import MEMBER


@dataclass(frozen=True, slots=True)
class Owner:
    """Every method raises YuiError where it is refused."""

    store: Store
    now: Callable[[], datetime]

    @property
    def _asker(self) -> Asker:
        return Asker(Principal("user-1", "Suzuki", Role.MEMBER_ADMIN, MEMBER.code), self.now())

    def volume(self, name: str) -> Volume:
        with self.store.read() as tx:
            return find_volume(tx, name, MEMBER.code)

    def status(self, name: str) -> str:
        with self.store.read() as tx:
            volume = find_volume(tx, name, MEMBER.code)
            server = None if volume.server is None else tx.server(volume.server)
            return status_of_volume(volume, server).value

    def make(
        self,
        name: str,
        server: str | None = None,
        *,
        size: int = 5,
        snapshot: str | None = None,
        of: VolumeId | None = None,
    ) -> VolumeId:
        request = VolumeRequest(
            name,
            None if snapshot is not None else GiB(size),
            server=server,
            snapshot=None if snapshot is None else self.snapshot(snapshot).id,
            of=of,
        )
        made = volumes.create(
            self.store, request, self._asker, lambda _, __: None, draw=lambda _: name
        )
        return made.volume.id

    def attach(self, name: str, server: str) -> None:
        with self.store.write() as tx:
            volume = find_volume(tx, name, MEMBER.code)
            volumes.attach(tx, volume, find_server(tx, server, None), self._asker, lambda _: None)

    def grow(self, name: str, size: int) -> None:
        growing.grow(self.store, name, GiB(size), self._asker, lambda _, __: None)

    def detach(self, name: str) -> None:
        with self.store.write() as tx:
            volumes.detach(tx, find_volume(tx, name, MEMBER.code), self._asker, lambda _: None)

    def delete(self, name: str) -> None:
        with self.store.write() as tx:
            volumes.delete(tx, find_volume(tx, name, MEMBER.code), self._asker, lambda _: None)

    def snapshot(self, name: str) -> ServerSnapshot:
        with self.store.read() as tx:
            (found,) = [each for each in tx.server_snapshots() if each.name == name]
        return found

    def take(self, server: str, name: str) -> None:
        snapshots.create(
            self.store, server, name, self._asker, lambda _, __: None, draw=lambda _: name
        )

    def restore(self, name: str) -> None:
        wanted = self.snapshot(name)
        with self.store.write() as tx:
            snapshots.restore(tx, wanted, self._asker, lambda _: None)

    def drop(self, name: str) -> None:
        wanted = self.snapshot(name)
        with self.store.write() as tx:
            snapshots.delete(tx, wanted, self._asker, lambda _: None)

    def tries(self, deed: Callable[[], object]) -> str:
        """How it went: done, or the type of the refusal."""
        try:
            deed()
        except YuiError as refusal:
            return refusal.type
        return "done"

    def shown(self) -> list[str]:
        """Every volume and snapshot, a line each."""
        with self.store.read() as tx:
            held, taken = tx.volumes(), tx.server_snapshots()
        lines = [
            f"volume {volume.name}: {self.status(volume.name)}"
            + (f", of {volume.server}" if isinstance(volume.attachment, Attached) else "")
            for volume in sorted(held, key=lambda each: each.name)
        ]
        return lines + [
            f"snapshot {each.name} of {each.server}: {status_of_snapshot(each).value}"
            for each in sorted(taken, key=lambda each: each.name)
        ]
