"""The power-off of real machines: libvirt domains behind the Redfish emulator."""

from __future__ import annotations

import uuid

import pytest

from control_plane.drivers.fencing.redfish import Bmcs, Patience, RedfishFencer
from control_plane.drivers.system_clock import SystemClock
from control_plane.drivers.world import FenceFailed
from control_plane.model.units import Seconds

pytestmark = pytest.mark.hypervisor

pytest.importorskip("sushy_tools", reason="the Redfish emulator is in the extra 'local'")

PATIENT = Patience(
    answer=Seconds(60.0), change=Seconds(60.0), settle=Seconds(0.2), poll=Seconds(0.1)
)


@pytest.fixture
def fencer():
    return RedfishFencer(SystemClock(), Bmcs(PATIENT))


@pytest.fixture
def machine(domain_bmcs):
    """A running domain without a disk."""
    import libvirt

    connection = libvirt.open(domain_bmcs.libvirt_uri)
    identity = str(uuid.uuid4())
    domain = connection.defineXML(
        f"""<domain type='qemu'><name>bare-{identity[:8]}</name><uuid>{identity}</uuid>
        <memory unit='MiB'>32</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type></os>
        <devices><controller type='usb' model='none'/><memballoon model='none'/></devices>
        </domain>"""
    )
    domain.create()
    yield domain
    if domain.isActive():
        domain.destroy()
    domain.undefine()
    connection.close()


def test_a_real_machine_no_longer_runs_when_the_evidence_is_given(machine, domain_bmcs, fencer):
    evidence = fencer.fence(domain_bmcs.host(machine.UUIDString()))
    assert not machine.isActive()
    assert "Power was cut" in evidence.detail


def test_a_real_machine_that_is_off_is_fenced_and_comes_back_on(machine, domain_bmcs, fencer):
    machine.destroy()
    host = domain_bmcs.host(machine.UUIDString())
    assert "off already" in fencer.fence(host).detail
    fencer.power_on(host)
    assert machine.isActive()
    assert "Power was cut" in fencer.fence(host).detail
    assert not machine.isActive()


def test_a_machine_that_was_taken_away_is_not_fenced(machine, domain_bmcs, fencer):
    with pytest.raises(FenceFailed, match="has no system"):
        fencer.fence(domain_bmcs.host(str(uuid.uuid4())))
    assert machine.isActive()


def test_a_wrong_password_leaves_a_real_machine_running(machine, domain_bmcs, fencer, tmp_path):
    from dataclasses import replace

    (tmp_path / "wrong").write_text("wrong")
    host = domain_bmcs.host(machine.UUIDString())
    endpoint = replace(host.endpoint, bmc_password_ref=f"file:{tmp_path / 'wrong'}")
    with pytest.raises(FenceFailed, match="refused the user name or the password"):
        fencer.fence(replace(host, endpoint=endpoint))
    assert machine.isActive()
