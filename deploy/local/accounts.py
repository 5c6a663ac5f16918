"""The accounts that Debian's libvirt looks for, added to a host's own view of the machine's.

libvirtd does not start without them, even where its settings name others. They exist only inside the
hosts, so that a pool leaves no account on the machine.
"""

from __future__ import annotations

from pathlib import Path

_QEMU = 64055
"""The id that Debian reserves for libvirt-qemu."""
_USERS = {
    "libvirt-qemu": f"libvirt-qemu:x:{_QEMU}:{_QEMU}:libvirt QEMU:/nonexistent:/usr/sbin/nologin"
}
_GROUPS = {
    "libvirt-qemu": f"libvirt-qemu:x:{_QEMU}:",
    "kvm": "kvm:x:64056:",
    "libvirt": "libvirt:x:64057:",
}


def write_accounts(folder: Path) -> None:
    """Write `passwd` and `group` into `folder`: the machine's, with what libvirt wants beside them."""
    for name, wanted in (("passwd", _USERS), ("group", _GROUPS)):
        lines = (Path("/etc") / name).read_text().splitlines()
        known = {line.partition(":")[0] for line in lines}
        lines += [line for account, line in wanted.items() if account not in known]
        (folder / name).write_text("\n".join(lines) + "\n")
