"""A member with a real server leaves, and starts it elsewhere from what it took along."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deploy.local.cloud import LocalCloud
from tests.images.guest import Hardware, powered_on, seed
from tests.local.one_site import MIKASA, SITE, until, writes

pytestmark = pytest.mark.hypervisor

OVF = "{http://schemas.dmtf.org/ovf/envelope/2}"
_CIM = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_"
RASD = f"{_CIM}ResourceAllocationSettingData}}"
EPASD = f"{_CIM}EthernetPortAllocationSettingData.xsd}}"


def hardware_of(descriptor: Path) -> tuple[Path, Hardware]:
    """Read off the OVF with nothing of Yui: the disk's file and what to run it in."""
    envelope = ElementTree.parse(descriptor).getroot()  # noqa: S314 — written a moment ago
    (file,) = envelope.findall(f"{OVF}References/{OVF}File")
    amounts = {
        item.findtext(f"{RASD}ResourceType"): item.findtext(f"{RASD}VirtualQuantity")
        for item in envelope.iter(f"{OVF}Item")
        if item.find(f"{RASD}VirtualQuantity") is not None
    }
    (mac,) = [element.text for element in envelope.iter(f"{EPASD}Address")]
    disk = descriptor.parent / str(file.get(f"{OVF}href"))
    assert disk.stat().st_size == int(str(file.get(f"{OVF}size")))
    return disk, Hardware(int(str(amounts["4"])), int(str(amounts["3"])), str(mac))


def test_a_leaving_members_server_starts_again_outside_of_the_pool(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    api, approver = cloud.api(), cloud.approver()
    until(lambda: {host["health"] for host in api.every("/v1/hosts")} == {"up"})
    api.post("/v1/members", {"code": MIKASA, "blueprints": ["facility-booking"]})
    approver.post(f"/v1/members/{MIKASA}/approve")
    (server,) = until(lambda: api.every("/v1/servers"))
    until(lambda: writes(server, "体育館 10 時"))

    begun = api.post(f"/v1/members/{MIKASA}/leave", {"reason": "Two towns become one."})
    approver.post(f"/v1/members/{MIKASA}/leave/approve")
    until(lambda: api.get(f"/v1/members/{MIKASA}")["stage"] == "to-be-confirmed")
    export = cloud.exports / MIKASA / begun["id"]
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=export, check=True)
    (descriptor,) = export.glob("systems/*/*.ovf")
    disk, hardware = hardware_of(descriptor)
    original = cloud.pool.storage(SITE.id) / server["id"] / "root.qcow2"
    subprocess.run(["qemu-img", "check", "-q", disk], check=True)
    subprocess.run(["qemu-img", "compare", "-q", disk, original], check=True)

    shutil.copy(disk, tmp_path / "outside.qcow2")
    approver.post(f"/v1/members/{MIKASA}/leave/waive", {"reason": "This is but a test of ours."})
    until(lambda: api.get(f"/v1/members/{MIKASA}")["state"] == "left")
    assert not original.exists()
    address = f"ADDRESS=10.0.2.15/24\nGATEWAY=10.0.2.2\nHOSTNAME=elsewhere\nMAC={hardware.mac}\n"
    elsewhere = seed(tmp_path, {"yui.env": f"{address}ROLE=application\n"})
    with powered_on(tmp_path / "outside.qcow2", elsewhere, hardware=hardware) as guest:
        assert guest.http.get("/records").json()["records"] == ["体育館 10 時"]
    api.close()
    approver.close()
