"""What an image must satisfy is read in the image itself, or declared; every lack is told at once."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.model.errors import YuiError
from control_plane.model.image import Verdict
from images.build import BuiltImage
from images.disk_layout import NoLayout, read_layout
from images.initramfs_reading import names_in_initramfs
from images.inspection import Limits
from images.judgement import Declared, Judged, judge
from images.standard import STANDARD
from tests.images import disks
from tests.images.guest import need
from tests.thoroughness import examples

ALL = Declared(virtio=True, no_cloud=True, serial_console=True, no_host_pinning=True)
BUILT_IN = "kernel/drivers/char/hw_random/virtio-rng.ko\n"
DEPENDENCIES = "kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko\n"
GRUB = "linux /boot/vmlinuz root=/dev/vda1 ro console=tty0 console=ttyS0,115200\n"


@pytest.fixture(autouse=True)
def programs() -> None:
    need("qemu-img", "sfdisk", "mke2fs", "debugfs", "cpio", "prlimit")


def judged(path: Path, declared: Declared = ALL, machine: str | None = None) -> Judged:
    return judge(path, Limits(), declared, machine)


def verdicts(path: Path, declared: Declared = ALL) -> dict[str, Verdict]:
    return {each.requirement: each.verdict for each in judged(path, declared).report}


def failures(
    path: Path, declared: Declared = ALL, machine: str | None = None
) -> dict[str, tuple[str, str]]:
    """The verdict and the English sentence by requirement."""
    with pytest.raises(YuiError) as refused:
        judged(path, declared, machine)
    assert refused.value.type == "image-refused"
    told = {
        each["requirement"]: (each["verdict"], each["en"])
        for each in refused.value.fields["failures"]
    }
    assert len(refused.value.en.splitlines()) == len(refused.value.ja.splitlines()) == len(told)
    assert str(path.parent) not in refused.value.en
    return told


def linux(tmp_path: Path, *early: str, packing: str = "gzip", **changes: str) -> Path:
    """A guest as a distribution lays it out, with those drivers in its initramfs."""
    files = {
        "boot/initrd.img-6.1.0": disks.initramfs(tmp_path, *early, packing=packing),
        "boot/grub/grub.cfg": GRUB,
        "usr/lib/modules/6.1.0/modules.builtin": BUILT_IN,
        "usr/lib/modules/6.1.0/modules.dep": DEPENDENCIES,
        "usr/bin/cloud-init": "#!/usr/bin/python3\n",
        "etc/cloud/cloud.cfg": "users: [default]\n",
        **changes,
    }
    return disks.with_root(tmp_path / "office.raw", files)


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "qcow2"])
def test_what_a_linux_guest_has_is_read_and_needs_no_declaration(
    tmp_path: Path, packed: bool
) -> None:
    path = linux(tmp_path, "virtio_blk", "virtio_pci")
    path = disks.as_qcow2(path, "-c") if packed else path
    found = verdicts(path, Declared(no_host_pinning=True))
    assert set(found) == {requirement.id for requirement in STANDARD}
    assert found.pop("IMG-12") is Verdict.DECLARED
    assert set(found.values()) == {Verdict.CHECKED}


@pytest.mark.long
def test_the_tiny_guest_meets_the_standard_that_it_is_published_with(tiny: BuiltImage) -> None:
    found = verdicts(tiny.path, Declared(no_cloud=True, no_host_pinning=True))
    assert found["IMG-09"] is Verdict.CHECKED
    assert found["IMG-11"] is Verdict.CHECKED
    assert [id for id, verdict in found.items() if verdict is Verdict.DECLARED] == [
        "IMG-10",
        "IMG-12",
    ]


@pytest.mark.parametrize("packing", ["none", "gzip", "xz", "early", "zstd", "lz4"])
def test_an_initramfs_is_read_however_it_is_packed(tmp_path: Path, packing: str) -> None:
    if packing in {"zstd", "lz4"}:
        need(packing)
    archive = tmp_path / "archive"
    content = disks.initramfs(tmp_path, "virtio_blk", packing=packing)
    if packing == "lz4":
        content = subprocess.run(
            ["lz4", "-l", "-c"],
            input=disks.initramfs(tmp_path, "virtio_blk"),
            capture_output=True,
            check=True,
        ).stdout
    archive.write_bytes(content)
    names = names_in_initramfs(archive)
    assert names is not None
    assert any(name.endswith("virtio_blk.ko") for name in names)


def test_a_guest_without_virtio_at_its_start_is_refused_whatever_is_declared(
    tmp_path: Path,
) -> None:
    told = failures(linux(tmp_path, "ahci", "e1000"))
    assert list(told) == ["IMG-09"]
    assert told["IMG-09"][0] == "failed"
    assert "virtio_blk (at start)" in told["IMG-09"][1]


def test_a_driver_within_the_kernel_counts(tmp_path: Path) -> None:
    built_in = BUILT_IN + "kernel/drivers/block/virtio_blk.ko\n"
    path = linux(tmp_path, "ahci", **{"usr/lib/modules/6.1.0/modules.builtin": built_in})
    assert verdicts(path)["IMG-09"] is Verdict.CHECKED


def test_a_cloud_init_that_asks_other_clouds_alone_is_refused(tmp_path: Path) -> None:
    other = {"etc/cloud/cloud.cfg.d/90_dpkg.cfg": "datasource_list: [ Ec2, None ]\n"}
    told = failures(linux(tmp_path, "virtio_blk", **other))
    assert "datasource_list" in told["IMG-10"][1]
    listed = {"etc/cloud/cloud.cfg.d/90_dpkg.cfg": "datasource_list:\n  - NoCloud\n  - None\n"}
    shutil.rmtree(tmp_path / "office.root")
    assert verdicts(linux(tmp_path, "virtio_blk", **listed))["IMG-10"] is Verdict.CHECKED


def test_what_can_neither_be_read_nor_was_declared_is_told_all_at_once(tmp_path: Path) -> None:
    path = disks.partitioned(tmp_path / "windows.raw", disks.ACTIVE_MBR)
    told = failures(path, Declared())
    assert list(told) == ["IMG-09", "IMG-10", "IMG-11", "IMG-12"]
    assert {verdict for verdict, _ in told.values()} == {"unknown"}
    assert [sentence.split("declare ")[1].split(",")[0] for _, sentence in told.values()] == [
        "virtio",
        "cloud_init",
        "serial_console",
        "no_host_pinning",
    ]
    assert set(list(verdicts(path).values())[-4:]) == {Verdict.DECLARED}


def test_it_is_said_which_firmware_starts_a_disk(tmp_path: Path) -> None:
    def said(table: str, name: str) -> str:
        report = judged(disks.partitioned(tmp_path / name, table)).report
        return next(each.en for each in report if each.requirement == "IMG-08")

    assert said(disks.ACTIVE_MBR, "mbr.raw") == "It starts by BIOS."
    assert said(disks.BIOS_AND_EFI_GPT, "both.raw") == "It starts by BIOS and by EFI."
    told = failures(disks.partitioned(tmp_path / "efi.raw", disks.EFI_GPT))
    assert "starts by EFI alone" in told["IMG-08"][1]
    without_code = disks.partitioned(tmp_path / "data.raw", disks.ACTIVE_MBR, code=b"")
    assert "no partition that a BIOS could start" in failures(without_code)["IMG-08"][1]
    unmarked = disks.partitioned(
        tmp_path / "unmarked.raw", disks.ACTIVE_MBR.replace(", bootable", ""), code=b"\xfa"
    )
    assert "mark one active" in failures(unmarked)["IMG-08"][1]


def test_a_disk_without_partitions_is_refused(tmp_path: Path) -> None:
    blank = tmp_path / "blank.raw"
    blank.write_bytes(bytes(510) + b"\x55\xaa" + bytes(disks.MIB - 512))
    assert "empty partition table" in failures(blank)["IMG-07"][1]
    empty = tmp_path / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", empty, "1G"], check=True)
    assert "no boot sector" in failures(empty)["IMG-07"][1]


def test_a_partition_beyond_the_end_and_a_damaged_gpt_are_refused(tmp_path: Path) -> None:
    cut = disks.partitioned(tmp_path / "cut.raw", disks.ACTIVE_MBR)
    with cut.open("r+b") as file:
        file.truncate(disks.DISK_BYTES // 2)
    assert "reaches beyond its disk" in failures(cut)["IMG-07"][1]
    damaged = disks.partitioned(tmp_path / "damaged.raw", disks.BIOS_AND_EFI_GPT)
    with damaged.open("r+b") as file:
        file.seek(1024 + 1)
        file.write(b"\xff")
    assert "damaged GPT" in failures(damaged)["IMG-07"][1]


def test_everything_wrong_with_a_qcow2_is_told_together(tmp_path: Path) -> None:
    path = disks.as_qcow2(disks.partitioned(tmp_path / "office.raw", disks.ACTIVE_MBR))
    subprocess.run(["qemu-img", "snapshot", "-c", "before", path], check=True)
    assert "holds 1 internal snapshots" in failures(path)["IMG-04"][1]
    with path.open("r+b") as file:
        file.seek(32)
        file.write((2).to_bytes(4, "big"))
        file.seek(72)
        file.write((2).to_bytes(8, "big"))
    assert list(failures(path, Declared(virtio=True))) == [
        *("IMG-03", "IMG-04", "IMG-05"),
        *("IMG-10", "IMG-11", "IMG-12"),
    ]


def test_a_qcow2_whose_tables_contradict_each_other_is_damaged(tmp_path: Path) -> None:
    path = disks.as_qcow2(linux(tmp_path, "virtio_blk"))
    with path.open("r+b") as file:
        file.seek(40)
        first_table = int.from_bytes(file.read(8), "big")
        file.seek(first_table)
        second_table = int.from_bytes(file.read(8), "big") & ((1 << 56) - 512)
        file.seek(second_table)
        file.write(b"\x80" + (1 << 40).to_bytes(7, "big"))
    assert list(failures(path)) == ["IMG-05"]


@pytest.mark.parametrize(
    ("machine", "requirement", "said"),
    [
        ('{"host_devices": ["0000:03:00.0"]}', "IMG-12", "devices of the host"),
        ('{"fixed_mac_addresses": ["52:54:00:00:00:01"]}', "IMG-12", "fixed MAC addresses"),
        ('{"disk_bus": "sata"}', "IMG-09", "disks on sata"),
        ('{"firmware": "efi"}', "IMG-08", "the firmware efi"),
        ("<domain><vcpu cpuset='0-3'>4</vcpu></domain>", "IMG-12", "pinned CPUs"),
        (
            "<domain><cputune><vcpupin vcpu='0' cpuset='2'/></cputune></domain>",
            "IMG-12",
            "pinned CPUs",
        ),
        ("<domain><cpu mode='host-passthrough'/></domain>", "IMG-12", "CPU model of its host"),
        ("<domain><devices><hostdev/></devices></domain>", "IMG-12", "devices of the host"),
        (
            "<domain><devices><interface><mac address='52:54:00:00:00:01'/></interface></devices></domain>",
            "IMG-12",
            "fixed MAC addresses",
        ),
        (
            "<domain><devices><disk><target dev='sda' bus='sata'/></disk></devices></domain>",
            "IMG-09",
            "disks on sata",
        ),
        (
            "<Envelope xmlns='http://schemas.dmtf.org/ovf/envelope/1' xmlns:rasd='r'><Item>"
            "<rasd:ResourceSubType>E1000</rasd:ResourceSubType><rasd:ResourceType>10</rasd:ResourceType>"
            "</Item></Envelope>",
            "IMG-09",
            "network cards of the kind E1000",
        ),
        (
            "<Envelope xmlns='http://schemas.dmtf.org/ovf/envelope/1' xmlns:v='v'>"
            "<v:ExtraConfig v:key='sched.cpu.affinity' v:value='0,1'/></Envelope>",
            "IMG-12",
            "pinned CPUs",
        ),
    ],
)
def test_a_machine_that_was_built_for_one_host_is_refused(
    tmp_path: Path, machine: str, requirement: str, said: str
) -> None:
    path = disks.partitioned(tmp_path / "office.raw", disks.ACTIVE_MBR)
    told = failures(path, ALL, machine)
    assert list(told) == [requirement]
    assert said in told[requirement][1]


def test_a_machine_that_could_run_anywhere_takes_the_place_of_a_declaration(
    tmp_path: Path,
) -> None:
    path = disks.partitioned(tmp_path / "office.raw", disks.ACTIVE_MBR)
    declared = Declared(virtio=True, no_cloud=True, serial_console=True)
    plain = "<domain><vcpu>2</vcpu><devices><disk><target bus='virtio'/></disk></devices></domain>"
    for machine in (plain, '{"cpu_pinning": false, "disk_bus": "virtio", "firmware": "bios"}'):
        (last,) = judged(path, declared, machine).report[-1:]
        assert (last.requirement, last.verdict) == ("IMG-12", Verdict.CHECKED)


@pytest.mark.parametrize(
    "machine",
    [
        "a letter",
        "{",
        '{"cpus": 4}',
        "<html/>",
        "<domain>",
        "[" * 100_000,
        '{"a":' * 100_000,
        "<a>" * 50_000,
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><domain><vcpu>&b;</vcpu></domain>',
    ],
    ids=range(9),
)
def test_a_description_that_is_none_is_refused_before_anything_is_read(machine: str) -> None:
    with pytest.raises(YuiError) as refused:
        judged(Path("absent"), ALL, machine)
    assert refused.value.type == "machine-description-invalid"
    assert len(refused.value.en) < 500


def test_a_file_system_that_lies_about_itself_keeps_the_guest_unknown(tmp_path: Path) -> None:
    path = linux(tmp_path, "virtio_blk")
    with path.open("r+b") as file:
        # All of the group descriptors and tables, but not the superblock's magic.
        file.seek(disks.STARTS + 2048)
        file.write(b"\xa5" * 65536)
    told = failures(path, Declared(no_host_pinning=True))
    assert {verdict for verdict, _ in told.values()} == {"unknown"}


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(head=st.binary(max_size=3000), gpt=st.booleans())
def test_no_bytes_make_the_reader_of_partition_tables_fail(head: bytes, gpt: bool) -> None:
    disk = bytearray(head.ljust(2048, b"\0"))
    disk[510:512] = b"\x55\xaa"
    if gpt:
        disk[450] = 0xEE
        disk[512:520] = b"EFI PART"
    with suppress(NoLayout):
        assert read_layout(bytes(disk), len(disk)).partitions


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=400), cpio=st.booleans())
def test_no_bytes_make_the_reader_of_archives_fail(
    tmp_path: Path, content: bytes, cpio: bool
) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes((b"070701" if cpio else b"") + content)
    names_in_initramfs(archive)
