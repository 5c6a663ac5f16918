"""Who asks for restores beside people."""

from __future__ import annotations

PROVER = "restore-test"
"""Asks for restores that are only to prove a point, and tells of them itself."""
