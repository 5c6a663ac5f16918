"""A refusal that explains itself: which failure, which workload, which resource, how much."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from control_plane.model.ids import HostId, ServerId
from control_plane.model.pool import FailureDomain
from control_plane.placement.remedy import Remedy
from control_plane.placement.wording import amount, domain_en, domain_ja


class Proof(StrEnum):
    PROVED_IMPOSSIBLE = "proved-impossible"
    """There is no way without moving a server that runs."""
    SEARCH_BUDGET_SPENT = "search-budget-spent"
    """None was found; there may be one."""


class Lack(StrEnum):
    """What is wanting. The first three are amounts, the others are properties of hosts."""

    VCPU = "vcpu"
    MEMORY = "memory"
    STORAGE = "storage"
    ZONE = "zone"
    TRAIT = "trait"
    SITE = "site"
    ANTI_AFFINITY = "anti-affinity"
    STORAGE_REACH = "storage-reach"
    OPEN_HOST = "open-host"
    """Every host that would do is closed to new servers."""
    OTHER_HOST = "other-host"
    """There is no other host at all, or none outside the domain that fails."""


class Role(StrEnum):
    """What the nearest host would be to the workload."""

    HOST = "host"
    """It would run there at once. With a failure: and what the host must take over when that
    domain dies would no longer fit beside it."""
    REFUGE = "refuge"
    """It would restart there after the failure."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`failure` is None where there isn't even room without any failure.

    `nearest` is the host that comes closest, None where the region has none to name. `shortfall` is
    what it lacks, in `unit` (`vCPU`, `MiB`, `GiB`, or `host` for a property that no host has), with
    every server and every other refuge where the plan had put them. `wanted` names the zone, the
    traits, the sites, the storage pool or the group in question.
    """

    failure: FailureDomain | None
    workload: ServerId
    resource: Lack
    nearest: HostId | None
    shortfall: int
    unit: str
    proof: Proof
    remedies: tuple[Remedy, ...] = ()
    role: Role = Role.HOST
    wanted: str = ""

    def explain_en(self) -> str:
        sentences = [self._what_en()]
        if self.proof is Proof.SEARCH_BUDGET_SPENT:
            sentences.append("No arrangement was found, and there may still be one.")
        if self.remedies:
            ways = ", or ".join(remedy.explain_en() for remedy in self.remedies)
            sentences.append(f"What would help: {ways}.")
        return " ".join(sentences)

    def explain_ja(self) -> str:
        sentences = [self._what_ja()]
        if self.proof is Proof.SEARCH_BUDGET_SPENT:
            sentences.append(
                "探索の範囲では配置が見つかりませんでしたが、不可能と証明されたわけではありません。"
            )
        if self.remedies:
            ways = "、または".join(f"{remedy.explain_ja()}こと" for remedy in self.remedies)
            sentences.append(f"解決するには、{ways}が有効です。")
        return "".join(sentences)

    def _what_en(self) -> str:
        server = f"server '{self.workload}'"
        reason = self._reason_en()
        if self.failure is None:
            return f"There is no room for {server}: {reason}."
        domain = domain_en(self.failure)
        if self.role is Role.REFUGE:
            return f"If {domain} failed, {server} could not be restarted: {reason}."
        return (
            f"There is no room for {server} that keeps the promise should {domain} fail: {reason}."
        )

    def _reason_en(self) -> str:
        lack = amount(self.shortfall, self.unit)
        match self.resource:
            case Lack.VCPU | Lack.MEMORY:
                what = "" if self.resource is Lack.VCPU else " of memory"
                if self.failure is not None and self.role is Role.HOST:
                    return f"the nearest host, '{self.nearest}', would lack {lack}{what} for what it must then take over"
                return f"the nearest host, '{self.nearest}', lacks {lack}{what}"
            case Lack.STORAGE:
                return f"no storage pool that its hosts reach has room for its disk, and the emptiest lacks {lack}"
            case Lack.OPEN_HOST:
                return f"every host{_outside_en(self.failure)} that would do is closed to new servers, '{self.nearest}' among them"
            case Lack.OTHER_HOST:
                return f"there is no other host{_outside_en(self.failure)}"
            case Lack.ANTI_AFFINITY:
                return f"every host that would do{_outside_en(self.failure)} is taken by a member of group '{self.wanted}', which is kept apart"
            case _:
                return f"no host{_outside_en(self.failure)} {_WANTING_EN[self.resource].format(self.wanted)}"

    def _what_ja(self) -> str:
        server = f"サーバー「{self.workload}」"
        reason = self._reason_ja()
        if self.failure is None:
            return f"{server}を置く空きがありません。{reason}。"
        domain = domain_ja(self.failure)
        if self.role is Role.REFUGE:
            return f"{domain}が停止した場合に、{server}を再起動できる場所がありません。{reason}。"
        return f"{domain}が停止した場合の保証を保ったまま{server}を置く空きがありません。{reason}。"

    def _reason_ja(self) -> str:
        lack = amount(self.shortfall, self.unit)
        outside = "" if self.failure is None else f"{domain_ja(self.failure)}の外に、"
        match self.resource:
            case Lack.VCPU | Lack.MEMORY:
                what = "vCPU" if self.resource is Lack.VCPU else "メモリ"
                number = f"{self.shortfall:,}" if self.resource is Lack.VCPU else lack
                if self.failure is not None and self.role is Role.HOST:
                    return f"最も近いホスト「{self.nearest}」でも、その際に引き受ける分の{what}が {number} 不足します"
                return f"最も近いホスト「{self.nearest}」でも{what}が {number} 不足します"
            case Lack.STORAGE:
                return f"ディスクを置けるストレージプールがなく、最も空きの多いプールでも {lack} 不足します"
            case Lack.OPEN_HOST:
                return f"{outside}条件に合うホスト(「{self.nearest}」など)はありますが、いずれも受け入れを停止しています"
            case Lack.OTHER_HOST:
                return f"{outside}ほかのホストがありません"
            case Lack.ANTI_AFFINITY:
                return f"{outside}グループ「{self.wanted}」のほかのサーバーと重ならないホストがありません"
            case _:
                return (
                    f"{outside}{_WANTING_JA[self.resource].format(self.wanted)}ホストがありません"
                )


_WANTING_EN = {
    Lack.ZONE: "serves network zone '{}'",
    Lack.TRAIT: "has all of what it asks for: {}",
    Lack.SITE: "stands where its data may be: {}",
    Lack.STORAGE_REACH: "reaches storage pool '{}', which holds its disk",
}
_WANTING_JA = {
    Lack.ZONE: "ネットワーク系統「{}」に接続された",
    Lack.TRAIT: "必要な特性({})をすべて備えた",
    Lack.SITE: "データの保管を許されたサイト({})にある",
    Lack.STORAGE_REACH: "ディスクのあるストレージプール「{}」に接続された",
}


def _outside_en(failure: FailureDomain | None) -> str:
    return "" if failure is None else f" outside {domain_en(failure)}"
