"""What the libvirt driver does about storage that is full, missing, half made or not what it was."""

from __future__ import annotations

import fcntl
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.drivers.libvirt import STORAGE_MARK, LibvirtDriver
from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    RunState,
    ServerSpec,
    StorageFull,
    StorageUnavailable,
)
from control_plane.model.units import GiB
from tests.drivers.contract import launch, prepare, state
from tests.drivers.libvirt.two_hosts import LibvirtHosts, catalogued

pytestmark = pytest.mark.hypervisor


def on_first(hosts: LibvirtHosts, *command: str | Path) -> None:
    """Run a command on the first host, as its own administrator would."""
    words = [str(word) for word in command]
    subprocess.run(hosts.pool.command_on(hosts.pool.hosts[0].id, *words), check=True)


def in_pool(spec: ServerSpec, path: Path) -> ServerSpec:
    return replace(spec, volume=replace(spec.volume, pool_path=str(path)))


def test_full_storage_is_reported_and_nothing_is_left_on_it(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    on_first(hosts, "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small)
    try:
        on_first(hosts, "mkdir", small / STORAGE_MARK)
        full = tmp_path / "full.qcow2"
        raw = tmp_path / "random.raw"
        raw.write_bytes(os.urandom(12 * 2**20))
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, full], check=True)
        spec = replace(in_pool(hosts.spec(), small), image=catalogued("full", full))
        hosts.first.ensure_image(spec.image)
        with pytest.raises(StorageFull):
            hosts.first.ensure_volume(spec)
        left = subprocess.run(
            hosts.pool.command_on(hosts.pool.hosts[0].id, "find", str(small), "-mindepth", "1"),
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        assert left == [str(small / STORAGE_MARK)]
    finally:
        on_first(hosts, "umount", small)


def test_an_empty_mount_point_is_not_taken_for_the_storage(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    unmounted = tmp_path / "unmounted"
    unmounted.mkdir()
    spec = in_pool(hosts.spec(), unmounted)
    hosts.first.ensure_image(spec.image)
    with pytest.raises(StorageUnavailable):
        hosts.first.ensure_volume(spec)
    with pytest.raises(StorageUnavailable):
        hosts.first.remove_volume(spec.id, spec.volume)
    assert list(unmounted.iterdir()) == []


def test_a_server_does_not_start_where_its_storage_went_away(hosts: LibvirtHosts) -> None:
    spec = hosts.spec()
    prepare(hosts.first, spec)
    on_first(hosts, "mount", "-t", "tmpfs", "tmpfs", spec.volume.pool_path)
    try:
        with pytest.raises(StorageUnavailable):
            hosts.first.start(spec.id)
    finally:
        on_first(hosts, "umount", spec.volume.pool_path)
    hosts.first.start(spec.id)
    assert state(hosts.first, spec) is RunState.RUNNING


MARKS = ["root.qcow2.being-made", "being-made"]
"""Of one volume, and of a folder as before."""


@pytest.mark.parametrize(
    ("kept", "mark"),
    [*((kept, MARKS[0]) for kept in (0, 100, 64 * 1024, 200 * 1024)), (100, MARKS[1])],
)
def test_a_volume_whose_maker_died_is_made_anew(hosts: LibvirtHosts, kept: int, mark: str) -> None:
    spec = hosts.spec()
    root = hosts.root_of(spec)
    root.parent.mkdir()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", root, "1G"], check=True)
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write 0 64k", root], check=True, capture_output=True
    )
    os.truncate(root, kept)
    (root.parent / mark).touch()
    launch(hosts.first, spec)
    assert state(hosts.first, spec) is RunState.RUNNING
    assert not (root.parent / mark).exists()


def test_a_build_stays_whole_beside_an_earlier_one_whose_maker_died(hosts: LibvirtHosts) -> None:
    spec = hosts.spec()
    later = replace(spec, volume=replace(spec.volume, build=1))
    prepare(hosts.first, later)
    hosts.write_on(later)
    folder = hosts.root_of(spec).parent
    subprocess.run(["qemu-img", "create", "-q", folder / "root.qcow2", "1G"], check=True)
    (folder / "root.qcow2.being-made").touch()
    hosts.second.ensure_volume(later)
    assert hosts.is_written_on(later)


def test_a_volume_that_another_is_making_at_this_moment_is_left_to_it(hosts: LibvirtHosts) -> None:
    spec = hosts.spec()
    folder = hosts.root_of(spec).parent
    folder.mkdir()
    root = folder / "root.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", root, "1G"], check=True)
    (folder / MARKS[0]).touch()
    hosts.first.ensure_image(spec.image)
    before = root.stat().st_ino
    with subprocess.Popen(
        ["qemu-io", "-f", "qcow2", root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as maker:
        assert maker.stdout.read(len("qemu-io>")) == b"qemu-io>"
        with pytest.raises(DiskLocked):
            hosts.first.ensure_volume(spec)
        assert root.stat().st_ino == before
        maker.communicate(b"quit\n")
    hosts.first.ensure_volume(spec)
    assert not (folder / MARKS[0]).exists()


def test_a_disk_smaller_than_its_image_is_refused(hosts: LibvirtHosts) -> None:
    spec = hosts.spec()
    spec = replace(spec, image=replace(spec.image, virtual_size=GiB(5)))
    with pytest.raises(DriverError, match="5 GiB"):
        hosts.first.ensure_volume(spec)


def test_a_volume_has_the_size_that_was_asked_for_and_leans_on_no_other_file(
    hosts: LibvirtHosts,
) -> None:
    spec = hosts.spec()
    spec = replace(spec, volume=replace(spec.volume, size=GiB(3)))
    prepare(hosts.first, spec)
    said = subprocess.run(
        ["qemu-img", "info", hosts.root_of(spec)], check=True, capture_output=True, text=True
    ).stdout
    assert f"({3 * 2**30} bytes)" in said
    assert "backing file" not in said


def test_a_cached_image_that_rotted_is_fetched_again(hosts: LibvirtHosts) -> None:
    hosts.first.ensure_image(hosts.empty)
    cached = f"/var/lib/libvirt/yui-images/{hosts.empty.sha256}.qcow2"
    on_first(hosts, "sh", "-c", f"echo rotten > {cached}")
    spec = hosts.spec()
    later = LibvirtDriver(hosts.first_endpoint)
    try:
        launch(later, spec)
        assert state(later, spec) is RunState.RUNNING
    finally:
        later.close()


def test_an_image_that_leans_on_another_file_is_refused(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    path = tmp_path / "leaning.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "/etc/hostname", path, "1M"],
        check=True,
    )
    with pytest.raises(DriverError, match="refers to another file"):
        hosts.first.ensure_image(catalogued("leaning", path))


def test_the_hypervisor_itself_locks_a_running_servers_disk(hosts: LibvirtHosts) -> None:
    """virtlockd locks byte 0; QEMU's own locks, which the contract tests meet, lie elsewhere."""
    spec = hosts.spec()
    launch(hosts.first, spec)
    with hosts.root_of(spec).open("r+b") as file, pytest.raises(BlockingIOError):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
    hosts.first.destroy(spec.id, spec.generation)
    with hosts.root_of(spec).open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)


def test_the_console_goes_on_where_a_full_log_was_turned_over(hosts: LibvirtHosts) -> None:
    spec = hosts.spec()
    prepare(hosts.first, spec)
    folder = hosts.root_of(spec).parent
    (folder / "console.log.0").write_text("before " * 10)
    (folder / "console.log").write_text("and after")
    assert hosts.first.console(spec.id, 16) == "before and after"
    assert hosts.first.console(spec.id, 5) == "after"
