"""Looks at an image file that nobody vouches for, before anything else opens it.

A disk image can name other files: a backing file, an external data file, a VMDK extent. A program
that follows those names reads what the sender of the image chose. So the first bytes are read here,
only qcow2 and raw with a boot sector are let through, and qemu-img sees the file only after that,
told its format, and with bounds on time and memory.

The qcow2 header is laid out in QEMU's docs/interop/qcow2.txt.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.image import ImageFormat
from control_plane.model.units import GiB, Seconds
from images.programs import bounded, require, run

_GIB = 1024**3
_QCOW2_MAGIC = b"QFI\xfb"
_QCOW2_HEADER = struct.Struct(">4sIQIIQIIQQIIQQ")
_DIRTY, _CORRUPT, _EXTERNAL_DATA = 1, 2, 4
_KNOWN_FEATURES = _DIRTY | _CORRUPT | _EXTERNAL_DATA | 8 | 16
"""8 is the compression type, 16 extended L2 entries; a higher bit may mean anything."""
_OTHER_MAGICS = (b"KDMV", b"COWD", b"vhdxfile", b"conectix", b"LUKS\xba\xbe", b"QED\0")
_QEMU_IMG_MEMORY_BYTES = 1 * _GIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What an image may be at most: the file itself, and the disk that a server would see."""

    file: GiB = GiB(64)
    virtual_size: GiB = GiB(2048)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """`sha256` is the hex digest of the whole file, `size_bytes` its length; `virtual_bytes` is
    the disk's, `virtual_size` the same rounded up."""

    format: ImageFormat
    sha256: str
    size_bytes: int
    virtual_bytes: int

    @property
    def virtual_size(self) -> GiB:
        return GiB(-(-self.virtual_bytes // _GIB))


class Unfit(Exception):
    """Everything that is wrong with the file itself, each as a YuiError; at least one."""

    def __init__(self, *wrong: YuiError) -> None:
        super().__init__(*wrong)
        self.wrong = wrong


def inspect_image(path: Path, limits: Limits) -> ImageFacts:
    """What the file is. Raises YuiError "image-file-missing", "image-changed", or
    "not-an-image" for what is no file, and Unfit with "not-an-image", "image-refers-elsewhere", "image-encrypted", "image-holds-snapshots",
    "image-damaged" or "image-too-big"."""
    with open_regular(path) as file:
        before = os.fstat(file.fileno())
        if before.st_size > limits.file * _GIB:
            raise Unfit(_too_big(path, f"{before.st_size / _GIB:.1f} GiB", f"{limits.file} GiB"))
        format = _format(path, file)
        virtual_bytes = _virtual_bytes(path, format)
        if virtual_bytes > limits.virtual_size * _GIB:
            raise Unfit(
                _too_big(
                    path, f"a disk of {virtual_bytes / _GIB:.1f} GiB", f"{limits.virtual_size} GiB"
                )
            )
        if format is ImageFormat.QCOW2:
            _check_whole(path)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise YuiError(
                "image-changed",
                en=f"{path.name} changed while it was read: finish writing it, then add it.",
                ja=f"{path.name} は読み取り中に変更されました。書き込みが終わってから登録してください。",
                status=409,
            )
    return ImageFacts(format, sha256, before.st_size, virtual_bytes)


def open_regular(path: Path) -> io.BufferedReader:
    """Open for reading, never waiting on a pipe or touching a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as failed:
        raise YuiError(
            "image-file-missing",
            en=f"The image file {path.name} can't be opened ({failed.strerror}): check its name and permissions.",
            ja=f"イメージファイル {path.name} を開けません({failed.strerror})。名前と権限を確認してください。",
        ) from failed
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_an_image(path, "it is not a regular file", "通常のファイルではありません")
    return os.fdopen(descriptor, "rb")


def _format(path: Path, file: io.BufferedReader) -> ImageFormat:
    head = file.read(512)
    if head.startswith(_QCOW2_MAGIC):
        _check_qcow2(path, head)
        return ImageFormat.QCOW2
    file.seek(32769)
    optical = file.read(5) == b"CD001"
    if head.startswith(_OTHER_MAGICS) or optical or head[510:] != b"\x55\xaa":
        raise Unfit(
            _not_an_image(
                path,
                "it is neither qcow2 nor a raw disk with a boot sector",
                "qcow2 でも、ブートセクターを持つ raw ディスクでもありません",
            )
        )
    return ImageFormat.RAW


def _check_qcow2(path: Path, head: bytes) -> None:
    if len(head) < _QCOW2_HEADER.size:
        raise Unfit(_not_an_image(path, "its header is cut off", "ヘッダーが途中で切れています"))
    fields = _QCOW2_HEADER.unpack_from(head)
    version, backing_offset, encryption, snapshots = fields[1], fields[2], fields[6], fields[11]
    if version not in {2, 3}:
        raise Unfit(
            _not_an_image(
                path, f"qcow2 version {version} is unknown", f"qcow2 の版 {version} は不明です"
            )
        )
    features = fields[13] if version == 3 else 0
    wrong = []
    if backing_offset or features & _EXTERNAL_DATA:
        wrong.append(
            YuiError(
                "image-refers-elsewhere",
                en=f"{path.name} refers to another file for part of its data: make it whole with 'qemu-img convert -O qcow2'.",
                ja=f"{path.name} はデータの一部を別のファイルに頼っています。「qemu-img convert -O qcow2」で一つにまとめてください。",
            )
        )
    if encryption:
        wrong.append(
            YuiError(
                "image-encrypted",
                en=f"{path.name} is encrypted, so no server could start from it: add it decrypted.",
                ja=f"{path.name} は暗号化されているため起動に使えません。復号したものを登録してください。",
            )
        )
    if snapshots:
        wrong.append(
            YuiError(
                "image-holds-snapshots",
                en=f"{path.name} holds {snapshots} internal snapshots: leave them out with 'qemu-img convert -O qcow2'.",
                ja=f"{path.name} に内部スナップショットが {snapshots} 個あります。「qemu-img convert -O qcow2」で取り除いてください。",
            )
        )
    if features & (_DIRTY | _CORRUPT) or features & ~_KNOWN_FEATURES:
        wrong.append(
            _damaged(path, "its header marks it as not cleanly closed, damaged or too new")
        )
    if wrong:
        raise Unfit(*wrong)


def _virtual_bytes(path: Path, format: ImageFormat) -> int:
    require({"qemu-img": "qemu-utils", "prlimit": "util-linux"})
    try:
        said = run(
            [
                *("prlimit", f"--as={_QEMU_IMG_MEMORY_BYTES}", "--cpu=30", "--"),
                *("qemu-img", "info", "--output=json", "-f", format.value, "--"),
                str(path.absolute()),
            ],
            limit=Seconds(60),
        )
        facts = json.loads(said)
        size = facts["virtual-size"]
    except (YuiError, ValueError, KeyError) as failed:
        raise Unfit(_damaged(path, "qemu-img can't read it")) from failed
    # What the header said is asked again of the program that will open the file for good.
    if "backing-filename" in facts or facts.get("encrypted") or not isinstance(size, int):
        raise Unfit(_damaged(path, "its header contradicts itself"))
    if size <= 0:
        raise Unfit(_not_an_image(path, "its disk has no size", "ディスクの大きさがありません"))
    return size


def _check_whole(path: Path) -> None:
    """Raises Unfit where the tables of a qcow2 contradict each other. Room that is lost to nobody is
    no damage."""
    checking = ("qemu-img", "check", "--output=json", "-f", "qcow2", "--", str(path.absolute()))
    try:
        run(
            bounded(checking, cpu=Seconds(120), memory_bytes=_QEMU_IMG_MEMORY_BYTES, file_bytes=0),
            limit=Seconds(300),
            fine=frozenset({0, 3}),
        )
    except YuiError as failed:
        raise Unfit(_damaged(path, "its tables contradict each other")) from failed


def _not_an_image(path: Path, why_en: str, why_ja: str) -> YuiError:
    return YuiError(
        "not-an-image",
        en=f"{path.name} is not a disk image that Yui takes: {why_en}. Give a qcow2 or a bootable raw image.",
        ja=f"{path.name} は登録できるディスクイメージではありません({why_ja})。qcow2 または起動可能な raw イメージを指定してください。",
    )


def _damaged(path: Path, why: str) -> YuiError:
    return YuiError(
        "image-damaged",
        en=f"{path.name} can't be used: {why}. Make it again with 'qemu-img convert -O qcow2'.",
        ja=f"{path.name} は壊れているか対応していない形式です。「qemu-img convert -O qcow2」で作り直してください。",
    )


def _too_big(path: Path, size: str, limit: str) -> YuiError:
    return YuiError(
        "image-too-big",
        en=f"{path.name} is too big: it has {size} and {limit} is allowed. Shrink it, or ask for a higher limit.",
        ja=f"{path.name} は大きすぎます({size}、上限 {limit})。小さくするか、上限の引き上げを依頼してください。",
        status=413,
    )
