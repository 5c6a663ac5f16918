"""How failure domains and amounts are called in sentences."""

from __future__ import annotations

from control_plane.model.pool import DomainKind, FailureDomain

_KIND_EN = {
    DomainKind.HOST: "host",
    DomainKind.RACK: "rack",
    DomainKind.POWER: "power feed",
    DomainKind.SITE: "site",
    DomainKind.HAZARD: "hazard zone",
}
_KIND_JA = {
    DomainKind.HOST: "ホスト",
    DomainKind.RACK: "ラック",
    DomainKind.POWER: "電源系統",
    DomainKind.SITE: "サイト",
    DomainKind.HAZARD: "災害想定区域",
}


def domain_en(domain: FailureDomain) -> str:
    return f"{_KIND_EN[domain.kind]} '{domain.name}'"


def domain_ja(domain: FailureDomain) -> str:
    return f"{_KIND_JA[domain.kind]}「{domain.name}」"


def amount(number: int, unit: str) -> str:
    """`2 GiB` for 2048 MiB, `1,500 MiB` for what is no whole number of GiB, `3 vCPU`."""
    if unit == "MiB" and number >= 1024 and number % 1024 == 0:
        return f"{number // 1024:,} GiB"
    return f"{number:,} {unit}"
