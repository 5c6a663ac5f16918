"""A guest with an agent is held still for the moment of its backup, and for no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path

import httpx
import libvirt
import pytest

from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.protocol import HostDriver, ServerSpec
from control_plane.model.errors import YuiError
from control_plane.model.image import Image
from control_plane.model.units import MiB, Seconds, VCpu
from tests.drivers.backup_contract import only
from tests.drivers.hook_contract import HookContract
from tests.drivers.libvirt.agent_image import agent_image
from tests.drivers.libvirt.conftest import KEPT
from tests.drivers.libvirt.two_hosts import LibvirtHosts

pytestmark = pytest.mark.hypervisor

CHECKOUT = Path(__file__).parents[3]
HOLDER = """
import sys, time, libvirt
from control_plane.drivers.libvirt import event_loop
from control_plane.drivers.libvirt.quiesce import held_still
event_loop.ensure_running()
uri, server = sys.argv[1:]
domain = libvirt.open(uri).lookupByName(server)
with held_still(domain, uri) as stillness:
    print("held" if stillness.held else "not held", flush=True)
    time.sleep(600)
"""
DATA_PARTITION = 2


@pytest.fixture(scope="module")
def image(tiny: Image, tmp_path_factory: pytest.TempPathFactory) -> Image:
    recipe = CHECKOUT / "images" / "recipes" / "tiny" / "init"
    folder = tmp_path_factory.mktemp("agent") / "image"
    try:
        return agent_image(tiny, recipe, folder, KEPT / "packages")
    except YuiError as lacking:
        pytest.skip(lacking.en)


def boot_with_agent(hosts: LibvirtHosts, driver: HostDriver, image: Image) -> ServerSpec:
    plain = hosts.spec(boots=True)
    size = replace(plain.size, memory=MiB(192), vcpu=VCpu(1))
    made = replace(plain, image=image, size=size)
    hosts.boot(driver, made)

    def agent_answers() -> bool:
        try:
            hosts.on_machine(driver, made, lambda domain: domain.fsInfo())
        except libvirt.libvirtError:
            return False
        return True

    hosts.until(agent_answers)
    return made


@pytest.fixture
def spec(hosts: LibvirtHosts, image: Image) -> ServerSpec:
    return boot_with_agent(hosts, hosts.first, image)


@dataclass
class WithAgents(LibvirtHosts):
    agents: Image | None = None

    def boot_with_agent(self, driver: HostDriver) -> ServerSpec:
        assert self.agents is not None
        return boot_with_agent(self, driver, self.agents)

    def traces(self, spec: ServerSpec) -> list[str]:
        address = spec.address.split("/")[0]
        answer = httpx.get(f"http://{address}/records", timeout=60, trust_env=False)
        found: list[str] = answer.json()["records"]
        return found

    def wait(self, seconds: Seconds) -> None:
        time.sleep(seconds)


class TestHooks(HookContract):
    @pytest.fixture
    def hosts(self, hosts: LibvirtHosts, image: Image) -> WithAgents:
        shared = {each.name: getattr(hosts, each.name) for each in fields(LibvirtHosts)}
        return WithAgents(**shared, agents=image)


def data_partition_of(raw: Path) -> int:
    """Where it begins on the disk, in bytes."""
    with raw.open("rb") as disk:
        entry = disk.read(512)[446 + 16 * (DATA_PARTITION - 1) :][:16]
    return int.from_bytes(entry[8:12], "little") * 512


def needs_recovery(hosts: LibvirtHosts, spec: ServerSpec, *, quiesce: bool, point: str) -> bool:
    """Whether the guest's file system, as it was read, has a journal to be replayed."""
    raw = hosts.scratch / f"{point}.raw"
    with hosts.first.open_backup(spec, checkpoint=point, since=None, quiesce=quiesce) as source:
        expected = Consistency.QUIESCED if quiesce else Consistency.CRASH
        assert source.consistency is expected
        disk = only(source)
        with raw.open("wb") as copy:
            copy.truncate(disk.size)
            for offset, data in disk.stream(disk.extents()):
                copy.seek(offset)
                copy.write(data)
    begin = data_partition_of(raw)
    file_system = f"{raw}?offset={begin}"
    shown = subprocess.run(
        ["dumpe2fs", "-h", file_system], check=True, capture_output=True, text=True
    )
    raw.unlink()
    features = next(
        line for line in shown.stdout.splitlines() if line.startswith("Filesystem features")
    )
    return "needs_recovery" in features


def test_a_file_system_that_was_held_still_is_read_whole_and_the_guest_writes_on(
    hosts: LibvirtHosts, spec: ServerSpec
) -> None:
    hosts.tell(spec, "one")
    assert needs_recovery(hosts, spec, quiesce=False, point="as-after-a-power-cut")
    hosts.tell(spec, "two")
    assert not needs_recovery(hosts, spec, quiesce=True, point="held-still")
    hosts.tell(spec, "three")


def test_a_guest_is_thawed_when_whoever_held_it_is_killed(
    hosts: LibvirtHosts, spec: ServerSpec
) -> None:
    hosts.tell(spec, "before")
    command = [sys.executable, "-c", HOLDER, hosts.first_endpoint.uri, spec.id]
    holder = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    hosts.tell(spec, "after")
