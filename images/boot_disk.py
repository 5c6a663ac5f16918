"""Lays out a bootable raw disk without root: an MBR, a FAT partition that SYSLINUX starts from, and
an ext4 partition for data. Equal inputs give equal bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from control_plane.model.units import GiB, MiB, Seconds
from images.programs import require, run

PROGRAMS = {
    "syslinux": "syslinux",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "mke2fs": "e2fsprogs",
}
MBR_CODE = Path("/usr/lib/syslinux/mbr/mbr.bin")

_SECTOR = 512
_MIB = 1024 * 1024
_BOOT_STARTS = 1 * _MIB
_ACTIVE, _FAT16_LBA, _LINUX = 0x80, 0x0E, 0x83
# Fixed, so that two builds are the same; the guest finds its data by the label, not by these.
_DISK_SIGNATURE = 0x59554900
_FAT_VOLUME_ID = "59554901"
_DATA_UUID = "59554902-0000-4000-8000-000000000001"
_HASH_SEED = "59554903-0000-4000-8000-000000000001"


@dataclass(frozen=True, slots=True)
class BootDisk:
    """`files` go to the FAT partition under their keys; `epoch` (seconds since 1970) is the time
    that every file and file system on the disk bears."""

    size: GiB
    boot_size: MiB
    files: Mapping[str, Path]
    data_label: str
    epoch: int


def write_boot_disk(disk: BootDisk, target: Path) -> None:
    """Write the disk as a sparse raw file. Raises YuiError when a program lacks or fails."""
    require(PROGRAMS)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(disk.epoch),
        "E2FSPROGS_FAKE_TIME": str(disk.epoch),
        "MTOOLS_SKIP_CHECK": "1",
    }
    boot_bytes = disk.boot_size * _MIB
    data_starts = _BOOT_STARTS + boot_bytes
    disk_bytes = disk.size * 1024 * _MIB
    with target.open("wb") as raw:
        raw.truncate(disk_bytes)
        raw.write(_master_boot_record(boot_bytes, data_starts, disk_bytes))

    boot = target.with_suffix(".fat")
    with boot.open("wb") as raw:
        raw.truncate(boot_bytes)
    try:
        # "hidden sectors" (-h) is where the partition starts; the boot sector's code relies on it.
        run(
            ["mkfs.vfat", "-F", "16", "-s", "8", "--invariant", "-i", _FAT_VOLUME_ID, "-n", "YUIBOOT",
             "-h", str(_BOOT_STARTS // _SECTOR), str(boot)],
            limit=Seconds(60),
            env=environment,
        )  # fmt: skip
        run(["syslinux", "--install", str(boot)], limit=Seconds(60), env=environment)
        for name, source in sorted(disk.files.items()):
            run(
                ["mcopy", "-i", str(boot), str(source), f"::{name}"],
                limit=Seconds(60),
                env=environment,
            )
        with boot.open("rb") as fat, target.open("r+b") as raw:
            raw.seek(_BOOT_STARTS)
            while block := fat.read(_MIB):
                if block.count(0) == len(block):
                    raw.seek(len(block), 1)
                else:
                    raw.write(block)
    finally:
        boot.unlink(missing_ok=True)

    # Nothing is left to initialise lazily: a guest's first minutes are not spent writing zeros.
    run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-N", "1024", "-m", "0", "-J", "size=4",
         "-L", disk.data_label, "-U", _DATA_UUID, "-O", "^metadata_csum_seed",
         "-E", f"offset={data_starts},hash_seed={_HASH_SEED},lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0",
         str(target), f"{(disk_bytes - data_starts) // 1024}k"],
        limit=Seconds(60),
        env=environment,
    )  # fmt: skip


def _master_boot_record(boot_bytes: int, data_starts: int, disk_bytes: int) -> bytes:
    """Code, disk signature and two partitions as the classic MBR lays them out: the table at byte
    446, 16 bytes an entry, LBA start and length in sectors; CHS fields hold the "use LBA" filler."""

    def entry(status: int, kind: int, start: int, length: int) -> bytes:
        filler = b"\xfe\xff\xff"
        place = struct.pack("<II", start // _SECTOR, length // _SECTOR)
        return bytes([status]) + filler + bytes([kind]) + filler + place

    code = MBR_CODE.read_bytes()[:440].ljust(440, b"\0")
    table = entry(_ACTIVE, _FAT16_LBA, _BOOT_STARTS, boot_bytes)
    table += entry(0, _LINUX, data_starts, disk_bytes - data_starts)
    return code + struct.pack("<IH", _DISK_SIGNATURE, 0) + table.ljust(64, b"\0") + b"\x55\xaa"
