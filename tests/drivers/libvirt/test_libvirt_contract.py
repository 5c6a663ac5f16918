"""The libvirt driver keeps every promise of the protocol, on two real hosts."""

from __future__ import annotations

import pytest

from tests.drivers.contract import HostDriverContract


@pytest.mark.hypervisor
class TestLibvirtDriver(HostDriverContract):
    pass
