"""Judges an image against the admission standard, from outside: nothing of it is started or mounted.

Whoever brings images in calls `judge` with a path: the operator's directory today, uploads as well.
All failures are told at once, so that a vendor mends an image once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.image import Finding, ImageFormat, Verdict
from images import standard
from images.disk_layout import HEAD_BYTES, Firmware, Layout, NoLayout, Partition, read_layout
from images.disk_reading import DiskReader
from images.guest_files import GuestFacts, read_guest
from images.inspection import ImageFacts, Limits, Unfit, inspect_image
from images.machine_description import wishes_that_break

_GIB = 1024**3
_MAX_LOOKED_INTO_BYTES = 64 * _GIB
_MAX_PARTITIONS_LOOKED_INTO = 8

_BROKEN_BY = {
    "not-an-image": standard.FORMAT,
    "image-refers-elsewhere": standard.ONE_FILE,
    "image-encrypted": standard.NOT_ENCRYPTED,
    "image-holds-snapshots": standard.NO_SNAPSHOTS,
    "image-damaged": standard.UNDAMAGED,
    "image-too-big": standard.SIZE,
}


@dataclass(frozen=True, slots=True)
class Declared:
    """What the image's maker says of it where it can't be read from outside."""

    virtio: bool = False
    no_cloud: bool = False
    serial_console: bool = False
    no_host_pinning: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """An image that is admitted; `report` has a finding for every requirement."""

    facts: ImageFacts
    report: tuple[Finding, ...]


def judge(
    path: Path,
    limits: Limits,
    declared: Declared,
    machine: str | None = None,
) -> Judged:
    """`machine` is a vendor's description of the machine: an OVF, a libvirt domain or JSON.

    Raises YuiError "image-refused" with every failure in `fields`, and "image-file-missing",
    "image-changed", "machine-description-invalid" or "program-missing" where nothing was judged."""
    wishes = () if machine is None else wishes_that_break(machine)
    facts: ImageFacts | None = None
    found: list[Finding] = []
    guest = GuestFacts()
    try:
        facts = inspect_image(path, limits)
        found.extend(_sound(facts, limits))
        with tempfile.TemporaryDirectory(prefix="yui-image-") as scratch:
            found.extend(_look_into(path, facts, Path(scratch), guest))
    except Unfit as unfit:
        found.extend(_broken(_BROKEN_BY[wrong.type], wrong.en, wrong.ja) for wrong in unfit.wrong)
    found.extend(_of_guest(path.name, guest, declared))
    found.append(_of_machine(path.name, declared, described=machine is not None))
    for requirement, en, ja in wishes:
        found = [each for each in found if each.requirement != requirement]
        found.append(
            _broken(
                requirement,
                f"The machine's description asks for {en}: take that out.",
                f"マシン定義が{ja}を求めています。取り除いてください。",
            )
        )
    failures = [each for each in found if each.verdict in {Verdict.FAILED, Verdict.UNKNOWN}]
    if facts is None or failures:
        raise _refused(failures)
    return Judged(facts, tuple(sorted(found, key=lambda each: each.requirement)))


def _sound(facts: ImageFacts, limits: Limits) -> Iterator[Finding]:
    """What `inspect_image` has proved by coming to an end."""
    format = facts.format.value
    for requirement, en, ja in (
        (standard.FORMAT, f"It is {format}.", f"形式は {format} です。"),
        (standard.ONE_FILE, "It names no other file.", "他のファイルを指していません。"),
        (standard.NOT_ENCRYPTED, "It is not encrypted.", "暗号化されていません。"),
        (standard.NO_SNAPSHOTS, "It holds no snapshots.", "スナップショットはありません。"),
        (standard.UNDAMAGED, "It was read from end to end.", "最後まで読めました。"),
        (
            standard.SIZE,
            f"The file has {facts.size_bytes / _GIB:.2f} of {limits.file} GiB, the disk {facts.virtual_size} of {limits.virtual_size} GiB.",
            f"ファイルは {facts.size_bytes / _GIB:.2f} GiB(上限 {limits.file})、ディスクは {facts.virtual_size} GiB(上限 {limits.virtual_size})です。",
        ),
    ):
        yield Finding(requirement, Verdict.CHECKED, en, ja)


def _look_into(
    path: Path, facts: ImageFacts, scratch: Path, guest: GuestFacts
) -> Iterator[Finding]:
    disk = DiskReader(path, facts.format, scratch)
    disk_bytes = facts.size_bytes if facts.format is ImageFormat.RAW else facts.virtual_size * _GIB
    try:
        head = disk.slice(0, min(HEAD_BYTES, disk_bytes)).read(0, HEAD_BYTES)
        layout = read_layout(head, disk_bytes)
    except NoLayout as none:
        yield _broken(
            standard.PARTITIONS,
            f"{path.name} {none.en}: make the disk anew with an MBR or GPT table.",
            f"{path.name} {none.ja}。MBR か GPT の表を持つディスクを作り直してください。",
        )
        return
    except YuiError:
        yield _broken(
            standard.UNDAMAGED,
            f"The beginning of the disk in {path.name} can't be read: make it again with 'qemu-img convert -O qcow2'.",
            f"{path.name} のディスクの先頭を読めません。「qemu-img convert -O qcow2」で作り直してください。",
        )
        return
    yield from _of_layout(path.name, layout)
    for partition in layout.partitions[:_MAX_PARTITIONS_LOOKED_INTO]:
        _look_into_partition(disk, partition, scratch, guest)


def _of_layout(name: str, layout: Layout) -> Iterator[Finding]:
    count = len(layout.partitions)
    yield Finding(
        standard.PARTITIONS,
        Verdict.CHECKED,
        f"It has {layout.table} with partitions: {count}.",
        f"{layout.table}(区画 {count} 個)です。",
    )
    if Firmware.BIOS in layout.starts_by:
        both = Firmware.EFI in layout.starts_by
        yield Finding(
            standard.BIOS,
            Verdict.CHECKED,
            "It starts by BIOS and by EFI." if both else "It starts by BIOS.",
            "BIOS でも EFI でも起動します。" if both else "BIOS で起動します。",
        )
    elif Firmware.EFI in layout.starts_by:
        yield _broken(
            standard.BIOS,
            f"{name} starts by EFI alone: install a boot loader for BIOS too.",
            f"{name} は EFI でしか起動しません。BIOS 用のブートローダーも入れてください。",
        )
    else:
        yield _broken(
            standard.BIOS,
            f"{name} has no partition that a BIOS could start from: mark one active and install a boot loader.",
            f"{name} に BIOS で起動できる区画がありません。区画をアクティブにし、ブートローダーを入れてください。",
        )


def _look_into_partition(
    disk: DiskReader, partition: Partition, scratch: Path, guest: GuestFacts
) -> None:
    """What can't be read stays unknown, and is then for the maker to declare."""
    if partition.length > _MAX_LOOKED_INTO_BYTES:
        return
    try:
        part = disk.slice(partition.offset, partition.length)
        read_guest(part, scratch, guest)
    except (YuiError, OSError):
        return
    if disk.format is ImageFormat.QCOW2:
        part.file.unlink(missing_ok=True)


