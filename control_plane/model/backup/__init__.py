"""Backups as they are meant and as they stand: no bytes, no clock, no I/O."""
