"""The other member of a story leaves, as its own people and the consortium's ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.ids import OperationId
from control_plane.model.membership import ApprovalRule, Hosted, Membership
from control_plane.model.units import Seconds
from tenants.leaving import service
from tenants.leaving.export_directory import ExportDirectory, sha256_of
from tenants.leaving.worker import Leaver
from tests.scenarios.joining import OTHER

if TYPE_CHECKING:
    from control_plane.store import Transaction
    from tests.scenarios.stage import ControlPlane, Stage

_ADMIN = Principal("user-1", "鈴木", Role.MEMBER_ADMIN, OTHER.code)
_APPROVER = Principal("user-2", "Sato", Role.APPROVER, None)


class Departure:
    """Once it has begun, each control plane leads members out beside its other work."""

    def __init__(self, stage: Stage, exports: Path) -> None:
        self._stage = stage
        self._exports = ExportDirectory(exports)
        self._begun = False

    def begin(self) -> None:
        """Asked for and approved at once."""
        stage = self._stage
        with stage.store.write() as tx:
            region = tx.regions()[0].id
            hosted = Hosted(stage.world.virtual_clock.now())
            tx.put_membership(Membership(OTHER, region, (), hosted))
            service.ask(
                self._step(tx, _ADMIN),
                ApprovalRule.TWO_PERSONS,
                reason="Two towns become one.",
                destroy_keys=True,
                can_export=True,
                keep=lambda *_: None,
            )
            service.approve(self._step(tx, _APPROVER))
        self._begun = True
        for plane in stage.control_planes.values():
            self.follow(plane)

    def stay(self) -> None:
        with self._stage.store.write() as tx:
            service.stay(self._step(tx, _ADMIN), "They stay two.")

    def confirm(self) -> None:
        """Every file of the export is checked first, as its people would."""
        with self._stage.store.write() as tx:
            operation = tx.membership(OTHER.code).operation
            assert operation is not None
            self._check(operation)
            service.confirm(self._step(tx, _ADMIN), "We have read all of it.")

    def follow(self, plane: ControlPlane) -> None:
        if not self._begun:
            return
        store, vantage = plane.store, plane.vantage
        leaver = Leaver(store, vantage, self._exports, None, plane.name, checkpoint=100_000)

        def live() -> None:
            while True:
                try:
                    leaver.tick()
                except Exception as error:
                    if not plane.database.explains(error):
                        plane.failures.append(error)
                vantage.clock.sleep(Seconds(1))

        self._stage.world.virtual_clock.spawn(live)

    def _check(self, operation: OperationId) -> None:
        export = self._exports.of(OTHER.code, operation)
        lines = export.place("SHA256SUMS").read_text(encoding="utf-8").splitlines()
        for line in lines:
            sha256, _, path = line.partition("  ")
            assert sha256_of(export.place(path))[1] == sha256, path
        disks = [line for line in lines if line.endswith(".qcow2")]
        self._stage.log.append(
            f"{'':8} story {len(disks)} disks are in the export, each as its sum says"
        )

    def _step(self, tx: Transaction, who: Principal) -> service.Step:
        return service.Step(tx, OTHER.code, who, self._stage.world.virtual_clock.now())
