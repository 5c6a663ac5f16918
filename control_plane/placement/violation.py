"""What the checker found wrong, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from control_plane.model.ids import HostId, ServerId
from control_plane.model.pool import DomainKind, FailureDomain


class Broken(StrEnum):
    """The rule that does not hold."""

    NO_REFUGE = "no-refuge"
    INSIDE = "inside"
    """The refuge dies together with the server's host."""
    UNKNOWN_HOST = "unknown-host"
    STANDING = "standing"
    VCPU = "vcpu"
    MEMORY = "memory"
    STORAGE = "storage"
    ZONE = "zone"
    TRAIT = "trait"
    SITE = "site"
    STORAGE_REACH = "storage-reach"
    ANTI_AFFINITY = "anti-affinity"


_EN = {
    Broken.NO_REFUGE: "it has no refuge",
    Broken.INSIDE: "its refuge dies at the same time",
    Broken.UNKNOWN_HOST: "that host is not in the region",
    Broken.STANDING: "that host takes nothing over now",
    Broken.STORAGE: "the storage pool of its disk is not in the region, or overfull",
    Broken.ZONE: "that host does not serve its network zone",
    Broken.TRAIT: "that host lacks a trait it asks for",
    Broken.SITE: "its data may not be at that host's site",
    Broken.STORAGE_REACH: "that host does not reach the storage pool of its disk",
    Broken.ANTI_AFFINITY: "it meets a member of its group there",
}
_JA = {
    Broken.NO_REFUGE: "退避先がありません",
    Broken.INSIDE: "退避先も同時に停止します",
    Broken.UNKNOWN_HOST: "そのホストはリージョンにありません",
    Broken.STANDING: "そのホストは現在、引き受けができません",
    Broken.STORAGE: "ディスクのあるストレージプールがリージョンにないか、容量を超えています",
    Broken.ZONE: "そのホストは必要なネットワーク系統に接続されていません",
    Broken.TRAIT: "そのホストは必要な特性を備えていません",
    Broken.SITE: "そのホストのサイトにはデータを置けません",
    Broken.STORAGE_REACH: "そのホストはディスクのあるストレージプールに接続されていません",
    Broken.ANTI_AFFINITY: "同じグループのサーバーと同じホストになります",
}
_KINDS = {
    DomainKind.HOST: ("host", "ホスト"),
    DomainKind.RACK: ("rack", "ラック"),
    DomainKind.POWER: ("power feed", "電源系統"),
    DomainKind.SITE: ("site", "サイト"),
    DomainKind.HAZARD: ("hazard zone", "災害想定区域"),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """`domain` None: it is so already, without any failure. `shortfall` (in `unit`) is zero where
    no amount is wanting. `workload` and `host` are None where none is concerned alone."""

    domain: FailureDomain | None
    workload: ServerId | None
    host: HostId | None
    resource: Broken
    shortfall: int = 0
    unit: str = ""

    def explain_en(self) -> str:
        when = ""
        if self.domain is not None:
            when = f"If {_KINDS[self.domain.kind][0]} '{self.domain.name}' failed: "
        if self.shortfall and self.resource is not Broken.STORAGE:
            what = "memory" if self.resource is Broken.MEMORY else "CPU"
            after = "" if self.workload is None else f" once server '{self.workload}' is there"
            return (
                f"{when}host '{self.host}' lacks {self.shortfall:,} {self.unit} of {what}{after}."
            )
        who = "" if self.workload is None else f"server '{self.workload}'"
        where = "" if self.host is None else f" on host '{self.host}'"
        return f"{when}{who}{where}: {_EN[self.resource]}."

    def explain_ja(self) -> str:
        when = ""
        if self.domain is not None:
            when = f"{_KINDS[self.domain.kind][1]}「{self.domain.name}」が停止した場合、"
        if self.shortfall and self.resource is not Broken.STORAGE:
            what = "メモリ" if self.resource is Broken.MEMORY else "vCPU"
            unit = f" {self.unit}" if self.resource is Broken.MEMORY else ""
            after = (
                "" if self.workload is None else f"、サーバー「{self.workload}」の分まで含めると"
            )
            return f"{when}ホスト「{self.host}」では{after}{what}が {self.shortfall:,}{unit} 不足します。"
        who = "" if self.workload is None else f"サーバー「{self.workload}」"
        where = "" if self.host is None else f"(ホスト「{self.host}」)"
        return f"{when}{who}{where}: {_JA[self.resource]}。"
