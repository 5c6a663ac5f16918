"""A member's export while it is being made: which disk has come how far."""

from __future__ import annotations

from dataclasses import dataclass, replace

from control_plane.model.ids import OperationId, ServerId, VolumeId
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class ExportedDisk:
    """One disk of a member that leaves. `path` is that of its file within the export; `volume` None is
    the server's root disk, and `server` None a volume of no server. `build` is the one that was exported.

    Of the file's `length` bytes the first `done` are safely in the export; all are once `sha256` stands.
    `virtual_size` counts the bytes that a guest sees. `missing`: the storage has no such disk, which was
    never made or is gone. `trouble` says why it could not be exported when that was last tried.
    """

    operation: OperationId
    path: str
    tenant: MunicipalityCode
    server: ServerId | None
    volume: VolumeId | None = None
    build: int = 0
    length: int | None = None
    virtual_size: int | None = None
    done: int = 0
    sha256: str | None = None
    missing: bool = False
    trouble: str | None = None

    @property
    def whole(self) -> bool:
        """Nothing is left to be exported of it."""
        return self.sha256 is not None or self.missing

    def anew(self, build: int) -> ExportedDisk:
        """From its first byte."""
        return replace(
            self,
            build=build,
            length=None,
            virtual_size=None,
            done=0,
            sha256=None,
            missing=False,
            trouble=None,
        )
