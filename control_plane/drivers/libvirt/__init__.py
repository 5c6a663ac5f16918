"""The driver for hosts that run libvirt and QEMU, with KVM or by emulation.

All it does on a host it does through that host's libvirt, files included: the control plane needs no
file system, shell or agent of the host, and what it sees of the storage is what the host sees.
"""

from control_plane.drivers.libvirt.driver import LibvirtDriver
from control_plane.drivers.libvirt.storage import STORAGE_MARK

__all__ = ["STORAGE_MARK", "LibvirtDriver"]
