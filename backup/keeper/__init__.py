"""Carries out what backups' records ask for: the background work of a control plane."""

from backup.keeper.keeper import Keeper, keep_backups
from backup.keeper.timings import Timings

__all__ = ["Keeper", "Timings", "keep_backups"]
