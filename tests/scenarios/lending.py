"""Guarantees, borrowed room and its return in a story, by the services that the API uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from control_plane.admission import ReclaimWish, ask_back, guarantee, resize, unshelve
from control_plane.admission import shelve as want_shelved
from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.allotment import Capacity
from control_plane.model.ids import FlavorId, ReclaimId, RegionId, ServerId
from control_plane.model.reclaim import Reclaim
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.store import Store, Transaction
from tenants import reclaims
from tests.scenarios.joining import MEMBER, OTHER

_MUCH = Capacity(VCpu(64), MiB(64 * 1024), GiB(1000))
_ID = ReclaimId("rc-1")


@dataclass(frozen=True, slots=True)
class Lending:
    """`MEMBER` borrows, `OTHER` is guaranteed something. Every method raises YuiError where it is
    refused."""

    store: Store
    region: RegionId
    now: Callable[[], datetime]

    def allot(self, gib: int) -> None:
        """The other member is guaranteed that much memory with a vCPU for each two, the first one
        nothing; both may ask for a lot."""
        sure = Capacity(VCpu(gib // 2), MiB(gib * 1024))
        for tenant, guaranteed in ((MEMBER.code, Capacity()), (OTHER.code, sure)):
            guarantee(self.store, self.region, tenant, guaranteed, _nothing, quota=_MUCH)

    def ask(self, asked: Capacity, beneficiary: MunicipalityCode | None, seconds: float) -> None:
        wish = ReclaimWish(
            self.region, asked, beneficiary, "Sato", self.now(), period=timedelta(seconds=seconds)
        )

        def finish(tx: Transaction, reclaim: Reclaim) -> None:
            tx.add_events(reclaims.asking_events(reclaim))

        ask_back(self.store, _ID, wish, finish)

    def carry_out(self) -> None:
        sato = Principal("user-2", "Sato", Role.APPROVER, None)
        with self.store.write() as tx:
            reclaims.decide(tx, _ID, sato, self.now())

    def resize(self, server: ServerId, flavor: str) -> None:
        resize(self.store, server, FlavorId(flavor), _nothing, _nothing_more)

    def shelve(self, server: ServerId) -> None:
        with self.store.write() as tx:
            want_shelved(tx, tx.server(server))

    def unshelve(self, server: ServerId) -> None:
        unshelve(self.store, server, _nothing, _nothing_more)


def _nothing(_: object, __: object) -> None:
    """Nothing more is kept or refused."""


def _nothing_more(_: object, __: object, ___: object) -> None:
    """Nothing more is kept."""
