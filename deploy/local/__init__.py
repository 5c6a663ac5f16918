"""A pool of real hypervisor hosts on one machine, for the demo, for trying Yui out and for tests.

Each host has its own network, mount, process and host-name namespaces with its own libvirt, so to
the control plane it is a machine like any other: it has an address, it can lose its power or its
network, and it can be brought back.
"""

from deploy.local.description import Bmc, LocalFlavor
from deploy.local.pool import LocalHost, LocalPool, LocalSite
from deploy.local.prerequisites import APT_PACKAGES, require_local_hosts, why_no_local_hosts

__all__ = [
    "APT_PACKAGES",
    "Bmc",
    "LocalFlavor",
    "LocalHost",
    "LocalPool",
    "LocalSite",
    "require_local_hosts",
    "why_no_local_hosts",
]
