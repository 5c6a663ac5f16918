"""Who asks for a change of a server, and what is written down of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.journal.operations import new_operation_id
from control_plane.model.errors import YuiError
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Server
from control_plane.store import Transaction

Keep = Callable[[Transaction, Operation], None]
"""Called within the transaction of a change with the operation that tells of it."""


def member_asking(who: Principal, en: str, ja: str) -> MunicipalityCode:
    """The member whose own the new thing is to be; `en` and `ja` begin the sentence that says why it takes one. Raises
    `tenant-missing` for whoever acts for none."""
    if who.tenant is None:
        raise YuiError(
            "tenant-missing",
            en=f"{en}: ask with a token of that member.",
            ja=f"{ja}。その団体のトークンで実行してください。",
        )
    return who.tenant


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and when."""

    who: Principal
    at: datetime

    @property
    def tenant(self) -> MunicipalityCode | None:
        return self.who.tenant

    def operation(self, kind: str, servers: Sequence[Server], **fields: object) -> Operation:
        first = servers[0]
        one = len(servers) == 1
        return Operation(
            id=new_operation_id(),
            kind=kind,
            subject=f"server:{first.id}" if one else f"system:{first.system}",
            tenant=first.tenant.text,
            state=OperationState.RUNNING,
            done=0,
            total=len(servers),
            created_at=self.at,
            updated_at=self.at,
            fields={"servers": [server.id for server in servers], **fields},
        )

    def tell_of(
        self,
        tx: Transaction,
        action: str,
        subject: str,
        tenant: MunicipalityCode,
        *,
        what: tuple[str, str],
        did: tuple[str, str],
        fields: Mapping[str, object],
    ) -> None:
        """The event and the audit entry of a change of what a member has on record: `what` it is called, and what
        was done with it, in English and Japanese. `fields` are the audit trail's."""
        (what_en, what_ja), (en, ja) = what, did
        tx.add_event(
            Event(
                action,
                subject,
                self.at,
                Severity.INFO,
                f"{what_en} {en}, {self.who.label} asks.",
                f"{self.who.label} さんの指示により、{what_ja} {ja}。",
                tenant=tenant.text,
            )
        )
        tx.add_audit(self.who.did(action, subject, self.at, tenant=tenant, fields=fields))

    def tell(
        self,
        tx: Transaction,
        kind: str,
        server: Server,
        sentences: tuple[str, str],
        fields: Mapping[str, object] | None = None,
    ) -> None:
        """The event and the audit entry of a change of one server; `kind` is the audit trail's word."""
        en, ja = sentences
        tx.add_event(
            Event(
                f"{kind}-asked",
                f"server:{server.id}",
                self.at,
                Severity.INFO,
                f"Server {server.name} {en}, {self.who.label} asks.",
                f"{self.who.label} さんの指示により、サーバー {server.name} {ja}。",
                tenant=server.tenant.text,
                fields=fields,
            )
        )
        tx.add_audit(
            self.who.did(kind, f"server:{server.id}", self.at, tenant=server.tenant, fields=fields)
        )
