"""What would make room: each remedy was planned through before it is offered."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.ids import HostId, ServerId
from control_plane.model.units import GiB, Resources
from control_plane.placement.wording import amount


@dataclass(frozen=True, slots=True)
class MoveServer:
    """Once this server has been moved, the request fits."""

    server: ServerId
    source: HostId
    target: HostId

    def explain_en(self) -> str:
        return f"moving server '{self.server}' from host '{self.source}' to host '{self.target}'"

    def explain_ja(self) -> str:
        return f"サーバー「{self.server}」をホスト「{self.source}」から「{self.target}」へ移動する"

    def __str__(self) -> str:
        return self.explain_en()


@dataclass(frozen=True, slots=True)
class ShrinkServer:
    """With this size, and this disk, it fits."""

    server: ServerId
    size: Resources
    disk: GiB

    def explain_en(self) -> str:
        memory = amount(self.size.memory, "MiB")
        return f"a smaller size for server '{self.server}', such as {self.size.vcpu} vCPU, {memory} of memory and a disk of {self.disk} GiB"

    def explain_ja(self) -> str:
        memory = amount(self.size.memory, "MiB")
        return f"サーバー「{self.server}」を {self.size.vcpu} vCPU・メモリ {memory}・ディスク {self.disk} GiB に小さくする"

    def __str__(self) -> str:
        return self.explain_en()


@dataclass(frozen=True, slots=True)
class AddHosts:
    """So many more hosts that are like one of today's in everything but its name, standing in the
    same rack and on the same power, it fits."""

    count: int
    like: HostId

    def explain_en(self) -> str:
        hosts = "one more host" if self.count == 1 else f"{self.count} more hosts"
        return f"{hosts} like '{self.like}'"

    def explain_ja(self) -> str:
        return f"「{self.like}」と同等のホストを {self.count} 台追加する"

    def __str__(self) -> str:
        return self.explain_en()


Remedy = MoveServer | ShrinkServer | AddHosts
