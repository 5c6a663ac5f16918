"""Copies of recovery points in other repositories, in other regions, over lines that are narrow."""

from backup.replication.line import Line, LineStream
from backup.replication.replicating import Copied, GaveWay, Replication

__all__ = ["Copied", "GaveWay", "Line", "LineStream", "Replication"]
