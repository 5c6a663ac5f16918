"""Reads a guest's files from outside, to see whether it can run here: nothing is mounted or started.

Only ext2/3/4 and FAT are read, by debugfs and mtools, in processes bounded in time, memory and
output. A root on anything else (XFS, LVM, encrypted) stays unknown.
"""

from __future__ import annotations

import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from images.disk_reading import Slice
from images.initramfs_reading import names_in_initramfs
from images.programs import bounded, run

_MEMORY_BYTES = 512 * 1024**2
_MAX_TEXT_BYTES = 4 * 1024**2
_MAX_INITRAMFS_BYTES = 512 * 1024**2
_MAX_INITRAMFSES = 3
_EXT_MAGIC = b"\x53\xef"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "MTOOLS_SKIP_CHECK": "1"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,200}")
_INITRAMFS = re.compile(r"init(rd|ramfs)[^/]*", re.IGNORECASE)
_BOOT_CONFIGS = (
    "/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg", "/grub2/grub.cfg",
    "/boot/extlinux/extlinux.conf", "/extlinux/extlinux.conf", "/extlinux.conf", "/syslinux.cfg",
)  # fmt: skip
_BOOT_ENTRIES = ("/boot/loader/entries", "/loader/entries")
_MODULES = ("/usr/lib/modules", "/lib/modules")
_CLOUD_CONFIG = "/etc/cloud"
_CLOUD_INIT = ("/usr/bin/cloud-init", "/usr/local/bin/cloud-init")
_SOURCES = re.compile(r"^datasource_list\s*:(.*(?:\n\s*-.*)*)", re.MULTILINE)
_SERIAL = re.compile(r"\bconsole=ttyS0\b")


@dataclass
class GuestFacts:
    """What was read of a guest; None where that can't be known. `initramfs` are the drivers there
    at the very start, `modules` those of the root file system, `built_in` those in the kernel."""

    initramfs: set[str] | None = None
    modules: set[str] | None = None
    built_in: set[str] | None = None
    cloud_init: bool | None = None
    cloud_sources: str | None = None
    serial_console: bool | None = None

    def has_driver(self, driver: str, *, at_start: bool) -> bool | None:
        """Whether the guest has it, for a disk's within what starts first."""
        sources = [self.initramfs, self.built_in, *([] if at_start else [self.modules])]
        if any(driver in source for source in sources if source is not None):
            return True
        # Without the kernel's list of what is built in, absence elsewhere says nothing.
        return None if any(source is None for source in sources) else False

    @property
    def virtio(self) -> bool | None:
        found = {
            self.has_driver("virtio_blk", at_start=True),
            self.has_driver("virtio_net", at_start=False),
        }
        return False if False in found else None if None in found else True

    @property
    def no_cloud(self) -> bool | None:
        """Whether cloud-init is there and asks a NoCloud seed."""
        if self.cloud_init and self.cloud_sources is not None:
            return "nocloud" in self.cloud_sources.lower()
        return self.cloud_init


def read_guest(partition: Slice, scratch: Path, facts: GuestFacts) -> None:
    """Add to `facts` what is in the partition."""
    head = partition.read(0, 2048)
    files: _Files
    if head[1080:1082] == _EXT_MAGIC:
        files = _Ext(partition, scratch)
    elif head[510:512] == b"\x55\xaa" and (head[54:57] == b"FAT" or head[82:85] == b"FAT"):
        files = _Fat(partition, scratch)
    else:
        return
    _read_boot(files, facts)
    _read_root(files, facts)


class _Files(ABC):
    """Some file system. A path that is not there has no names and no text."""

    def __init__(self, partition: Slice, scratch: Path) -> None:
        self._partition = partition
        self._out = scratch / "read"

    @abstractmethod
    def names(self, directory: str) -> list[str]:
        """What lies in it; nothing where it is not there."""

    @abstractmethod
    def copy(self, path: str, most_bytes: int) -> Path | None:
        """Into the scratch folder; None where there is no such file, or a larger one than `most_bytes`."""

    def text(self, path: str) -> str | None:
        found = self.copy(path, _MAX_TEXT_BYTES)
        return None if found is None else found.read_text(encoding="utf-8", errors="replace")

    def _run(self, command: list[str], most_bytes: int) -> bool:
        try:
            run(
                bounded(
                    command, cpu=Seconds(20), memory_bytes=_MEMORY_BYTES, file_bytes=most_bytes
                ),
                limit=Seconds(60),
                env=_ENVIRONMENT,
                into=self._out,
            )
        except YuiError:
            return False
        return True


