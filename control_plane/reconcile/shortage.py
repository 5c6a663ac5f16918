"""Says whose guarantees have no room at the moment, and when they have it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from control_plane.model.allotment import Capacity
from control_plane.model.ids import RegionId
from control_plane.model.operation import Event, Severity

Short = Mapping[str, Capacity]
"""What is lacking, by member; those who lack nothing are left out."""


@dataclass(slots=True)
class Shortage:
    """Remembers what people were told; a control plane that has just started tells them again."""

    _told: dict[RegionId, Short] = field(default_factory=dict)

    def news(self, region: RegionId, short: Short, at: datetime) -> list[Event]:
        """What has changed since people were last told, an event for each member."""
        told = self._told.get(region, {})
        self._told[region] = dict(short)
        return [
            _unproved(region, member, lacking, at)
            for member, lacking in sorted(short.items())
            if told.get(member) != lacking
        ] + [_proved(region, member, at) for member in sorted(told) if member not in short]


def _unproved(region: RegionId, member: str, lacking: Capacity, at: datetime) -> Event:
    amount = f"{lacking.vcpu} vCPU, {lacking.memory:,} MiB, {lacking.disk:,} GiB"
    return Event(
        "guarantee.unproved",
        f"member:{member}",
        at,
        Severity.WARNING,
        f"Of what is guaranteed to member {member} in region '{region}', {amount} have no room at the moment: what runs goes on, and new servers may be refused until hosts come back or are added.",
        f"参加団体 {member} にリージョン「{region}」で保証している容量のうち、{amount} を現在確保できません。稼働中のサーバーには影響ありませんが、ホストの復旧または増設まで、新しいサーバーを作成できないことがあります。",
        tenant=member,
        fields={"region": region, "unproved": dict(lacking)},
    )


def _proved(region: RegionId, member: str, at: datetime) -> Event:
    return Event(
        "guarantee.proved",
        f"member:{member}",
        at,
        Severity.INFO,
        f"All that is guaranteed to member {member} in region '{region}' has its room again.",
        f"参加団体 {member} にリージョン「{region}」で保証している容量を、再びすべて確保しました。",
        tenant=member,
        fields={"region": region},
    )
