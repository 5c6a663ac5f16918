"""The NoCloud seed: a small ISO 9660 disk labelled `cidata` that tells a guest who it is.

Files and label: cloud-init's NoCloud data source, network-config in version 2. `yui.env` says the same
in lines that a shell can read, for guests without cloud-init. Equal specifications give equal bytes,
so that a seed need only be written when something changed.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml

from control_plane.drivers.protocol import DriverError, ServerSpec

_FIXED_DATE = "2020010100000000"
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/-")


def seed_files(spec: ServerSpec) -> dict[str, str]:
    """The seed's files by name. Raises ValueError for an address that is none, or a host name, MAC
    or gateway that could not stand in a shell file unquoted."""
    interface = ipaddress.IPv4Interface(spec.address)
    hostname = _hostname(spec)
    gateway = str(ipaddress.IPv4Address(spec.gateway)) if spec.gateway else ""
    card: dict[str, object] = {
        "match": {"macaddress": spec.mac},
        "set-name": "eth0",
        "dhcp4": False,
        "addresses": [str(interface)],
    }
    if gateway:
        card["routes"] = [{"to": "0.0.0.0/0", "via": gateway}]
    environment = {
        "ADDRESS": str(interface),
        "GATEWAY": gateway,
        "HOSTNAME": hostname,
        "MAC": spec.mac,
    }
    for key, value in environment.items():
        if not _SAFE.issuperset(value):
            raise ValueError(f"{key} of server {spec.id} holds characters that it may not")
    meta_data: dict[str, object] = {"instance-id": spec.id, "local-hostname": hostname}
    if spec.public_keys:
        meta_data["public-keys"] = list(spec.public_keys)
    return {
        "meta-data": _yaml(meta_data),
        "network-config": _yaml({"version": 2, "ethernets": {"card0": card}}),
        "user-data": spec.user_data or "#cloud-config\n{}\n",
        "yui.env": "".join(f"{key}={value}\n" for key, value in environment.items()),
    }


def _hostname(spec: ServerSpec) -> str:
    """The server's name where it is a DNS label, else its id, which always is one."""
    name = spec.name.lower()
    plain = name.isascii() and name.replace("-", "").isalnum() and len(name) <= 63
    return name if plain and not name.startswith("-") and not name.endswith("-") else spec.id


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False)


def seed_image(spec: ServerSpec) -> bytes:
    """The seed disk. Raises DriverError where it can't be made."""
    try:
        files = seed_files(spec)
    except ValueError as error:
        raise DriverError(f"Server {spec.id} has no usable network settings: {error}") from error
    xorriso = shutil.which("xorriso")
    if xorriso is None:
        raise DriverError("The program xorriso, which makes seed disks, is not installed")
    with tempfile.TemporaryDirectory(prefix="yui-seed-") as folder:
        content = Path(folder) / "content"
        content.mkdir()
        for name, text in files.items():
            (content / name).write_text(text, encoding="utf-8")
        image = Path(folder) / "seed.iso"
        done = subprocess.run(  # noqa: S603
            [xorriso, "-as", "mkisofs", "-quiet", "-volid", "cidata", "-joliet", "-rational-rock",
             "--set_all_file_dates", _FIXED_DATE, "-output", str(image), str(content)],
            env={**os.environ, "SOURCE_DATE_EPOCH": "1577836800"},
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise DriverError(f"xorriso could not make the seed disk of server {spec.id}")
        return image.read_bytes()
