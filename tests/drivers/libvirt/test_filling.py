"""The libvirt driver keeps every promise about disks that are made from bytes, and QEMU finds no fault."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.drivers.libvirt import STORAGE_MARK
from control_plane.drivers.protocol import StorageFull
from tests.drivers.fill_contract import PIECES, FillContract
from tests.drivers.libvirt.test_libvirt_storage import in_pool, on_first
from tests.drivers.libvirt.two_hosts import LibvirtHosts


@pytest.mark.hypervisor
class TestFilling(FillContract):
    def test_storage_that_is_full_is_said_to_be_and_nothing_stays(
        self, hosts: LibvirtHosts, tmp_path: Path
    ) -> None:
        small = tmp_path / "small"
        small.mkdir()
        on_first(hosts, "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small)
        try:
            on_first(hosts, "mkdir", small / STORAGE_MARK)
            spec = in_pool(hosts.spec(), small)
            volume = replace(spec.volume, build=1)
            with pytest.raises(StorageFull):
                hosts.first.fill_disk(
                    spec.id, volume, ((n * 2**20, os.urandom(2**20)) for n in range(40))
                )
            left = subprocess.run(
                hosts.pool.command_on(
                    hosts.pool.hosts[0].id, "find", str(small), "-mindepth", "1", "-type", "f"
                ),
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            assert left == []
        finally:
            on_first(hosts, "umount", small)

    def test_the_file_is_whole_sparse_and_leans_on_nothing(self, hosts: LibvirtHosts) -> None:
        spec = hosts.spec()
        filled = replace(spec, volume=replace(spec.volume, build=1))
        hosts.first.fill_disk(spec.id, filled.volume, iter(PIECES))
        _check(hosts.root_of(filled), 2**30)
        assert hosts.root_of(filled).stat().st_size < 2 * 2**20


def _check(path: Path, size: int) -> None:
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", path], check=True)
    said = subprocess.run(
        ["qemu-img", "info", "--output=json", path], check=True, capture_output=True
    )
    shown = json.loads(said.stdout)
    assert shown["virtual-size"] == size
    assert shown.get("backing-filename") is None
