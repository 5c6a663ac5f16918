"""Reading real servers' disks for backups when something breaks: readers, hosts, room, other people's jobs."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from control_plane.drivers.backup_source import ROOT_DISK, BackupSource
from control_plane.drivers.libvirt import STORAGE_MARK, LibvirtDriver
from control_plane.drivers.libvirt.nbd_transport import Protection, Transport
from control_plane.drivers.protocol import (
    DiskLocked,
    DisksBusy,
    DriverError,
    ReadingBroken,
    RunState,
    ServerSpec,
    StorageFull,
)
from control_plane.model.full_read import WhyFull
from tests.drivers.backup_contract import only, renewed, whole
from tests.drivers.contract import launch, prepare, state
from tests.drivers.libvirt.tls_folder import CLIENT, OTHER, SERVER, certificates
from tests.drivers.libvirt.two_hosts import LibvirtHosts

pytestmark = pytest.mark.hypervisor

CHECKOUT = Path(__file__).parents[3]
READER = """
import pickle, sys
from control_plane.drivers.libvirt import LibvirtDriver
endpoint, spec, since = pickle.load(sys.stdin.buffer)
driver = LibvirtDriver(endpoint)
with driver.open_backup(spec, checkpoint="by-the-one-that-dies", since=since, quiesce=True) as source:
    for disk in source.disks:
        for piece in disk.stream(disk.extents()):
            print("reading", flush=True)
            sys.stdin.read()
            sys.exit("it was to be killed")
