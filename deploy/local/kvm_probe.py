"""Finds out whether KVM really runs guests here.

A device that opens, makes VMs and even runs real-mode code proves nothing: on machines that are
themselves virtual, KVM may emulate each instruction of a 64-bit kernel, so that a guest never gets
through its boot. So a tiny guest enters 64-bit mode and counts down from 2**26, which takes any
processor well under a second and an emulator minutes.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from control_plane.model.units import Seconds

ROM_SIZE = 64 * 1024
_RESET_VECTOR = 0xFFF0
_PASSED = 33
"""QEMU's isa-debug-exit leaves with twice the written byte (0x10) plus one."""

_COUNT_DOWN_IN_LONG_MODE = bytes.fromhex(
    "fa31c08ed88ec0fc"  # cli; ds = es = 0
    "66bf001000006631c066b9000c00006766f3ab"  # clear three pages of tables at 0x1000
    "66c706001003200000"  # level 4 [0] -> 0x2000, present and writable
    "66c706002003300000"  # level 3 [0] -> 0x3000
    "66c706003083000000"  # level 2 [0] -> 0, one page of 2 MiB
    "66b8200000000f22e0"  # cr4.PAE
    "66b8001000000f22d8"  # cr3 = 0x1000
    "66b9800000c00f32660d000100000f30"  # EFER.LME
    "2e660f01169800"  # lgdt from offset 0x98
    "66b8110000800f22c0"  # cr0: paging and protection
    "66ea70000f000800"  # jump into 64-bit code at 0xf0070
    "b900000004ffc975fc"  # count down from 2**26
    "b01066baf400eef4"  # out 0xf4, 0x10; hlt
    "8db400008d7400"  # alignment
    "0000000000000000"  # GDT: null,
    "00000000009a2000"  # 64-bit code
    "0f0088000f00"  # its limit and base
)
_JUMP_TO_ROM = bytes.fromhex("ea000000f0")  # far jump to f000:0000, where the first page maps it


def kvm_works(patience: Seconds = Seconds(4.0), qemu: str = "qemu-system-x86_64") -> bool:
    """True where a 64-bit guest ran on /dev/kvm within `patience`."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.TemporaryDirectory(prefix="yui-kvm-") as folder:
        path = Path(folder) / "count.rom"
        path.write_bytes(probe_rom())
        return runs_to_its_end(path, "kvm", patience, qemu)


def probe_rom() -> bytes:
    """The guest, as the ROM of QEMU's machine `pc`."""
    rom = bytearray(b"\xf4" * ROM_SIZE)
    rom[: len(_COUNT_DOWN_IN_LONG_MODE)] = _COUNT_DOWN_IN_LONG_MODE
    rom[_RESET_VECTOR : _RESET_VECTOR + len(_JUMP_TO_ROM)] = _JUMP_TO_ROM
    return bytes(rom)


def runs_to_its_end(rom: Path, accelerator: str, patience: Seconds, qemu: str) -> bool:
    """True where the guest in `rom` (64 KiB) reported that it had finished."""
    command = [
        qemu, "-accel", accelerator, "-machine", "pc", "-m", "16", "-display", "none",
        "-nodefaults", "-no-user-config", "-no-reboot", "-bios", str(rom),
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
    ]  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=patience,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == _PASSED
