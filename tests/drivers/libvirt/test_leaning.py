"""A guest runs from a disk that is still far away, which comes to it while it works."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.drivers.nbd import NbdExports
from control_plane.drivers.protocol import DisksBusy, RunState, ServerSpec
from tests.drivers.contract import state
from tests.drivers.leaning_contract import LeaningContract
from tests.drivers.libvirt.served import FileToServe, raw_of
from tests.drivers.libvirt.two_hosts import LibvirtHosts

pytestmark = pytest.mark.hypervisor


def leaning(spec: ServerSpec, exports: NbdExports, name: str) -> ServerSpec:
    return replace(spec, volume=replace(spec.volume, build=1, backing=exports.place(name)))


def backing_of(path: Path) -> str | None:
    said = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", path], check=True, capture_output=True
    )
    found: str | None = json.loads(said.stdout).get("backing-filename")
    return found


class TestLeaning(LeaningContract):
    @pytest.fixture
    def exports(self, hosts: LibvirtHosts) -> Iterator[NbdExports]:
        made = NbdExports(address_of(hosts))
        yield made
        made.close()


def address_of(hosts: LibvirtHosts) -> str:
    return f"nbd+unix://{hosts.pool.storage(hosts.pool.sites[0].id)}/served"


def test_a_guest_answers_before_its_disk_is_there_and_keeps_what_it_writes(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    spec = hosts.spec(boots=True)
    point = FileToServe(raw_of(Path(spec.image.location), tmp_path, spec.volume.size * 2**30))
    address = address_of(hosts)
    exports = NbdExports(address)
    spec = leaning(spec, exports, "point-1")
    assert spec.volume.backing is not None
    with exports.serve(spec.volume.backing, point.served()):
        began = time.monotonic()
        hosts.first.lean_disk(spec.id, spec.volume, point.zeros)
        print("leaning", time.monotonic() - began)
        hosts.boot(hosts.first, spec)
        print("boots", time.monotonic() - began, len(point.asked) * 65536, point.data)
        assert len(point.asked) * 2**16 < point.data
        with pytest.raises(DisksBusy):
            hosts.first.migrate(spec.id, hosts.second_endpoint)
        with pytest.raises(DisksBusy):
            hosts.first.snapshot(spec, hosts.snapshot_of(spec))
        hosts.tell(spec, "before")
        point.slow = lambda: time.sleep(0.05)
        first = hosts.first.copy_in(spec)
        print(first)
        hosts.tell(spec, "meanwhile")
        # Whoever serves it dies, and comes up again where it was.
        exports.close()
        time.sleep(1)
        print(hosts.first.copy_in(spec), state(hosts.first, spec))
    exports = NbdExports(address)
    with exports.serve(spec.volume.backing, point.served()):
        point.slow = lambda: None
        hosts.first.start(spec.id)
        hosts.tell(spec, "after")
        hosts.until(lambda: hosts.first.copy_in(spec).whole)
    exports.close()
    assert backing_of(hosts.root_of(spec)) is None
    hosts.tell(spec, "on its own")
    whole = replace(spec, volume=replace(spec.volume, backing=None))
    hosts.first.define(whole)
    hosts.first.destroy(spec.id, spec.generation)
    hosts.first.start(spec.id)
    assert state(hosts.first, spec) is RunState.RUNNING
