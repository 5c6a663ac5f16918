"""Ends the notices by which lent room is asked back: what was not given back is shelved.

Where a member's guarantee needs the room this happens by itself. Where somebody merely asked for it,
an approver is waited for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.admission import carry_out
from control_plane.model.access import AuditEntry
from control_plane.model.operation import Event, Severity
from control_plane.model.reclaim import Reclaim, ReclaimState
from control_plane.model.workload import Server
from control_plane.reconcile.records import Records
from control_plane.store import Lease, Store, Transaction


@dataclass(frozen=True, slots=True)
class Reclaiming:
    store: Store
    records: Records

    def advance(self, lease: Lease, at: datetime) -> int:
        """How many notices were ended or servers shelved. Raises LostRace, LeaseLost."""
        changes = 0
        for reclaim in self.records.open_reclaims():
            if at < reclaim.ends_at or reclaim.state is ReclaimState.DUE:
                continue
            if reclaim.beneficiary is None and reclaim.state is ReclaimState.NOTICED:
                with self.store.write(lease) as tx:
                    tx.save_reclaim(replace(reclaim, state=ReclaimState.DUE))
                    tx.add_event(_due(reclaim, at))
                changes += 1
                continue
            changes += 1 + len(carry_out(self.store, reclaim, at, lease, _Tell(at)))
        return changes


@dataclass(frozen=True, slots=True)
class _Tell:
    at: datetime

    def __call__(self, tx: Transaction, reclaim: Reclaim, taken: Sequence[Server]) -> None:
        tx.add_events([*(_taken(server, self.at) for server in taken), _done(reclaim, self.at)])
        for server in taken:
            tx.add_audit(
                AuditEntry(
                    at=self.at,
                    principal="control-plane",
                    role=None,
                    tenant=server.tenant.text,
                    action="server.shelve",
                    subject=f"server:{server.id}",
                    outcome="done",
                    fields={"reclaim": reclaim.id},
                )
            )


def _due(reclaim: Reclaim, at: datetime) -> Event:
    return Event(
        "reclaim.due",
        f"region:{reclaim.region}",
        at,
        Severity.WARNING,
        f"The notice has ended for room that was asked back in region '{reclaim.region}' ({reclaim.id}). No guarantee needs it, so an approver decides: 'yui quota carry-out {reclaim.id}' shelves what was not given back, 'yui quota withdraw {reclaim.id}' leaves everything as it is.",
        f"リージョン「{reclaim.region}」で求めた容量返却({reclaim.id})の予告期間が終わりました。保証のためには必要ないため、承認者が判断します。「yui quota carry-out {reclaim.id}」で未返却分を休止し、「yui quota withdraw {reclaim.id}」で取り下げます。",
        fields={"reclaim": reclaim.id},
    )


def _taken(server: Server, at: datetime) -> Event:
    return Event(
        "server.reclaimed",
        f"server:{server.id}",
        at,
        Severity.WARNING,
        f"Server {server.name} is shelved, because the notice to give back borrowed room has ended: its disks and its address are kept, and it can be unshelved while there is room.",
        f"借用容量の返却予告期間が終わったため、サーバー {server.name} を休止します。ディスクとアドレスは保持され、容量に空きがあれば休止を解除できます。",
        tenant=server.tenant.text,
    )


def _done(reclaim: Reclaim, at: datetime) -> Event:
    count = len(reclaim.shelved)
    en = f"servers that are shelved for it: {count}" if count else "nothing had to be shelved"
    ja = f"サーバー {count} 台を休止します" if count else "休止したサーバーはありません"
    return Event(
        "reclaim.done",
        f"region:{reclaim.region}",
        at,
        Severity.INFO,
        f"The room that was asked back in region '{reclaim.region}' ({reclaim.id}) is given back: {en}.",
        f"リージョン「{reclaim.region}」で求めた容量返却({reclaim.id})が完了しました。{ja}。",
        fields={"reclaim": reclaim.id, "shelved": count},
    )
