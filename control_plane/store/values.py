"""The model's richer values as JSON and back, exactly: health, evidence, failure domains, endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.host_health import (
    Cleaning,
    Confirmed,
    Fenced,
    HostHealth,
    Suspect,
    Up,
)
from control_plane.model.ids import HostId
from control_plane.model.ledger import Standing
from control_plane.model.pool import Duty, Endpoint, FailureDomain

Json = dict[str, Any]


def time_to_json(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError(f"time {at.isoformat()} names no time zone")
    return at.astimezone(UTC).isoformat()


def time_from_json(text: str) -> datetime:
    return datetime.fromisoformat(text)


def evidence_to_json(evidence: FenceEvidence) -> Json:
    return {
        "host": evidence.host,
        "kind": evidence.kind.value,
        "at": time_to_json(evidence.at),
        "by": evidence.by,
        "detail": evidence.detail,
    }


def evidence_from_json(value: Mapping[str, Any]) -> FenceEvidence:
    return FenceEvidence(
        HostId(value["host"]),
        FenceKind(value["kind"]),
        time_from_json(value["at"]),
        value["by"],
        value["detail"],
    )


def health_kind(health: HostHealth) -> str:
    match health:
        case Cleaning():
            return "cleaning"
        case Up():
            return "up"
        case Suspect():
            return "suspect"
        case Confirmed():
            return "confirmed"
        case Fenced():
            return "fenced"


def health_to_json(health: HostHealth) -> Json:
    value: Json = {"kind": health_kind(health), "since": time_to_json(health.since)}
    match health:
        case Suspect(channel=channel):
            value["channel"] = channel
        case Confirmed(channels=channels):
            value["channels"] = list(channels)
        case Fenced(evidence=evidence):
            value["evidence"] = evidence_to_json(evidence)
        case Cleaning() | Up():
            pass
    return value


def health_from_json(value: Mapping[str, Any]) -> HostHealth:
    since = time_from_json(value["since"])
    match value["kind"]:
        case "cleaning":
            return Cleaning(since)
        case "up":
            return Up(since)
        case "suspect":
            return Suspect(since, value["channel"])
        case "confirmed":
            first, second = value["channels"]
            return Confirmed(since, (first, second))
        case "fenced":
            return Fenced(since, evidence_from_json(value["evidence"]))
        case other:
            raise ValueError(f"no host health is called {other!r}")


def standing_of(health_kind: str, duty: Duty) -> Standing:
    """What placement may do with a host of this health and duty."""
    match health_kind, duty:
        case "up", Duty.IN_SERVICE:
            return Standing.OPEN
        case "up", Duty.DRAINING:
            return Standing.CLOSED
        case (("suspect" | "confirmed"), _):
            return Standing.CLOSED
        case _:
            return Standing.GONE


def is_silent(health_kind: str) -> bool:
    """Whether a host of this health may be lost."""
    return health_kind in ("suspect", "confirmed")


def domains_to_json(domains: Iterable[FailureDomain]) -> list[list[str]]:
    return [[domain.kind.value, domain.name] for domain in sorted(domains)]


def endpoint_to_json(endpoint: Endpoint) -> Json:
    return asdict(endpoint)


def endpoint_from_json(value: Mapping[str, Any]) -> Endpoint:
    return Endpoint(**value)


def names_to_json(names: Iterable[str]) -> list[str]:
    return sorted(str(name) for name in names)
