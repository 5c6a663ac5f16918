"""The libvirt driver keeps every promise of the protocol, on two real hosts."""

from __future__ import annotations

import pytest

from tests.drivers.backup_contract import BackupContract
from tests.drivers.contract import HostDriverContract
from tests.drivers.disk_contract import DiskContract


@pytest.mark.hypervisor
class TestLibvirtDriver(HostDriverContract):
    pass


@pytest.mark.hypervisor
class TestLibvirtDisks(DiskContract):
    pass


@pytest.mark.hypervisor
class TestLibvirtBackups(BackupContract):
    pass