class _Ext(_Files):
    def _debugfs(self, request: str, most_bytes: int) -> bool:
        place = f"{self._partition.file}?offset={self._partition.offset}"
        return self._run(["debugfs", "-R", request, place], most_bytes)

    def names(self, directory: str) -> list[str]:
        if not self._debugfs(f"ls -p {directory}", _MAX_TEXT_BYTES):
            return []
        # A line is /inode/mode/uid/gid/name/size/ and a name holds no slash.
        lines = self._out.read_text(encoding="utf-8", errors="replace").splitlines()
        fields = [line.split("/") for line in lines]
        return [each[5] for each in fields if len(each) > 6 and _PLAIN_NAME.fullmatch(each[5])]

    def copy(self, path: str, most_bytes: int) -> Path | None:
        done = self._debugfs(f"cat {path}", most_bytes)
        return self._out if done and self._out.stat().st_size else None


class _Fat(_Files):
    @property
    def _image(self) -> str:
        return f"{self._partition.file}@@{self._partition.offset}"

    def names(self, directory: str) -> list[str]:
        if not self._run(["mdir", "-b", "-i", self._image, f"::{directory}"], _MAX_TEXT_BYTES):
            return []
        lines = self._out.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.rstrip("/").rpartition("/")[2] for line in lines if line.startswith("::")]
        return [name for name in names if _PLAIN_NAME.fullmatch(name)]

    def copy(self, path: str, most_bytes: int) -> Path | None:
        done = self._run(["mtype", "-i", self._image, f"::{path}"], most_bytes)
        return self._out if done and self._out.stat().st_size else None


def _read_boot(files: _Files, facts: GuestFacts) -> None:
    for directory in ("/boot", ""):
        archives = [name for name in files.names(directory or "/") if _INITRAMFS.fullmatch(name)]
        for name in sorted(archives)[-_MAX_INITRAMFSES:]:
            _add_initramfs(files.copy(f"{directory}/{name}", _MAX_INITRAMFS_BYTES), facts)
    entries = (
        f"{folder}/{name}"
        for folder in _BOOT_ENTRIES
        for name in files.names(folder)
        if name.endswith(".conf")
    )
    for path in (*_BOOT_CONFIGS, *entries):
        text = files.text(path)
        if text is not None and _SERIAL.search(text):
            facts.serial_console = True


def _add_initramfs(archive: Path | None, facts: GuestFacts) -> None:
    if archive is None:
        return
    apart = archive.with_name("initramfs")
    shutil.copyfile(archive, apart)
    names = names_in_initramfs(apart)
    if names is not None:
        facts.initramfs = (facts.initramfs or set()) | set(_drivers(names))


def _read_root(files: _Files, facts: GuestFacts) -> None:
    etc = files.names("/etc")
    if not etc:
        return
    for folder in _MODULES:
        for kernel in files.names(folder):
            listed = files.text(f"{folder}/{kernel}/modules.builtin")
            if listed is None:
                continue
            facts.built_in = (facts.built_in or set()) | set(_drivers(listed.split()))
            there = files.text(f"{folder}/{kernel}/modules.dep") or ""
            dependencies = (line.partition(":")[0] for line in there.splitlines())
            facts.modules = (facts.modules or set()) | set(_drivers(dependencies))
    facts.cloud_init = any(
        program.rpartition("/")[2] in files.names(program.rpartition("/")[0])
        for program in _CLOUD_INIT
    )
    configs = [
        f"{_CLOUD_CONFIG}/cloud.cfg",
        *(
            f"{_CLOUD_CONFIG}/cloud.cfg.d/{name}"
            for name in sorted(files.names(f"{_CLOUD_CONFIG}/cloud.cfg.d"))
            if name.endswith(".cfg")
        ),
    ]
    for path in configs:
        for found in _SOURCES.finditer(files.text(path) or ""):
            facts.cloud_sources = found[1]


def _drivers(paths: Iterator[str] | frozenset[str] | list[str]) -> Iterator[str]:
    """The names of kernel modules among the paths, as the kernel writes them."""
    for path in paths:
        name, dot, _ = path.rpartition("/")[2].partition(".ko")
        if dot:
            yield name.replace("-", "_")
