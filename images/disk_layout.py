"""The partition table of a disk, and which firmware can start it. Pure.

MBR as the classic table at byte 446 of the first sector; GPT as the UEFI Specification 2.10 §5.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

SECTOR = 512
HEAD_BYTES = 1024 * 1024
"""How much of a disk's beginning holds every table that is read here."""

_BOOT_CODE_BYTES = 440
_PROTECTIVE, _EFI_SYSTEM_MBR = 0xEE, 0xEF
_EXTENDED = frozenset({0x05, 0x0F, 0x85})
_EFI_SYSTEM = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_BIOS_BOOT = UUID("21686148-6449-6e6f-744e-656564454649")
_LEGACY_BOOTABLE = 1 << 2
_GPT_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_MAX_ENTRIES = 128


class Firmware(StrEnum):
    BIOS = "BIOS"
    EFI = "EFI"


@dataclass(frozen=True, slots=True)
class Partition:
    """In bytes."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`table` is MBR or GPT; `starts_by` may be empty."""

    table: str
    partitions: tuple[Partition, ...]
    starts_by: frozenset[Firmware]


class NoLayout(Exception):
    """There is no usable table; `en` and `ja` say why, to stand behind a name."""

    def __init__(self, en: str, ja: str) -> None:
        super().__init__(en)
        self.en, self.ja = en, ja


def read_layout(head: bytes, disk_bytes: int) -> Layout:
    """Of a disk of `disk_bytes` that begins with `head` (its first `HEAD_BYTES`, or all of it).
    Raises NoLayout."""
    if head[510:512] != b"\x55\xaa":
        raise NoLayout("has no boot sector", "にブートセクターがありません")
    entries = [head[446 + 16 * i : 462 + 16 * i] for i in range(4)]
    kinds = [entry[4] for entry in entries]
    code = any(head[:_BOOT_CODE_BYTES])
    layout = _gpt(head, code) if _PROTECTIVE in kinds else _mbr(entries, head, code)
    if not layout.partitions:
        raise NoLayout("has an empty partition table", "のパーティション表が空です")
    for partition in layout.partitions:
        if partition.offset < SECTOR or partition.offset + partition.length > disk_bytes:
            raise NoLayout(
                "has a partition that reaches beyond its disk", "にディスクをはみ出す区画があります"
            )
    return layout


def _mbr(entries: list[bytes], head: bytes, code: bool) -> Layout:
    partitions, active, efi = [], False, False
    for entry in entries:
        status, kind = entry[0], entry[4]
        start, sectors = struct.unpack_from("<II", entry, 8)
        if kind == 0:
            continue
        if status not in {0, 0x80} or sectors == 0:
            raise NoLayout("has no partition table", "にパーティション表がありません")
        active = active or status == 0x80
        efi = efi or kind == _EFI_SYSTEM_MBR
        if kind not in _EXTENDED:
            partitions.append(Partition(start * SECTOR, sectors * SECTOR))
    # GRUB starts from the code alone and heeds no flag.
    bios = code and (active or b"GRUB" in head[:_BOOT_CODE_BYTES])
    return Layout("MBR", tuple(partitions), _firmware(bios, efi))


def _gpt(head: bytes, code: bool) -> Layout:
    if len(head) < 2 * SECTOR + _GPT_HEADER.size:
        raise NoLayout("has a cut-off GPT", "の GPT が途中で切れています")
    header = head[SECTOR : 2 * SECTOR]
    fields = _GPT_HEADER.unpack_from(header)
    signature, header_bytes, checksum = fields[0], fields[2], fields[3]
    first_entry, count, entry_bytes, entries_checksum = fields[10:14]
    if signature != b"EFI PART" or not _GPT_HEADER.size <= header_bytes <= SECTOR:
        raise NoLayout("announces a GPT and has none", "に GPT がありません")
    blanked = header[:16] + bytes(4) + header[20:header_bytes]
    begins = first_entry * SECTOR
    table = head[begins : begins + count * entry_bytes]
    sensible = count <= _MAX_ENTRIES and 128 <= entry_bytes <= 4096
    if (
        zlib.crc32(blanked) != checksum
        or not sensible
        or len(table) != count * entry_bytes
        or zlib.crc32(table) != entries_checksum
    ):
        raise NoLayout("has a damaged GPT", "の GPT が壊れています")
    partitions, bios, efi = [], False, False
    for kind, partition, attributes in _gpt_entries(table, entry_bytes):
        partitions.append(partition)
        bios = bios or kind == _BIOS_BOOT or bool(attributes & _LEGACY_BOOTABLE)
        efi = efi or kind == _EFI_SYSTEM
    return Layout("GPT", tuple(partitions), _firmware(code and bios, efi))


def _gpt_entries(table: bytes, entry_bytes: int) -> Iterator[tuple[UUID, Partition, int]]:
    for place in range(0, len(table), entry_bytes):
        kind = UUID(bytes_le=table[place : place + 16])
        first, last, attributes = struct.unpack_from("<QQQ", table, place + 32)
        if kind.int == 0:
            continue
        if last < first:
            raise NoLayout("has a damaged GPT", "の GPT が壊れています")
        yield kind, Partition(first * SECTOR, (last - first + 1) * SECTOR), attributes


def _firmware(bios: bool, efi: bool) -> frozenset[Firmware]:
    return frozenset(
        firmware for firmware, can in ((Firmware.BIOS, bios), (Firmware.EFI, efi)) if can
    )
