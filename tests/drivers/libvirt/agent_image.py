"""The tiny guest with Debian's own guest agent in it, and hooks for it to run, for tests of holding a guest
still.

A kernel unpacks archives that follow one another, so the agent, the libraries it needs and an /init that
starts it are put behind the guest's initramfs on its boot partition.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from control_plane.model.image import Image
from images import debian_packages, initramfs
from tests.drivers.libvirt.two_hosts import catalogued

_PACKAGES = (
    "qemu-guest-agent",
    "libc6",
    "libglib2.0-0",
    "libnuma1",
    "libudev1",
    "liburing2",
    "libpcre2-8-0",
)
_OF_LIBC = ("libc.so.6", "libm.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2")
_LIBRARIES = "lib/x86_64-linux-gnu"
_BEFORE = "nc -ll -p 80 -e /serve &"
_AGENT = """
load virtio_console
for port in /dev/vport*p*; do
    LD_LIBRARY_PATH=/lib/x86_64-linux-gnu /bin/qemu-ga -m virtio-serial -p "$port" -t /run -f /run/qga.pid &
done
"""
_HOOKS = {
    "dump": "echo Dumping residents.; sleep 1; echo '\"dumped\"' >> /data/records; sync; echo '3 tables.'; echo",
    "breaks": "echo fine so far; printf 'disk \\033[31m full\\007\\n' >&2; exit 3",
    "chatters": "yes 'a line of a very long dump' 2>/dev/null | head -c 12000000; echo; echo 'the end'",
    "marks": """
for disk in /sys/block/vd*; do
    case $(cat $disk/serial) in vol-*)
        sectors=$(cat $disk/size)
        disk=/dev/${disk##*/}
        echo "its end was at $sectors" | dd of=$disk bs=512 seek=$((sectors - 1)) conv=notrunc
        sync
        echo "$sectors sectors, $(dd if=$disk bs=512 skip=2097151 count=1 | head -n 1)" ;;
    esac
done
""",
    "lingers": "while :; do sleep 1; echo '\"lingering\"' >> /data/records; done",
}
"""What stands in /etc/yui/backup-hooks."""
_SECTOR = 512
_EPOCH = 1_262_304_000


def agent_image(tiny: Image, recipe: Path, folder: Path, cache: Path) -> Image:
    """Raises YuiError where a package can't be had."""
    folder.mkdir()
    unpacked, root = folder / "unpacked", folder / "root"
    kernel = debian_packages.current_kernel("linux-image-cloud-amd64")
    for package in (kernel, *_PACKAGES):
        version = debian_packages.candidate(package)
        debian_packages.unpack(package, version, cache, unpacked)
    libraries = root / _LIBRARIES
    for directory in (libraries, root / "lib64", root / "bin", root / "modules"):
        directory.mkdir(parents=True)
    _copy(next(unpacked.rglob("qemu-ga")), root / "bin" / "qemu-ga")
    _copy(next(unpacked.rglob("ld-linux-x86-64.so.2")), root / "lib64" / "ld-linux-x86-64.so.2")
    _copy(next(unpacked.rglob("virtio_console.ko*")), root / "modules" / "virtio_console.ko")
    for library in unpacked.rglob("*.so.*"):
        ours = library.name in _OF_LIBC or library.name.startswith(
            ("libglib-2.0", "libgmodule-2.0", "libnuma", "libudev", "liburing", "libpcre2-8")
        )
        if ours and library.parent.name == "x86_64-linux-gnu":
            _copy(library, libraries / library.name)
    init = recipe.read_text()
    assert _BEFORE in init
    (root / "init").write_text(init.replace(_BEFORE, _AGENT + _BEFORE))
    (root / "init").chmod(0o755)
    hooks = root / "etc" / "yui" / "backup-hooks"
    hooks.mkdir(parents=True)
    for name, script in _HOOKS.items():
        (hooks / name).write_text(f"#!/bin/sh\n{script}\n")
        (hooks / name).chmod(0o755)
    return _with_archive(tiny, initramfs.pack(root, _EPOCH), folder)


def _with_archive(tiny: Image, archive: bytes, folder: Path) -> Image:
    raw, made = folder / "disk.raw", folder / "agent.qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "raw", tiny.location, raw], check=True)
    with raw.open("rb") as disk:
        entry = disk.read(_SECTOR)[446:462]
    partition = f"{raw}@@{int.from_bytes(entry[8:12], 'little') * _SECTOR}"
    first, both = folder / "initramfs", folder / "both"
    subprocess.run(["mcopy", "-n", "-i", partition, "::initramfs", first], check=True)
    content = first.read_bytes()
    both.write_bytes(content.ljust(-(-len(content) // _SECTOR) * _SECTOR, b"\0") + archive)
    subprocess.run(["mcopy", "-o", "-i", partition, both, "::initramfs"], check=True)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, made], check=True)
    raw.unlink()
    return catalogued("agent", made)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o755)