"""


@contextlib.contextmanager
def killed_reader(
    hosts: LibvirtHosts, spec: ServerSpec, since: str | None = None
) -> Iterator[None]:
    """A process of its own reads the server on the first host, and is killed within."""
    reader = subprocess.Popen(
        [sys.executable, "-c", READER], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert reader.stdin is not None
        assert reader.stdout is not None
        pickle.dump((hosts.first_endpoint, spec, since), reader.stdin)
        reader.stdin.flush()
        assert reader.stdout.readline() == b"reading\n"
        yield
    finally:
        reader.send_signal(signal.SIGKILL)
        reader.communicate()


def scratch_of(spec: ServerSpec) -> list[str]:
    folder = Path(spec.volume.pool_path) / spec.id
    return sorted(path.name for path in folder.iterdir() if "being" in path.name)


def bitmaps_of(hosts: LibvirtHosts, spec: ServerSpec) -> list[str]:
    shown = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", hosts.root_of(spec)],
        check=True,
        capture_output=True,
    )
    kept = json.loads(shown.stdout)["format-specific"]["data"].get("bitmaps", [])
    return sorted(each["name"] for each in kept)


def test_the_guest_goes_on_and_nothing_is_missed_when_a_reader_is_killed(
    hosts: LibvirtHosts,
) -> None:
    spec = hosts.spec(boots=True)
    hosts.boot(hosts.first, spec)
    with hosts.first.open_backup(spec, checkpoint="secured", since=None, quiesce=True) as source:
        content = whole(only(source))
    hosts.tell(spec, "before")
    with killed_reader(hosts, spec, "secured"):
        hosts.tell(spec, "while it is read")
    hosts.tell(spec, "after its reader was killed")
    assert scratch_of(spec) == ["being-read.qcow2"]
    hosts.hold(hosts.first, spec)
    frozen = hosts.as_it_is(spec)
    with hosts.first.open_backup(spec, checkpoint="next", since="secured", quiesce=True) as source:
        hosts.go_on(hosts.first, spec)
        content, _ = renewed(content, only(source))
    assert content == frozen[ROOT_DISK]
    assert scratch_of(spec) == []
    hosts.first.destroy(spec.id, spec.generation)
    assert bitmaps_of(hosts, spec) == ["yui.next", "yui.secured"]


def test_a_stopped_server_can_be_started_as_soon_as_its_reader_is_dead(hosts: LibvirtHosts) -> None:
    spec = hosts.spec()
    prepare(hosts.first, spec)
    hosts.write_on(spec)
    with killed_reader(hosts, spec), pytest.raises(DiskLocked):
        hosts.first.start(spec.id)

    def starts() -> bool:
        with contextlib.suppress(DiskLocked):
            hosts.first.start(spec.id)
        return state(hosts.first, spec) is RunState.RUNNING

    hosts.until(starts)
    assert hosts.first.facts().foreign == ()
    with hosts.first.open_backup(spec, checkpoint="one", since=None, quiesce=False) as source:
        whole(only(source))
    assert scratch_of(spec) == []


def test_somebody_elses_job_is_waited_for_and_never_ended(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    spec = hosts.spec()
    launch(hosts.first, spec)
    address = hosts.pool.hosts[0].address
    theirs = tmp_path / "theirs.qcow2"
    job = f"<domainbackup mode='pull'><server transport='tcp' name='{address}' port='10900'/><disks><disk name='vda' backup='yes' type='file'><scratch file='{theirs}'/></disk><disk name='vdb' backup='no'/></disks></domainbackup>"
    connection = libvirt.open(hosts.first_endpoint.uri)
    try:
        domain = connection.lookupByName(spec.id)
        domain.backupBegin(job, None, 0)
        with (
            pytest.raises(DisksBusy),
            hosts.first.open_backup(spec, checkpoint="ours", since=None, quiesce=False),
        ):
            pass
        hosts.first.end_backup(spec.id)
        assert str(theirs) in domain.backupGetXMLDesc(0)
        domain.abortJob()
    finally:
        connection.close()


def test_what_a_dead_host_left_is_cleared_away_where_the_server_runs_next(
    hosts: LibvirtHosts,
) -> None:
    spec = hosts.spec(boots=True)
    hosts.boot(hosts.first, spec)
    first = hosts.pool.hosts[0].id
    try:
        with hosts.first.open_backup(
            spec, checkpoint="before", since=None, quiesce=False
        ) as source:
            hosts.pool.power_off(first)
            with pytest.raises(DriverError):
                whole(only(source))
        assert scratch_of(spec) == ["being-read.qcow2"]
        hosts.boot(hosts.second, spec)
        with hosts.second.open_backup(
            spec, checkpoint="there", since="before", quiesce=False
        ) as source:
            assert only(source).why is WhyFull.UNKNOWN_HERE
            whole(only(source))
        assert scratch_of(spec) == []
        hosts.second.destroy(spec.id, spec.generation)
        assert bitmaps_of(hosts, spec) == ["yui.there"]
    finally:
        hosts.switch_on(first)


@pytest.fixture
def small_pool(hosts: LibvirtHosts, tmp_path: Path) -> Iterator[Path]:
    """Storage of the first host alone, of 600 MiB."""
    file, folder = tmp_path / "storage.ext4", tmp_path / "small"
    folder.mkdir()
    file.touch()
    os.truncate(file, 600 * 2**20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "0", file], check=True)
    mounting = ["mount", "-o", "loop", str(file), str(folder)]
    on_host = hosts.pool.command_on(hosts.pool.hosts[0].id, *mounting)
    if subprocess.run(on_host, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file as a disk")
    first = hosts.pool.hosts[0].id
    subprocess.run(hosts.pool.command_on(first, "mkdir", str(folder / STORAGE_MARK)), check=True)
    yield folder
    hosts.clear()
    subprocess.run(hosts.pool.command_on(first, "umount", "-l", str(folder)), check=True)


def fill(hosts: LibvirtHosts, folder: Path) -> None:
    first = hosts.pool.hosts[0].id
    for size in ("1M", "4k"):
        filling = ["dd", "if=/dev/zero", f"of={folder}/filler-{size}", f"bs={size}"]
        subprocess.run(hosts.pool.command_on(first, *filling), check=False, capture_output=True)


def read_again_and_again(source: BackupSource) -> None:
    for _ in range(1000):
        whole(only(source))


def test_a_guest_goes_on_when_there_is_no_room_for_what_it_overwrites(
    hosts: LibvirtHosts, small_pool: Path
) -> None:
    plain = hosts.spec(boots=True)
    spec = replace(plain, volume=replace(plain.volume, pool_path=str(small_pool)))
    hosts.boot(hosts.first, spec)
    hosts.tell(spec, "there is room")
    with hosts.first.open_backup(spec, checkpoint="one", since=None, quiesce=False) as source:
        fill(hosts, small_pool)
        hosts.tell(spec, "and now there is none")
        with pytest.raises((StorageFull, ReadingBroken)):
            read_again_and_again(source)
    hosts.tell(spec, "it goes on")
    with (
        pytest.raises(StorageFull),
        hosts.first.open_backup(spec, checkpoint="two", since=None, quiesce=False),
    ):
        pass


def test_a_guest_that_is_held_because_its_reader_died_goes_on_when_it_is_started(
    hosts: LibvirtHosts, small_pool: Path
) -> None:
    plain = hosts.spec(boots=True)
    spec = replace(plain, volume=replace(plain.volume, pool_path=str(small_pool)))
    hosts.boot(hosts.first, spec)
    hosts.tell(spec, "there is room")
    with killed_reader(hosts, spec):
        pass
    fill(hosts, small_pool)
    teller = threading.Thread(target=hosts.tell, args=(spec, "and now there is none"))
    teller.start()
    hosts.until(lambda: state(hosts.first, spec) is RunState.SUSPENDED)
    hosts.first.start(spec.id)
    assert state(hosts.first, spec) is RunState.RUNNING
    teller.join()
    hosts.tell(spec, "it goes on")


def test_a_port_that_somebody_has_is_left_to_them(hosts: LibvirtHosts) -> None:
    spec = hosts.spec()
    launch(hosts.first, spec)
    host = hosts.pool.hosts[0]
    port = Transport.of(hosts.first_endpoint.uri).place(spec.id, 0).port
    taking = f"import socket, sys; s = socket.create_server(('{host.address}', {port})); print('taken', flush=True); sys.stdin.read()"
    taker = subprocess.Popen(
        hosts.pool.command_on(host.id, sys.executable, "-c", taking),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert taker.stdout is not None
        assert taker.stdout.readline() == b"taken\n"
        with hosts.first.open_backup(spec, checkpoint="one", since=None, quiesce=False) as source:
            whole(only(source))
        assert taker.poll() is None
    finally:
        taker.communicate()


def test_a_disk_is_read_through_a_socket_where_the_host_is_this_machine(
    hosts: LibvirtHosts,
) -> None:
    spec = hosts.spec()
    prepare(hosts.first, spec)
    hosts.write_on(spec)
    frozen = hosts.as_it_is(spec)
    hosts.first.start(spec.id)
    here = Transport(Protection.SAME_MACHINE, folder=str(hosts.pool.root))
    driver = LibvirtDriver(hosts.first_endpoint, transport=here)
    with driver.open_backup(spec, checkpoint="one", since=None, quiesce=False) as source:
        assert whole(only(source)) == frozen[ROOT_DISK]


def test_a_disk_is_read_over_tls_only_by_who_has_a_certificate_of_the_same_authority(
    hosts: LibvirtHosts, tmp_path: Path
) -> None:
    host = hosts.pool.hosts[0]
    certificates(tmp_path / "pki", host.address)
    settings = hosts.pool.root / "hosts" / host.id / "etc" / "qemu.conf"
    before = settings.read_text()
    settings.write_text(
        f'{before}\nbackup_tls_x509_cert_dir = "{tmp_path / "pki" / SERVER}"\nbackup_tls_x509_verify = 1\n'
    )
    spec = hosts.spec()
    try:
        hosts.pool.power_off(host.id)
        hosts.switch_on(host.id)
        prepare(hosts.first, spec)
        hosts.write_on(spec)
        frozen = hosts.as_it_is(spec)
        hosts.first.start(spec.id)

        def driver(folder: str) -> LibvirtDriver:
            tls = Transport(Protection.TLS, host.address, str(tmp_path / "pki" / folder))
            return LibvirtDriver(hosts.first_endpoint, transport=tls)

        with driver(CLIENT).open_backup(
            spec, checkpoint="one", since=None, quiesce=False
        ) as source:
            assert whole(only(source)) == frozen[ROOT_DISK]
        for wrong in (OTHER, "nowhere"):
            with (
                pytest.raises(DriverError),
                driver(wrong).open_backup(spec, checkpoint="two", since=None, quiesce=False),
            ):
                pass
        with (
            pytest.raises(DriverError),
            LibvirtDriver(
                hosts.first_endpoint, transport=Transport(Protection.TLS, host.address, "")
            ).open_backup(spec, checkpoint="three", since=None, quiesce=False),
        ):
            pass
        assert scratch_of(spec) == []
    finally:
        settings.write_text(before)
        hosts.pool.power_off(host.id)
        hosts.switch_on(host.id)
