"""Brings about images out of servers, in the background.

Every look begins from the records, so a control plane that is killed anywhere leaves nothing that the
next one can't go on with: a copy goes on at the byte that was last known to be safe. One process at a time
does this, by a lease of its own; what it had under way when it lost that lease writes nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from control_plane.drivers.protocol import DriverError, NoSuchDisk
from control_plane.drivers.world import Lane, World
from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.image import ImageCapture
from control_plane.model.operation import OperationState
from control_plane.model.units import Seconds
from control_plane.model.volume import ServerSnapshot
from control_plane.reconcile.leadership import Leadership
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease, LeaseLost, LostRace, Snapshot, Store
from images import capture_telling as telling
from images.capture_errand import CaptureErrand, GivenUp
from images.captures import copy_of, drop_copy
from images.inspection import Limits
from images.uploads import UploadFolder

_PASSING = frozenset({"image-upload-busy", "program-missing"})
"""What may be otherwise when it is tried again; every other refusal is for good."""


@dataclass(slots=True)
class Capturer:
    """`checkpoint` is after how many bytes a copy's progress is made safe and told, `retry` how long what
    failed is left alone."""

    store: Store
    world: World
    folder: UploadFolder
    holder: str
    checkpoint: int = 64 * 1024 * 1024
    retry: Seconds = Seconds(30)
    limits: Limits = field(default_factory=Limits)
    _leadership: Leadership = field(init=False)
    _under_way: UnderWay[ImageId, ImageCapture, None] = field(init=False)
    _not_before: dict[ImageId, Seconds] = field(default_factory=dict)
    _failures: dict[ImageId, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._under_way = UnderWay(self.world, Lane.EXPORT)
        self._leadership = Leadership(
            self.store, self.world.clock, self.holder, Timings(), name="images"
        )

    def tick(self) -> int:
        """Look once and act once; how much was done or begun."""
        with self.store.read() as tx:
            captures = tx.image_captures()
        if not captures and not self._under_way:
            return 0
        lease = self._leadership.hold()
        if lease is None:
            return 0
        changes = self._settle(lease)
        for capture in captures:
            try:
                changes += self._advance(capture, lease)
            except LeaseLost:
                return changes
            except LostRace:
                changes += 1
        return changes + self._settle(lease)

    def give_up(self) -> None:
        """Let another control plane go on at once, as on an orderly stop."""
        self._leadership.give_up()

    def _advance(self, capture: ImageCapture, lease: Lease) -> int:
        if capture.image in self._under_way:
            return 0
        with self.store.read() as tx:
            current = tx.image_capture(capture.image)
            if current is None:
                return 0
            given_up = _is_given_up(tx, current)
            snapshot = copy_of(tx, current)
            gone = snapshot is None or snapshot.deleting or _never(tx, current, snapshot)
        if given_up:
            self._clear_away(current, lease)
            return 1
        if snapshot is None or gone:
            self._fail(current, telling.SOURCE_GONE, lease)
            return 1
        if snapshot.taken_at is None or not self._may_try(current.image):
            return 0
        errand = CaptureErrand(
            self.store,
            self.world,
            self.folder,
            current,
            snapshot,
            lease,
            self.checkpoint,
            self.limits,
            self._failures.get(current.image, 0),
        )
        self._under_way.begin(current.image, current, errand.run, lease)
        return 1

    def _may_try(self, image: ImageId) -> bool:
        now = self.world.clock.monotonic()
        return now >= self._not_before.get(image, now)

    def _settle(self, lease: Lease) -> int:
        """Take note of what has ended since the last look."""
        ended = 0
        for image, capture, pending in self._under_way.ended(lease):
            ended += 1
            try:
                pending.result()
            except (LeaseLost, LostRace, GivenUp):
                continue
            except NoSuchDisk:
                self._fail(capture, telling.SOURCE_GONE, lease)
            except YuiError as refused:
                if refused.type in _PASSING:
                    self._set_back(capture, refused.en, lease)
                else:
                    self._fail(capture, refused, lease)
            except (DriverError, OSError, TimeoutError) as error:
                self._set_back(capture, str(error) or type(error).__name__, lease)
            else:
                self._not_before.pop(image, None)
                self._failures.pop(image, None)
        return ended

    def _set_back(self, capture: ImageCapture, why: str, lease: Lease) -> None:
        image = capture.image
        self._failures[image] = self._failures.get(image, 0) + 1
        self._not_before[image] = Seconds(self.world.clock.monotonic() + self.retry)
        try:
            with self.store.write(lease) as tx:
                current = tx.image_capture(image)
                if current is not None and current.trouble != why:
                    tx.put_image_capture(replace(current, trouble=why))
                    tx.add_event(telling.put_off(current, why, self.world.clock.now()))
        except (LeaseLost, LostRace):
            return

    def _fail(self, capture: ImageCapture, refused: YuiError, lease: Lease) -> None:
        """Nothing of it stays but the operation, which says why."""
        at = self.world.clock.now()
        try:
            with self.store.write(lease) as tx:
                if tx.image_capture(capture.image) is None:
                    return
                if not _is_given_up(tx, capture):
                    tx.remove_image_upload(capture.image)
                operation = tx.operation(capture.operation)
                error = {"type": refused.type, "en": refused.en, "ja": refused.ja}
                ended = replace(operation, state=OperationState.FAILED, updated_at=at, error=error)
                tx.put_operation(ended)
                tx.add_event(telling.failed(capture, refused, at))
        except (LeaseLost, LostRace):
            # The next look finds it as it was, and comes to the same.
            return
        self._clear_away(capture, lease)

    def _clear_away(self, capture: ImageCapture, lease: Lease) -> None:
        self.folder.remove(capture.image)
        try:
            with self.store.write(lease) as tx:
                drop_copy(tx, capture)
        except (LeaseLost, LostRace):
            return


def keep_capturing(
    capturer: Capturer, every: Seconds = Seconds(1)
) -> Callable[[threading.Event], None]:
    """Work for the background: make images out of servers, until told to stop."""

    def work(stop: threading.Event) -> None:
        log = structlog.get_logger("yui.images")
        while not stop.wait(every):
            try:
                capturer.tick()
            except YuiError as error:
                log.warning("image from a server put off", reason=error.en)
            except Exception:
                log.exception("image from a server failed")
        capturer.give_up()

    return work


def _is_given_up(tx: Snapshot, capture: ImageCapture) -> bool:
    try:
        tx.image_upload(capture.image)
    except YuiError:
        return True
    return False


def _never(tx: Snapshot, capture: ImageCapture, snapshot: ServerSnapshot) -> bool:
    """Whether it will never be taken: its server is gone, or going."""
    if snapshot.taken_at is not None:
        return False
    server = tx.servers_among({capture.server}).get(capture.server)
    return server is None or server.deleting
