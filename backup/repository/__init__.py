"""The repository of backups: encrypted, deduplicated, and readable from docs/repository-format.md alone.

A `Repository` holds a `Vault` for each tenant. A vault `begin`s a `PointWriter`, which takes disks in
and at last puts a `RecoveryPoint`; it `read`s disks back through a `DiskReader`.
"""

from backup.repository.disk_writer import DiskResult, DiskWriter
from backup.repository.errors import Damaged
from backup.repository.keys import Keyring, RepositoryKey
from backup.repository.point import Consistency, How, PointDisk, PointFacts, RecoveryPoint
from backup.repository.reader import DiskExtent, DiskReader
from backup.repository.repository import Repository
from backup.repository.vault import DestructionRecord, Vault
from backup.repository.writer import CHUNK_BYTES, PointWriter

__all__ = [
    "CHUNK_BYTES",
    "Consistency",
    "Damaged",
    "DestructionRecord",
    "DiskExtent",
    "DiskReader",
    "DiskResult",
    "DiskWriter",
    "How",
    "Keyring",
    "PointDisk",
    "PointFacts",
    "PointWriter",
    "RecoveryPoint",
    "Repository",
    "RepositoryKey",
    "Vault",
]
