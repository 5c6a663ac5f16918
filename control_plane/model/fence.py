"""Fence evidence: what proves that a host can no longer write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.ids import HostId


class FenceKind(StrEnum):
    REDFISH_POWER_OFF = "redfish-power-off"
    """The BMC was told to cut power and then read back as off."""
    LEASE_EXPIRED = "storage-lease-expired"
    """The host's storage lease ran out, so its watchdog has reset it."""
    OPERATOR_WORD = "operator-word"
    """A named operator says that the machine is off."""


@dataclass(frozen=True, slots=True)
class FenceEvidence:
    """`at` is an aware UTC time, `by` names the BMC, the lease or the person, and `detail` tells in
    one English sentence what was seen."""

    host: HostId
    kind: FenceKind
    at: datetime
    by: str
    detail: str


class FenceMethod(StrEnum):
    POWER_OFF = "power-off"
    """Have the BMC cut the power now, whatever the host's health."""
    WORD = "word"
    """The operator has seen that the machine is off."""


@dataclass(frozen=True, slots=True)
class FenceWord:
    """What a named operator asked for or stated about one host, waiting for the reconciler."""

    host: HostId
    by: str
    statement: str
    method: FenceMethod
    at: datetime

    def evidence(self) -> FenceEvidence:
        """The word as evidence. Raises ValueError for a request to cut the power, which proves
        nothing yet."""
        if self.method is not FenceMethod.WORD:
            raise ValueError(f"a request to power off {self.host} is no evidence")
        return FenceEvidence(self.host, FenceKind.OPERATOR_WORD, self.at, self.by, self.statement)
