"""What a guest is told about itself."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from control_plane.drivers.disks import VolumeSpec
from control_plane.drivers.libvirt.seed import seed_files, seed_image
from control_plane.drivers.protocol import DriverError, ServerSpec
from control_plane.model.ids import Generation, ImageId, ServerId, StoragePoolId
from control_plane.model.image import Image, ImageFormat
from control_plane.model.pool import Zone
from control_plane.model.units import GiB, MiB, Resources, VCpu

SPEC = ServerSpec(
    ServerId("s-1"),
    "jumin-db",
    Generation(1),
    Resources(VCpu(1), MiB(128)),
    VolumeSpec(StoragePoolId("p"), "/srv/p", GiB(1)),
    Image(
        ImageId("i"), "i", "1", ImageFormat.QCOW2, "00" * 32, 1, GiB(1), "/i", "test",
        datetime(2026, 1, 1, tzinfo=UTC),
    ),
    Zone.LGWAN,
    "52:54:00:00:00:01",
    "10.77.16.5/24",
    "10.77.16.1",
)  # fmt: skip


def test_a_shell_can_read_the_settings() -> None:
    assert seed_files(SPEC)["yui.env"] == (
        "ADDRESS=10.77.16.5/24\nGATEWAY=10.77.16.1\nHOSTNAME=jumin-db\nMAC=52:54:00:00:00:01\n"
    )


def test_cloud_init_finds_the_same_settings() -> None:
    files = seed_files(SPEC)
    assert yaml.safe_load(files["meta-data"]) == {
        "instance-id": "s-1",
        "local-hostname": "jumin-db",
    }
    network = yaml.safe_load(files["network-config"])
    assert network["version"] == 2
    (card,) = network["ethernets"].values()
    assert card["match"] == {"macaddress": "52:54:00:00:00:01"}
    assert card["addresses"] == ["10.77.16.5/24"]
    assert card["routes"] == [{"to": "0.0.0.0/0", "via": "10.77.16.1"}]


def test_a_key_reaches_the_guest_and_changes_nothing_where_there_is_none() -> None:
    assert "public-keys" not in seed_files(SPEC)["meta-data"]
    keyed = replace(SPEC, public_keys=("ssh-ed25519 AAAA alice: at home",))
    meta_data = yaml.safe_load(seed_files(keyed)["meta-data"])
    assert meta_data["public-keys"] == ["ssh-ed25519 AAAA alice: at home"]


def test_a_site_without_a_router_gives_no_route() -> None:
    files = seed_files(replace(SPEC, gateway=None))
    assert "GATEWAY=\n" in files["yui.env"]
    assert "routes" not in files["network-config"]


@pytest.mark.parametrize("name", ["戸籍 1", "a; reboot", "-x", "$(id)", "a" * 64, ""])
def test_a_name_that_is_no_host_name_never_reaches_the_guest(name: str) -> None:
    files = seed_files(replace(SPEC, name=name))
    assert "HOSTNAME=s-1\n" in files["yui.env"]
    assert yaml.safe_load(files["meta-data"])["local-hostname"] == "s-1"


@pytest.mark.parametrize(
    "broken",
    [
        {"address": "10.77.16.5/24\nROLE=x"},
        {"address": "nowhere"},
        {"gateway": "10.77.16.1; reboot"},
        {"mac": "$(reboot)"},
    ],
)
def test_settings_that_a_shell_might_obey_are_refused(broken: dict[str, str]) -> None:
    with pytest.raises(DriverError, match="s-1"):
        seed_image(replace(SPEC, **broken))


@pytest.mark.skipif(shutil.which("xorriso") is None, reason="needs xorriso")
def test_the_disk_is_labelled_and_the_same_each_time(tmp_path: Path) -> None:
    image = seed_image(SPEC)
    assert image[32808:32814].lower() == b"cidata"
    assert seed_image(replace(SPEC, generation=Generation(2))) == image
    assert seed_image(replace(SPEC, address="10.77.16.6/24")) != image
    disk = tmp_path / "seed.iso"
    disk.write_bytes(image)
    subprocess.run(
        # What lies below /dev, as memory does, is taken for a drive unless it is called a file.
        ["xorriso", "-osirrox", "on", "-indev", f"stdio:{disk}", "-extract", "/", "out"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    read = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert read == seed_files(SPEC)
