"""Typed identifiers: a host's name can't be handed to something that wants a server's."""

from __future__ import annotations

import re
from typing import NewType

RegionId = NewType("RegionId", str)
SiteId = NewType("SiteId", str)
HostId = NewType("HostId", str)
StoragePoolId = NewType("StoragePoolId", str)
ServerId = NewType("ServerId", str)
SystemId = NewType("SystemId", str)
BlueprintId = NewType("BlueprintId", str)
FlavorId = NewType("FlavorId", str)
ImageId = NewType("ImageId", str)
OperationId = NewType("OperationId", str)
NetworkId = NewType("NetworkId", str)
SecurityGroupId = NewType("SecurityGroupId", str)
BindingId = NewType("BindingId", str)
VolumeId = NewType("VolumeId", str)
SnapshotId = NewType("SnapshotId", str)
ReclaimId = NewType("ReclaimId", str)
ContainerGroupId = NewType("ContainerGroupId", str)
KeyPairId = NewType("KeyPairId", str)
GroupId = NewType("GroupId", str)
"""An anti-affinity group: its members never share a host, nor meet at a refuge."""

Generation = NewType("Generation", int)
"""Counts the decisions made about one host or one workload; it only grows."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def is_name(text: str) -> bool:
    """True for 1–63 characters of a–z, 0–9 and inner hyphens: a DNS label (RFC 1123 §2.1)."""
    return _NAME.fullmatch(text) is not None
