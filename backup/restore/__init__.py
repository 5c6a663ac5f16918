"""Makes servers and disks again from recovery points."""

from backup.restore.restores import Restores

__all__ = ["Restores"]
