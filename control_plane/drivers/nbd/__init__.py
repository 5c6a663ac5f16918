"""Serves disks to hypervisors over the NBD protocol, read-only."""

from control_plane.drivers.nbd.exports import NbdExports

__all__ = ["NbdExports"]
