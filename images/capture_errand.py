"""The errand that makes one snapshot's root disk an image: copied, judged, taken into the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from control_plane.drivers.disks import SnapshotDiskSpec, SnapshotSpec
from control_plane.drivers.protocol import StorageUnavailable
from control_plane.drivers.world import World
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Up
from control_plane.model.image import Image, ImageCapture, ImageUpload
from control_plane.model.pool import Host
from control_plane.model.volume import ServerSnapshot
from control_plane.store import Lease, Store
from images import capture_telling as telling
from images.arriving import make_room
from images.capture_sink import CaptureSink
from images.captures import drop_copy
from images.inspection import Limits
from images.judgement import Declared
from images.uploads import UploadFolder, judged

_AS_IT_RAN = Declared(virtio=True, no_cloud=True, serial_console=True, no_host_pinning=True)
"""A disk that a server of this pool ran from."""


class GivenUp(Exception):
    """The image is not wanted any more."""


@dataclass(slots=True)
class CaptureErrand:
    """Every note of its progress is made under the lease, so that it ends as soon as another process has
    taken over. `attempt`: how often it went wrong before; each time another host is asked."""

    store: Store
    world: World
    folder: UploadFolder
    capture: ImageCapture
    snapshot: ServerSnapshot
    lease: Lease
    checkpoint: int
    limits: Limits
    attempt: int = 0
    _now: ImageCapture = field(init=False)

    def __post_init__(self) -> None:
        self._now = self.capture

    def run(self) -> None:
        """Raises DriverError, OSError, YuiError, LeaseLost, LostRace, GivenUp."""
        upload = self._upload()
        source, host = self._source()
        with self.folder.writing(upload) as descriptor:
            sink = CaptureSink(
                descriptor,
                self.capture.done,
                self.capture.length,
                self._progress,
                self.checkpoint,
            )
            self.world.driver(host).export_disk(None, source, sink)
            sha256 = sink.finish()
            image = judged(
                self.folder,
                self._upload(),
                _AS_IT_RAN,
                None,
                limits=self.limits,
                at=self.world.clock.now(),
                sha256=sha256,
            )
            self._take_in(image)

    def _upload(self) -> ImageUpload:
        try:
            with self.store.read() as tx:
                return tx.image_upload(self.capture.image)
        except YuiError:
            raise GivenUp from None

    def _progress(self, length: int, done: int) -> None:
        if self._now.length != length:
            make_room(self.store, self.folder, self.capture.image, length, self.limits)
        after = replace(self._now, length=length, done=done, trouble=None)
        if after == self._now:
            return
        with self.store.write(self.lease) as tx:
            if tx.image_capture(self.capture.image) is None:
                raise GivenUp
            tx.put_image_capture(after)
        self._now = after

    def _take_in(self, image: Image) -> None:
        """The image is there and the copy goes, together."""
        at = self.world.clock.now()
        with self.store.write(self.lease) as tx:
            current = tx.image_capture(image.id)
            if current is None:
                raise GivenUp
            try:
                upload = tx.image_upload(image.id)
            except YuiError:
                raise GivenUp from None
            tx.remove_image_upload(image.id)
            # As it is described by now.
            tx.put_image(replace(image, name=upload.name, properties=upload.properties))
            drop_copy(tx, current)
            tx.add_event(telling.made(current, image, at))
            tx.add_audit(telling.made_entry(current, image, at))

    def _source(self) -> tuple[SnapshotDiskSpec, Host]:
        """Raises StorageUnavailable where no host that is well reaches it."""
        pool = self.snapshot.storage
        with self.store.read() as tx:
            paths = {each.id: each.path for site in tx.sites() for each in site.storage_pools}
            hosts = tx.hosts()
        well = [host for host in hosts if isinstance(host.health, Up) and pool in host.storage]
        if not well:
            raise StorageUnavailable(f"No host that is well reaches {pool}.")
        spec = SnapshotSpec(self.snapshot.id, pool, paths[pool])
        well.sort(key=lambda host: host.id)
        return SnapshotDiskSpec(spec), well[self.attempt % len(well)]
