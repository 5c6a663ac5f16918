"""A member leaves: with its disks, its data and its audit trail, and without anybody else noticing."""
