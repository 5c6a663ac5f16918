"""Identifiers of what backups are made of."""

from __future__ import annotations

from typing import NewType

RepositoryId = NewType("RepositoryId", str)
LinkId = NewType("LinkId", str)
RecoveryPointId = NewType("RecoveryPointId", str)
"""Of all servers of a system at one time: what manifests of a repository call their `set`."""
BackupRunId = NewType("BackupRunId", str)
RestoreId = NewType("RestoreId", str)
RestoreTestId = NewType("RestoreTestId", str)
DeclarationId = NewType("DeclarationId", str)
KeyTaskId = NewType("KeyTaskId", str)
FindingId = NewType("FindingId", str)
