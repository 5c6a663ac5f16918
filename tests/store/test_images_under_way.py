"""Images on their way, and what is made from servers, are kept as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId, OperationId, SnapshotId
from control_plane.model.image import ImageCapture, ImageFormat, ImageUpload
from control_plane.store import Store
from tests.store import samples
from tests.store.samples import FUKUCHIYAMA, KYOTO, NOON

UPLOAD = ImageUpload(
    ImageId("img-a"), FUKUCHIYAMA.text, "件名", "1", "a test", 0, None, NOON, ImageFormat.QCOW2,
    (("os_distro", "debian"), ("yui_declares", "")),
)  # fmt: skip
CAPTURE = ImageCapture(
    ImageId("img-a"), FUKUCHIYAMA, KYOTO, samples.server_id(1), "db1", SnapshotId("snap-a"),
    OperationId("op-a"), NOON,
)  # fmt: skip


def test_an_open_upload_and_its_capture_come_back_as_they_were(store: Store) -> None:
    later = replace(CAPTURE, length=2**40, done=2**33, trouble="the storage is away")
    grown = replace(UPLOAD, name="other", size_bytes=2**33, properties=())
    with store.write() as tx:
        tx.add_image_upload(UPLOAD)
        tx.put_image_capture(CAPTURE)
    with store.read() as tx:
        assert tx.image_upload(UPLOAD.id) == UPLOAD
        assert tx.image_captures(CAPTURE.server) == (CAPTURE,) == tx.image_captures()
        assert tx.image_captures(samples.server_id(2)) == ()
    with store.write() as tx:
        tx.save_image_upload(grown)
        tx.put_image_capture(later)
    with store.read() as tx:
        assert tx.image_upload(UPLOAD.id) == grown
        assert tx.image_capture(UPLOAD.id) == later
        assert tx.image_bytes(FUKUCHIYAMA) == 2**33
    with store.write() as tx:
        tx.remove_image_upload(UPLOAD.id)
        tx.remove_image_capture(UPLOAD.id)
        assert tx.image_capture(UPLOAD.id) is None
        with pytest.raises(YuiError, match="no upload"):
            tx.save_image_upload(UPLOAD)


def test_an_image_keeps_the_words_of_its_owner(store: Store) -> None:
    said = replace(samples.image(), properties=(("a/b", "x"), ("c", "")))
    with store.write() as tx:
        tx.put_image(said)
        assert tx.image(said.id) == said
        tx.put_image(replace(said, properties=()))
        assert tx.image(said.id).properties == ()
