"""Real disks for the tests, made by the programs that vendors use."""

from __future__ import annotations

import gzip
import lzma
import subprocess
from collections.abc import Mapping
from pathlib import Path

from images.initramfs import pack

MIB = 1024 * 1024
STARTS = MIB
DISK_BYTES = 64 * MIB
CODE = b"\xfa\xeb\xfeGRUB"

DECLARES = {
    "virtio": True,
    "cloud_init": "nocloud",
    "serial_console": "ttyS0",
    "no_host_pinning": True,
}
"""All that may be declared, as a request says it."""

ACTIVE_MBR = "label: dos\nstart=2048, type=83, bootable\n"
BIOS_AND_EFI_GPT = """\
label: gpt
start=2048, size=4096, type=21686148-6449-6E6F-744E-656564454649
size=8192, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
"""
EFI_GPT = """\
label: gpt
start=2048, size=8192, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
"""


def partitioned(path: Path, table: str, code: bytes = CODE) -> Path:
    """A raw disk with what sfdisk makes of `table`, and boot code in its first sector."""
    with path.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(
        ["sfdisk", "--quiet", path], input=table, text=True, check=True, capture_output=True
    )
    with path.open("r+b") as file:
        file.write(code)
    return path


def as_qcow2(raw: Path, *options: str) -> Path:
    packed = raw.with_suffix(".qcow2")
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, raw, packed], check=True
    )
    return packed


def with_root(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """A raw disk whose one active partition is an ext4 file system that holds the files."""
    partitioned(path, ACTIVE_MBR)
    folder = path.with_suffix(".root")
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    subprocess.run(
        [
            *("mke2fs", "-q", "-F", "-t", "ext4", "-d", folder, "-E", f"offset={STARTS}"),
            *(path, f"{(DISK_BYTES - STARTS) // 1024}k"),
        ],
        check=True,
        capture_output=True,
    )
    return path


def initramfs(folder: Path, *drivers: str, packing: str = "none") -> bytes:
    """An archive that holds those kernel modules, which are empty."""
    root = folder / f"initramfs-{packing}"
    for driver in drivers:
        module = root / "usr/lib/modules/6.1.0/kernel/drivers" / f"{driver}.ko"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_bytes(b"")
    (root / "init").write_text("#!/bin/sh\n")
    archive = pack(root, 0)
    match packing:
        case "gzip":
            return gzip.compress(archive)
        case "xz":
            return lzma.compress(archive, check=lzma.CHECK_CRC32)
        case "early":
            # Microcode first, as Debian and Red Hat do, then padding, then the rest.
            return archive + bytes(512) + gzip.compress(archive)
        case "none":
            return archive
        case program:
            done = subprocess.run([program, "-c"], input=archive, capture_output=True, check=True)
            return done.stdout
