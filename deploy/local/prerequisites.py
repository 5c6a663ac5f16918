"""Says in one sentence what this machine lacks for running hosts, before anything is begun."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from control_plane.model.errors import YuiError

APT_PACKAGES = (
    "iproute2",
    "libvirt-clients",
    "libvirt-daemon",
    "libvirt-daemon-driver-qemu",
    "nftables",
    "qemu-system-x86",
    "qemu-utils",
    "seabios",
    "util-linux",
    "xorriso",
)
"""Debian packages that hosts on this machine need; the driver's bindings are built with
`libvirt-dev`, `pkg-config`, `gcc` and `python3-dev`."""

_PROGRAMS = {
    "ip": "iproute2",
    "libvirtd": "libvirt-daemon",
    "virtlockd": "libvirt-daemon",
    "virtlogd": "libvirt-daemon",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "xorriso": "xorriso",
    "bridge": "iproute2",
    "nft": "nftables",
}
_QEMU_DRIVER = "libvirt/connection-driver/libvirt_driver_qemu.so"
_LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def search_path() -> str:
    """PATH with the folders of system programs, which an ordinary user's PATH may lack."""
    return f"{os.environ.get('PATH', '/usr/bin:/bin')}:{_SBIN}"


def missing_packages() -> tuple[str, ...]:
    """Debian packages to install, in alphabetical order; empty where all are here."""
    missing = {
        package
        for program, package in _PROGRAMS.items()
        if shutil.which(program, path=search_path()) is None
    }
    if not any((Path(folder) / _QEMU_DRIVER).exists() for folder in _LIBRARY_FOLDERS):
        missing.add("libvirt-daemon-driver-qemu")
    return tuple(sorted(missing))


def may_make_hosts() -> bool:
    """True where this process may make namespaces, links in them, and mounts."""
    if os.geteuid() != 0:
        return False
    try:
        done = subprocess.run(
            ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc",  # noqa: S607
             "sh", "-c", "ip link add probe type bridge && mount -t tmpfs tmpfs /run"],
            env={**os.environ, "PATH": search_path()}, capture_output=True, check=False,
        )  # fmt: skip
    except OSError:
        return False
    return done.returncode == 0


def why_no_local_hosts() -> YuiError | None:
    """What keeps this machine from running hosts, as one sentence; None where nothing does."""
    packages = missing_packages()
    if packages:
        listed = " ".join(packages)
        return YuiError(
            "local-hosts-packages-missing",
            en=f"Hosts on this machine need Debian packages that are not installed: run apt-get install --no-install-recommends {listed}.",
            ja=f"このマシンでホストを動かすためのパッケージが足りません。apt-get install --no-install-recommends {listed} を実行してください。",
            fields={"packages": list(packages)},
        )
    try:
        import libvirt  # noqa: F401, PLC0415
    except ImportError:
        return YuiError(
            "local-hosts-bindings-missing",
            en="Python's libvirt bindings are not installed: install libvirt-dev and pkg-config, then this project with its extra 'libvirt'.",
            ja="Python の libvirt バインディングがありません。libvirt-dev と pkg-config を入れてから、このプロジェクトを extra「libvirt」付きでインストールしてください。",
        )
    if not may_make_hosts():
        return YuiError(
            "local-hosts-not-permitted",
            en="Hosts on this machine are made of namespaces, bridges and mounts, which this process may not make: run it as root with CAP_NET_ADMIN and CAP_SYS_ADMIN.",
            ja="このマシンのホストは名前空間・ブリッジ・マウントで作りますが、このプロセスにはその権限がありません。CAP_NET_ADMIN と CAP_SYS_ADMIN を持つ root で実行してください。",
        )
    return None


def require_local_hosts() -> None:
    """Raises YuiError where this machine cannot run hosts."""
    reason = why_no_local_hosts()
    if reason is not None:
        raise reason
