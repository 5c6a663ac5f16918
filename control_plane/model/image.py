"""A disk image of the catalogue: what it is, where it came from, how to know it arrived whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.ids import ImageId, OperationId, RegionId, ServerId, SnapshotId
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB


class ImageFormat(StrEnum):
    QCOW2 = "qcow2"
    RAW = "raw"


class Verdict(StrEnum):
    """Whether an image meets a requirement: it was read in the image, its maker says so, nobody
    knows, or it does not."""

    CHECKED = "checked"
    DECLARED = "declared"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one requirement of the admission standard, named by its id; `en` and
    `ja` are a sentence each."""

    requirement: str
    verdict: Verdict
    en: str
    ja: str


Properties = tuple[tuple[str, str], ...]
"""What whoever brought an image says of it in words of their own, by name. Nothing is read off them."""


@dataclass(frozen=True, slots=True)
class Image:
    """`sha256` is the hex digest of the file at `location` (an absolute path that hosts can read),
    `size_bytes` its length, `virtual_size` the disk a server sees. `provenance` says in one line
    who made it from what. `report` is how it met the admission standard; empty where it came before
    there was one. `owner` is the member that brought it, None for the catalogue's own; while it is
    `private` nobody else sees it."""

    id: ImageId
    name: str
    version: str
    format: ImageFormat
    sha256: str
    size_bytes: int
    virtual_size: GiB
    location: str
    provenance: str
    added_at: datetime
    report: tuple[Finding, ...] = ()
    owner: str | None = None
    private: bool = False
    properties: Properties = ()


@dataclass(frozen=True, slots=True)
class ImageUpload:
    """An image on its way: `id` will be the image's. `size_bytes` and `sha256` are what its sender says
    of the whole file; how much of it has come is for the file itself to say. Without `sha256` neither
    was said: the digest is taken of what comes, and `size_bytes` is how much room was given to it so
    far. `tenant` is None where the consortium brings it. `format`: as what it was announced."""

    id: ImageId
    tenant: str | None
    name: str
    version: str
    provenance: str
    size_bytes: int
    sha256: str | None
    begun_at: datetime
    format: ImageFormat | None = None
    properties: Properties = ()


@dataclass(frozen=True, slots=True)
class ImageCapture:
    """An image that is made from a server's root disk, as a snapshot taken for that holds it. Its upload
    stands beside it as long as it does. `length` counts the bytes of the disk's file once that is
    known, `done` those that are safe; `trouble` says why it could not go on when that was last tried."""

    image: ImageId
    tenant: MunicipalityCode
    region: RegionId
    server: ServerId
    server_name: str
    snapshot: SnapshotId
    operation: OperationId
    begun_at: datetime
    length: int | None = None
    done: int = 0
    trouble: str | None = None
