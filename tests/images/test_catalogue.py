"""Only whole, self-contained images get into the catalogue, and damage is found afterwards."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.image import Image, ImageFormat
from control_plane.model.units import GiB
from control_plane.store import Store
from images.catalogue import NewImage, add_image, describe, list_images, verify_image
from images.directory import file_below
from images.inspection import Limits, Unfit, inspect_image
from images.judgement import Declared
from tests.images import disks
from tests.images.guest import need

NOW = datetime(2010, 4, 1, 9, 0, tzinfo=UTC)
MIB = 1024 * 1024


def qcow2_header(
    *, version: int = 3, backing: int = 0, encryption: int = 0, features: int = 0
) -> bytes:
    """The fields of docs/interop/qcow2.txt up to the incompatible features, padded to a sector."""
    fields = struct.pack(
        ">4sIQIIQIIQQIIQQ",
        *(
            b"QFI\xfb",
            version,
            backing,
            0,
            16,
            MIB,
            encryption,
            1,
            196608,
            65536,
            1,
            0,
            0,
            features,
        ),
    )
    return fields.ljust(512, b"\0")


def new_image(path: Path, **changes: str) -> NewImage:
    words = {"name": "town-office", "version": "1", "provenance": "made by the test", **changes}
    return NewImage(
        ImageId(words["name"]),
        words["name"],
        words["version"],
        path,
        words["provenance"],
        words.get("expected_sha256"),
        Declared(virtio=True, no_cloud=True, serial_console=True, no_host_pinning=True),
    )


def why_unfit(path: Path, limits: Limits = Limits()) -> YuiError:  # noqa: B008
    """The one thing that is wrong with the file."""
    with pytest.raises(Unfit) as unfit:
        inspect_image(path, limits)
    (wrong,) = unfit.value.wrong
    return wrong


@pytest.fixture
def qcow2(tmp_path: Path) -> Path:
    need("qemu-img", "sfdisk")
    raw = disks.partitioned(tmp_path / "town-office.raw", disks.ACTIVE_MBR)
    path = disks.as_qcow2(raw)
    subprocess.run(["qemu-img", "resize", "-q", path, "1536M"], check=True)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    yield opened
    opened.close()


def added(store: Store, image: Image) -> Image:
    with store.write() as tx:
        return add_image(tx, image)


def test_an_added_image_is_listed_with_digest_format_size_and_provenance(
    store: Store, qcow2: Path
) -> None:
    image = added(store, describe(new_image(qcow2), NOW))
    assert image.sha256 == hashlib.sha256(qcow2.read_bytes()).hexdigest()
    assert (image.format, image.virtual_size) == (ImageFormat.QCOW2, GiB(2))
    assert (image.size_bytes, image.location) == (qcow2.stat().st_size, str(qcow2))
    assert list_images(store) == (image,)
    assert verify_image(store, image.id) == image


def test_a_raw_disk_with_a_boot_sector_is_taken(tmp_path: Path) -> None:
    need("qemu-img")
    disk = tmp_path / "disk.raw"
    with disk.open("wb") as file:
        file.write(b"\0" * 510 + b"\x55\xaa")
        file.truncate(3 * MIB)
    facts = inspect_image(disk, Limits())
    assert (facts.format, facts.virtual_size, facts.size_bytes) == (
        ImageFormat.RAW,
        GiB(1),
        3 * MIB,
    )


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        pytest.param(b"", "not-an-image", id="empty"),
        pytest.param(b"QFI\xfb", "not-an-image", id="qcow2 cut off in its header"),
        pytest.param("住民票\n".encode() * 500, "not-an-image", id="text"),
        pytest.param(b"\0" * MIB, "not-an-image", id="a disk without a boot sector"),
        pytest.param(b"KDMV".ljust(510, b"\0") + b"\x55\xaa", "not-an-image", id="vmdk"),
        pytest.param(
            b"\0" * 510 + b"\x55\xaa" + b"\0" * 32257 + b"CD001", "not-an-image", id="optical disc"
        ),
        pytest.param(qcow2_header(version=9), "not-an-image", id="unknown qcow2 version"),
        pytest.param(qcow2_header(backing=512), "image-refers-elsewhere", id="backing file"),
        pytest.param(
            qcow2_header(version=2, backing=512), "image-refers-elsewhere", id="backing file, v2"
        ),
        pytest.param(qcow2_header(features=4), "image-refers-elsewhere", id="external data file"),
        pytest.param(qcow2_header(encryption=2), "image-encrypted", id="encrypted"),
        pytest.param(qcow2_header(features=1), "image-damaged", id="not closed cleanly"),
        pytest.param(qcow2_header(features=2), "image-damaged", id="marked corrupt"),
        pytest.param(qcow2_header(features=1 << 40), "image-damaged", id="feature of the future"),
    ],
)
def test_refuses_what_is_no_whole_image_of_its_own(
    tmp_path: Path, content: bytes, mistake: str
) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    wrong = why_unfit(path)
    assert wrong.type == mistake
    assert "image" in wrong.en
    assert str(tmp_path) not in wrong.en


def test_refuses_what_qemu_made_with_a_backing_or_data_file(tmp_path: Path, qcow2: Path) -> None:
    child, split = tmp_path / "child.qcow2", tmp_path / "split.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, "-F", "qcow2", "-b", qcow2, child], check=True)
    subprocess.run([*create, "-o", f"data_file={tmp_path}/elsewhere", split, "8M"], check=True)
    for path in (child, split):
        assert why_unfit(path).type == "image-refers-elsewhere"


def test_a_qcow2_whose_header_promises_what_is_not_there_is_damaged(tmp_path: Path) -> None:
    need("qemu-img")
    path = tmp_path / "image"
    path.write_bytes(qcow2_header(features=0)[:104])
    assert why_unfit(path).type == "image-damaged"


def test_neither_a_pipe_nor_a_directory_is_waited_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(YuiError) as refused:
            inspect_image(path, Limits())
        assert refused.value.type == "not-an-image"
    with pytest.raises(YuiError) as refused:
        inspect_image(tmp_path / "absent", Limits())
    assert refused.value.type == "image-file-missing"


def test_the_file_and_the_disk_in_it_are_both_bounded(qcow2: Path) -> None:
    assert why_unfit(qcow2, Limits(virtual_size=GiB(1))).type == "image-too-big"
    assert why_unfit(qcow2, Limits(file=GiB(0))).type == "image-too-big"


def test_a_published_digest_that_differs_is_told_with_both_digests(qcow2: Path) -> None:
    with pytest.raises(YuiError) as refused:
        describe(new_image(qcow2, expected_sha256="A" * 64), NOW)
    actual = hashlib.sha256(qcow2.read_bytes()).hexdigest()
    assert refused.value.type == "image-checksum-mismatch"
    assert "a" * 64 in refused.value.en
    assert actual in refused.value.en
    assert actual in refused.value.ja
    assert describe(new_image(qcow2, expected_sha256=actual.upper()), NOW).sha256 == actual


def test_one_flipped_bit_is_found_when_the_image_is_verified(store: Store, qcow2: Path) -> None:
    image = added(store, describe(new_image(qcow2), NOW))
    with qcow2.open("r+b") as file:
        file.seek(70000)
        byte = file.read(1)[0]
        file.seek(70000)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(YuiError) as refused:
        verify_image(store, image.id)
    assert refused.value.type == "image-checksum-mismatch"
    assert refused.value.fields["expected_sha256"] == image.sha256
    qcow2.unlink()
    with pytest.raises(YuiError) as refused:
        verify_image(store, image.id)
    assert refused.value.type == "image-file-missing"


def test_adding_again_changes_nothing_and_other_content_needs_another_id(
    store: Store, qcow2: Path
) -> None:
    first = added(store, describe(new_image(qcow2), NOW))
    assert added(store, describe(new_image(qcow2), NOW.replace(hour=23))) == first
    subprocess.run(["qemu-img", "resize", "-q", qcow2, "3G"], check=True)
    with pytest.raises(YuiError) as refused:
        added(store, describe(new_image(qcow2, version="2"), NOW))
    assert (refused.value.type, refused.value.status) == ("image-exists", 409)
    assert list_images(store) == (first,)


def test_an_unknown_image_is_named(store: Store) -> None:
    with pytest.raises(YuiError) as refused:
        verify_image(store, ImageId("nowhere"))
    assert (refused.value.type, refused.value.status) == ("image-not-found", 404)
    assert "nowhere" in refused.value.en


@given(name=st.text(max_size=80))
def test_no_name_but_a_dns_label_gets_into_the_catalogue(name: str) -> None:
    label = name.isascii() and name.replace("-", "").isalnum() and name == name.lower()
    if label and len(name) <= 63 and not name.startswith("-") and not name.endswith("-"):
        return
    with pytest.raises(YuiError) as refused:
        describe(new_image(Path("unread"), name=name), NOW)
    assert refused.value.type == "image-name-invalid"


@pytest.mark.parametrize(
    "text", ["../outside", "/etc/passwd", "link-out", "folder", "absent", "a\0b", "folder/../../outside"]
)  # fmt: skip
def test_no_path_leads_out_of_the_image_directory(tmp_path: Path, text: str) -> None:
    directory = tmp_path / "images"
    (directory / "folder").mkdir(parents=True)
    (tmp_path / "outside").write_text("secret")
    (directory / "link-out").symlink_to(tmp_path / "outside")
    with pytest.raises(YuiError) as refused:
        file_below(directory, text)
    assert refused.value.type == "image-path-outside"
    assert "passwd" not in refused.value.en
    assert str(tmp_path) not in refused.value.en


def test_a_file_in_the_image_directory_is_found_by_relative_and_absolute_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "disk.qcow2"
    file.write_text("content")
    assert file_below(tmp_path, "folder/disk.qcow2") == file
    assert file_below(tmp_path, str(file)) == file
    with pytest.raises(YuiError) as refused:
        file_below(None, "folder/disk.qcow2")
    assert refused.value.type == "image-directory-unset"
