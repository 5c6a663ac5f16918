"""Makes servers and disks again from recovery points."""

from backup.restore.proving import Proving
from backup.restore.restores import Restores

__all__ = ["Proving", "Restores"]
