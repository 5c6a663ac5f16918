"""A guest runs from a disk that is still far away, which comes to it while it works."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from control_plane.drivers.nbd import NbdExports
from control_plane.drivers.protocol import DriverError, RunState, ServerSpec
from tests.drivers.contract import launch, state
from tests.drivers.leaning_contract import LeaningContract
from tests.drivers.libvirt.served import FileToServe, raw_of
from tests.drivers.libvirt.tls_folder import CLIENT, OTHER, SERVER, certificates
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


def test_a_guest_survives_whoever_serves_its_disk_and_waits_for_what_can_not_be_read(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    spec = hosts.spec(boots=True)
    raw = raw_of(Path(spec.image.location), tmp_path, spec.volume.size * 2**30)
    with raw.open("r+b") as file:
        file.seek(700 * 2**20)
        file.write(os.urandom(32 * 2**20))
    point = FileToServe(raw)
    address = address_of(hosts)
    spec = leaning(spec, NbdExports(address), "point-1")
    with served_apart(raw, address, "point-1"):
        hosts.first.lean_disk(spec.id, spec.volume, point.zeros)
        hosts.boot(hosts.first, spec)
        hosts.tell(spec, "served")
    # Whoever served it was killed: the guest waits as soon as it wants something that is not here.
    with pytest.raises(DriverError):
        hosts.second.copy_in(spec)
    _read_all(hosts, spec)
    hosts.until(lambda: hosts.first.copy_in(spec).waits)
    assert state(hosts.first, spec) is RunState.SUSPENDED
    hosts.first.start(spec.id)
    hosts.until(lambda: state(hosts.first, spec) is RunState.SUSPENDED)

    exports = NbdExports(address)
    assert spec.volume.backing is not None
    with exports.serve(spec.volume.backing, point.served()):
        hosts.until(lambda: goes_on(hosts, spec))
        hosts.tell(spec, "served again")
        # Damaged there: it stands still, and reads nothing else in its place.
        point.lost = True
        assert not hosts.first.copy_in(spec).whole
        time.sleep(0.5)
        assert not hosts.first.copy_in(spec).whole
        point.lost = False
        hosts.first.start(spec.id)
        hosts.until(lambda: hosts.first.copy_in(spec).whole)
        hosts.tell(spec, "meanwhile")
    exports.close()
    raw.unlink()
    root = hosts.root_of(spec)
    assert backing_of(root) is None
    hosts.tell(spec, "on its own")
    whole = replace(spec, volume=replace(spec.volume, backing=None))
    hosts.first.define(whole)
    hosts.first.destroy(spec.id, spec.generation)
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", root], check=True)


@contextmanager
def served_apart(raw: Path, address: str, name: str) -> Iterator[None]:
    """By a process of its own, which is killed in the end."""
    command = [sys.executable, "-m", "tests.drivers.libvirt.exporter", str(raw), address, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def goes_on(hosts: LibvirtHosts, spec: ServerSpec) -> bool:
    """Whether it answers; one that stands still is let go on at each look, as the reconciler does it."""
    if state(hosts.first, spec) is RunState.SUSPENDED:
        hosts.first.start(spec.id)
    address = spec.address.split("/")[0]
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://{address}/health", timeout=2, trust_env=False).is_success
    return False


def _read_all(hosts: LibvirtHosts, spec: ServerSpec) -> None:
    """Have the guest want what it has not read: its machine starts anew."""
    hosts.on_machine(hosts.first, spec, lambda domain: domain.reset(0))


def test_a_host_reads_over_tls_as_its_settings_name_its_certificates(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    pki, shown = tmp_path / "pki", tmp_path / "shown"
    certificates(pki, hosts.pool.gateway)
    shown.mkdir()
    host = hosts.pool.hosts[0]
    settings = hosts.pool.root / "hosts" / host.id / "etc" / "qemu.conf"
    before = settings.read_text()
    settings.write_text(f'{before}\nnbd_tls_x509_cert_dir = "{shown}"\n')
    spec = hosts.spec(boots=True)
    point = FileToServe(raw_of(Path(spec.image.location), tmp_path, spec.volume.size * 2**30))
    with socket.create_server((hosts.pool.gateway, 0)) as probe:
        port = probe.getsockname()[1]
    exports = NbdExports(f"nbds://{hosts.pool.gateway}:{port}?certificates={pki / SERVER}")
    spec = leaning(spec, exports, "point-2")
    assert spec.volume.backing is not None
    plain = replace(
        spec, volume=replace(spec.volume, backing=spec.volume.backing.replace("nbds", "nbd"))
    )
    try:
        hosts.pool.power_off(host.id)
        hosts.switch_on(host.id)
        with exports.serve(spec.volume.backing, point.served()):
            hosts.first.lean_disk(spec.id, spec.volume, point.zeros)
            # Somebody else's certificate, or none: nothing is read, and no guest runs without its disk.
            show(pki / OTHER, shown)
            for refused in (spec, plain):
                with pytest.raises(DriverError):
                    launch(hosts.first, refused)
                assert state(hosts.first, spec) is RunState.STOPPED
            assert point.asked == set()
            show(pki / CLIENT, shown)
            hosts.boot(hosts.first, spec)
            hosts.tell(spec, "over TLS")
            hosts.until(lambda: hosts.first.copy_in(spec).whole)
            hosts.tell(spec, "on its own")
        assert backing_of(hosts.root_of(spec)) is None
    finally:
        exports.close()
        settings.write_text(before)


def show(certificates: Path, folder: Path) -> None:
    """Under the names that QEMU looks for."""
    for libvirts, qemus in (
        ("cacert.pem", "ca-cert.pem"),
        ("clientcert.pem", "client-cert.pem"),
        ("clientkey.pem", "client-key.pem"),
    ):
        shutil.copyfile(certificates / libvirts, folder / qemus)
