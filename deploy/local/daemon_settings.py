"""The settings of one host's own libvirtd, virtlockd, virtlogd and QEMU driver."""

from __future__ import annotations

from pathlib import Path

LIBVIRT_PORT = 16509
"""libvirt's registered port for plain TCP."""
_MIGRATION_PORTS = (16600, 16663)


def write_settings(folder: Path, *, address: str, uuid: str) -> None:
    """Write /etc/libvirt of a host into `folder`.

    Plain TCP without a password is fit only because the address exists in the pool's own network,
    which nothing outside this machine reaches."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, object]] = {
        "libvirtd.conf": {
            "listen_tls": 0,
            "listen_tcp": 1,
            "listen_addr": address,
            "tcp_port": str(LIBVIRT_PORT),
            "auth_tcp": "none",
            "auth_unix_rw": "none",
            "unix_sock_group": "root",
            "host_uuid": uuid,
            "keepalive_interval": 2,
            "keepalive_count": 3,
            "log_outputs": "3:file:/var/log/libvirt/libvirtd.log",
        },
        "qemu.conf": {
            "user": "root",
            "group": "root",
            # Owners are the same everywhere here, and remembering them takes extended attributes
            # that shared storage may not keep.
            "remember_owner": 0,
            "security_driver": "none",
            "cgroup_controllers": [],
            "namespaces": [],
            "lock_manager": "lockd",
            "stdio_handler": "logd",
            "migration_address": address,
            "migration_host": address,
            "migration_port_min": _MIGRATION_PORTS[0],
            "migration_port_max": _MIGRATION_PORTS[1],
            "keepalive_interval": 2,
            "keepalive_count": 3,
        },
        # Locks are taken on the disk files themselves, so whoever shares the files shares the locks.
        "qemu-lockd.conf": {"auto_disk_leases": 1, "require_lease_for_disks": 1},
        "virtlockd.conf": {"log_outputs": "3:file:/var/log/libvirt/virtlockd.log"},
        # A guest that prints without end fills two files of 1 MiB, not the storage.
        "virtlogd.conf": {
            "log_outputs": "3:file:/var/log/libvirt/virtlogd.log",
            "max_size": 1024 * 1024,
            "max_backups": 1,
        },
    }
    for name, settings in files.items():
        lines = [f"{key} = {_value(value)}" for key, value in settings.items()]
        (folder / name).write_text("\n".join(lines) + "\n")


def _value(value: object) -> str:
    match value:
        case int():
            return str(value)
        case []:
            return "[]"
        case _:
            return f'"{value}"'
