"""Two real libvirt hosts for the folder, and an emulated BMC over the domains of the first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest

from control_plane.model.pool import Host
from deploy.local import LocalPool
from deploy.local.free_port import free_port
from tests.drivers.fencing.machine_room import wait_for_redfish
from tests.drivers.fencing.samples import a_host
from tests.local.hosts import local_pool

_USER, _PASSWORD = "admin", "battery staple"


@pytest.fixture(scope="package")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPool]:
    with local_pool(tmp_path_factory.mktemp("hosts") / "pool") as running:
        yield running


@dataclass(frozen=True)
class DomainBmcs:
    """sushy-tools' own emulator: every domain of a libvirt is a machine with a BMC."""

    url: str
    libvirt_uri: str
    password: Path

    def host(self, domain_uuid: str) -> Host:
        return a_host(
            bmc_url=self.url,
            bmc_system=domain_uuid,
            bmc_user=_USER,
            bmc_password_ref=f"file:{self.password}",
        )


@pytest.fixture(scope="package")
def domain_bmcs(pool: LocalPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainBmcs]:
    folder = tmp_path_factory.mktemp("emulator")
    port, uri = free_port(), pool.endpoint(pool.hosts[0].id).uri
    digest = bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "accounts").write_text(f"{_USER}:{digest}\n")
    (folder / "password").write_text(_PASSWORD)
    settings = {
        "SUSHY_EMULATOR_LISTEN_IP": "127.0.0.1",
        "SUSHY_EMULATOR_LISTEN_PORT": port,
        "SUSHY_EMULATOR_LIBVIRT_URI": uri,
        "SUSHY_EMULATOR_AUTH_FILE": str(folder / "accounts"),
        "SUSHY_EMULATOR_STATE_DIR": str(folder / "state"),
    }
    config = folder / "emulator.conf"
    config.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
    run = "import sys; from sushy_tools.emulator.main import main; sys.exit(main())"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", run, "--config", str(config)],
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": str(folder)},
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_redfish(url, process, folder / "log")
        yield DomainBmcs(url, uri, folder / "password")
    finally:
        process.terminate()
        process.wait(30)
