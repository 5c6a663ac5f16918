"""Lets a story's system into the pool the way the control plane does: by admission."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from control_plane.admission import NewServer, admit
from control_plane.model.blueprint import System
from control_plane.model.ids import (
    BlueprintId,
    FlavorId,
    GroupId,
    ImageId,
    RegionId,
    ServerId,
    SystemId,
)
from control_plane.model.image import Image, ImageFormat
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.model.units import GiB
from control_plane.model.workload import Server
from control_plane.store import Store, Transaction
from tests.scenarios.setting import SystemSetting

MEMBER = Tenant(MunicipalityCode("012220"), "三笠市", "みかさし", "北海道", 7800)
OTHER = Tenant(MunicipalityCode("262048"), "宇治市", "うじし", "京都府", 179_630)
TINY = Image(
    ImageId("tiny"),
    "tiny",
    "1",
    ImageFormat.QCOW2,
    "5a" * 32,
    8 << 20,
    GiB(1),
    "/srv/yui/images/tiny.qcow2",
    "made for stories",
    datetime(2026, 1, 1, tzinfo=UTC),
)


def join(store: Store, region: RegionId, system: SystemSetting, now: datetime) -> None:
    """Raises YuiError when the pool has no room."""

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        tx.add_system(
            System(
                SystemId(system.name),
                MunicipalityCode(system.member),
                region,
                BlueprintId(system.name),
                1,
                system.tier,
                system.zone,
                now,
            )
        )
        return [
            NewServer(
                ServerId(server.name),
                SystemId(system.name),
                server.name,
                server.role,
                FlavorId(server.flavor),
                TINY.id,
                server.start_order,
                group=None if server.group is None else GroupId(server.group),
                traits=server.traits,
            )
            for server in system.servers
        ]

    def finish(tx: Transaction, servers: Sequence[Server]) -> None:
        """Nothing more is kept."""

    admit(store, region, prepare, finish)
