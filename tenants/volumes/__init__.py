"""Volumes of members' own, and snapshots of their servers' disks."""