def _of_guest(name: str, guest: GuestFacts, declared: Declared) -> Iterator[Finding]:
    yield _known_or_declared(_HAS_VIRTIO, name, guest.virtio, declared.virtio)
    # A guest may read the seed by a program of its own, so that cloud-init is absent proves nothing.
    known = guest.no_cloud if guest.cloud_init else None
    yield _known_or_declared(_READS_THE_SEED, name, known, declared.no_cloud)
    yield _known_or_declared(_HAS_CONSOLE, name, guest.serial_console, declared.serial_console)


def _of_machine(name: str, declared: Declared, *, described: bool) -> Finding:
    if described:
        return Finding(
            standard.NO_HOST_PINNING,
            Verdict.CHECKED,
            "Its machine's description asks for nothing of one host.",
            "マシン定義は特定のホストに頼っていません。",
        )
    return _known_or_declared(_NEEDS_NO_HOST, name, None, declared.no_host_pinning)


@dataclass(frozen=True, slots=True)
class _Question:
    """Something that may be read in the image, or must be declared by `word`. `absent` is for what
    was looked for and is not there."""

    requirement: str
    word: str
    en: str
    ja: str
    absent_en: str = ""
    absent_ja: str = ""


_HAS_VIRTIO = _Question(
    standard.VIRTIO,
    "virtio",
    "drivers for virtio",
    "virtio ドライバー",
    "lacks the drivers virtio_blk (at start) or virtio_net: add them to its kernel or initramfs.",
    "に virtio_blk(起動時)か virtio_net のドライバーがありません。カーネルか initramfs に加えてください。",
)
_READS_THE_SEED = _Question(
    standard.CLOUD_INIT,
    "cloud_init",
    "cloud-init, or what reads a NoCloud seed",
    "NoCloud のシードを読む仕組み",
    "has a cloud-init that does not ask NoCloud: add NoCloud to its datasource_list.",
    "の cloud-init は NoCloud を使いません。datasource_list に NoCloud を加えてください。",
)
_HAS_CONSOLE = _Question(
    standard.SERIAL_CONSOLE, "serial_console", "a console on ttyS0", "ttyS0 のコンソール"
)
_NEEDS_NO_HOST = _Question(
    standard.NO_HOST_PINNING,
    "no_host_pinning",
    "independence of any one host",
    "特定のホストに頼らないこと",
)


def _known_or_declared(
    question: _Question, name: str, known: bool | None, declared: bool
) -> Finding:
    """What was read in the image counts; what could not be read must be declared."""
    requirement, en, ja = question.requirement, question.en, question.ja
    if known:
        return Finding(
            requirement, Verdict.CHECKED, f"Read in it: {en}.", f"イメージ内で確認: {ja}。"
        )
    if known is False:
        return _broken(requirement, f"{name} {question.absent_en}", f"{name} {question.absent_ja}")
    if declared:
        return Finding(
            requirement, Verdict.DECLARED, f"Its maker declares {en}.", f"作成者の申告: {ja}。"
        )
    return Finding(
        requirement,
        Verdict.UNKNOWN,
        f"{name} can't be seen from outside to have {en}: declare {question.word}, if it is so.",
        f"{name} の{ja}は外から確認できません。そのとおりであれば {question.word} を申告してください。",
    )


def _broken(requirement: str, en: str, ja: str) -> Finding:
    return Finding(requirement, Verdict.FAILED, en, ja)


def _refused(failures: list[Finding]) -> YuiError:
    ordered = sorted(failures, key=lambda each: each.requirement)
    return YuiError(
        "image-refused",
        en="\n".join(f"{each.requirement}: {each.en}" for each in ordered),
        ja="\n".join(f"{each.requirement}: {each.ja}" for each in ordered),
        fields={"failures": [_failure(each) for each in ordered]},
    )


def _failure(finding: Finding) -> Mapping[str, str]:
    return {
        "requirement": finding.requirement,
        "verdict": finding.verdict.value,
        "en": finding.en,
        "ja": finding.ja,
    }
