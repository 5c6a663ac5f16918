"""Bindings: one member offers a service to another, a second person of the consortium approves it, and
either side ends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.journal.operations import draw
from control_plane.model.access import AuditEntry
from control_plane.model.errors import YuiError
from control_plane.model.host_network_plan import address_of
from control_plane.model.ids import BindingId, Generation, ServerId
from control_plane.model.network import Binding, BindingState, Protocol
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.letting_in import person_of
from tenants.networks.effect import Effect
from tenants.networks.models import BindingOut, NewBindingIn
from tenants.servers import find_server

MOST_BINDINGS = 500
"""Of one provider, ended ones too."""


def binding_out(
    binding: Binding, servers: Mapping[ServerId, Server], who: Principal, effect: Effect | None
) -> BindingOut:
    """`servers` are those of the binding that are there still."""
    own = who.tenant in (None, binding.provider)
    found = [servers[id] for id in sorted(binding.servers) if id in servers]
    return BindingOut(
        id=binding.id,
        name=binding.name,
        provider=binding.provider.text,
        consumer=binding.consumer.text,
        zone=binding.zone,
        protocol=binding.protocol,
        port=binding.port,
        reason=binding.reason,
        state=binding.state,
        # A consumer learns where to connect once it may.
        addresses=[str(address_of(server)) for server in found]
        if own or binding.state is BindingState.APPROVED
        else [],
        servers=[server.id for server in found] if own else None,
        requested_by=binding.requested_by if own else None,
        requested_at=binding.requested_at,
        decided_by=binding.decided_by if who.tenant is None else None,
        decided_at=binding.decided_at,
        in_effect=effect,
        generation=binding.generation,
    )


def servers_of(tx: Snapshot, *bindings: Binding) -> dict[ServerId, Server]:
    return tx.servers_among({id for binding in bindings for id in binding.servers})


def request_binding(tx: Transaction, wanted: NewBindingIn, asker: Asker) -> Binding:
    """Ask for one, as its provider. Raises `binding-provider-missing`, `tenant-not-found`,
    `municipality-code-malformed`, `binding-to-oneself`, `server-not-found`, `binding-across-zones`,
    `bindings-too-many`."""
    if asker.tenant is None:
        raise YuiError(
            "binding-provider-missing",
            en="A binding is asked for by the member whose servers it offers: ask with a token of that member.",
            ja="サービス公開は、サーバーを提供する団体が申請します。その団体のトークンで実行してください。",
        )
    provider, consumer = asker.tenant, MunicipalityCode(wanted.consumer)
    if consumer == provider:
        raise YuiError(
            "binding-to-oneself",
            en="A binding offers a service to another member; servers of one member and zone reach each other by security groups.",
            ja="サービス公開の相手には別の団体を指定してください。同じ団体の同じゾーンの通信はセキュリティグループで設定します。",
        )
    tx.tenant(consumer)
    servers = {s.id: s for s in (find_server(tx, name, provider) for name in wanted.servers)}
    zones = sorted({server.zone for server in servers.values()})
    if len(zones) > 1:
        raise YuiError(
            "binding-across-zones",
            en=f"These servers are in the zones {' and '.join(zones)}, which are never joined: ask for a binding for each zone.",
            ja=f"指定されたサーバーはゾーン {'、'.join(zones)} にまたがっています。ゾーンをまたぐ通信はできないため、ゾーンごとに申請してください。",
            fields={"zones": list(zones)},
        )
    if sum(b.provider == provider for b in tx.bindings(provider)) >= MOST_BINDINGS:
        raise YuiError(
            "bindings-too-many",
            en=f"This member has asked for {MOST_BINDINGS} bindings already: ask the operators to look through them.",
            ja=f"この団体のサービス公開の申請は {MOST_BINDINGS} 件に達しています。運用担当者に整理を依頼してください。",
            status=409,
        )
    binding = tx.add_binding(
        Binding(
            id=BindingId(f"binding-{draw(10)}"),
            name=wanted.name,
            provider=provider,
            consumer=consumer,
            zone=zones[0],
            servers=tuple(sorted(servers)),
            protocol=Protocol(wanted.protocol),
            port=wanted.port,
            reason=wanted.reason,
            state=BindingState.REQUESTED,
            requested_by=person_of(asker.who).id,
            requested_at=asker.at,
        )
    )
    _tell(tx, binding, "request", asker, ("is asked for", "が申請されました"))
    return binding


def decide(tx: Transaction, binding: Binding, asker: Asker, *, approve: bool) -> Binding:
    """Another person than whoever asked. Raises `binding-decided`, `second-person-needed`."""
    if binding.state is not BindingState.REQUESTED:
        raise _not_now(
            binding, "binding-decided", "waits for no decision", "は承認待ちではありません"
        )
    person = person_of(asker.who).id
    if approve and person == binding.requested_by:
        raise YuiError(
            "second-person-needed",
            en="Whoever asked can't approve it too: another person has to.",
            ja="申請者本人は承認できません。別の人が承認してください。",
            status=403,
        )
    state = BindingState.APPROVED if approve else BindingState.REFUSED
    saved = tx.save_binding(replace(binding, state=state, decided_by=person, decided_at=asker.at))
    if approve:
        _tell(tx, saved, "approve", asker, ("is approved", "が承認されました"))
    else:
        _tell(tx, saved, "refuse", asker, ("is refused", "は承認されませんでした"))
    return saved


def revoke(tx: Transaction, binding: Binding, asker: Asker) -> Binding:
    """By either side, or an approver. Raises `binding-ended`."""
    if binding.state not in (BindingState.REQUESTED, BindingState.APPROVED):
        raise _not_now(binding, "binding-ended", "has ended already", "はすでに終了しています")
    saved = tx.save_binding(
        replace(
            binding,
            state=BindingState.REVOKED,
            decided_by=person_of(asker.who).id,
            decided_at=asker.at,
        )
    )
    _tell(tx, saved, "revoke", asker, ("is revoked", "が取り消されました"))
    return saved


def expect(binding: Binding, expected: Generation | None) -> Binding:
    """Raises `binding-changed` (412) when the caller has read another generation."""
    if expected is not None and binding.generation != expected:
        raise YuiError(
            "binding-changed",
            en=f"Binding '{binding.id}' has changed since you read it: read it again.",
            ja=f"サービス公開「{binding.id}」は読み取り後に変更されています。読み直してください。",
            status=412,
            fields={"binding": binding.id, "generation": binding.generation},
        )
    return binding


def end_with(tx: Transaction, member: MunicipalityCode, at: datetime) -> None:
    """The member leaves, and what it offers and uses ends; whoever was at the other end is told."""
    for binding in tx.bindings(member):
        if binding.state not in (BindingState.REQUESTED, BindingState.APPROVED):
            continue
        ended = replace(binding, state=BindingState.REVOKED)
        _announce(
            tx,
            ended,
            at,
            (f"ends, since {member} leaves", f"は、{member} の脱退により終了しました"),
        )
        for side in (ended.provider, ended.consumer):
            tx.add_audit(
                AuditEntry(
                    at=at,
                    principal="leaving",
                    role=None,
                    tenant=side.text,
                    action="binding.revoke",
                    subject=f"binding:{ended.id}",
                    outcome="done",
                    fields=_fields(ended),
                )
            )


def _tell(
    tx: Transaction, binding: Binding, did: str, asker: Asker, sentences: tuple[str, str]
) -> None:
    """Both members read it in their own trail, and neither who of the other's people did it."""
    _announce(tx, binding, asker.at, sentences)
    subject, fields = f"binding:{binding.id}", _fields(binding)
    for side in (binding.provider, binding.consumer):
        entry = asker.who.did(f"binding.{did}", subject, asker.at, tenant=side, fields=fields)
        if asker.tenant not in (None, side):
            by = f"member:{asker.tenant}"
            entry = replace(entry, principal=by, fields={**fields, "label": by})
        tx.add_audit(entry)


def _announce(tx: Transaction, binding: Binding, at: datetime, sentences: tuple[str, str]) -> None:
    en, ja = sentences
    service = f"{binding.protocol}/{binding.port}"
    for side in (binding.provider, binding.consumer):
        tx.add_event(
            Event(
                f"binding.{binding.state.value}",
                f"binding:{binding.id}",
                at,
                Severity.INFO,
                f"Binding {binding.name} ({binding.provider} offers {service} to {binding.consumer}, zone {binding.zone}) {en}.",
                f"サービス公開「{binding.name}」({binding.provider} が {binding.consumer} に {service} を提供、ゾーン {binding.zone}){ja}。",
                tenant=side.text,
            )
        )


def _fields(binding: Binding) -> dict[str, object]:
    return {
        "name": binding.name,
        "provider": binding.provider.text,
        "consumer": binding.consumer.text,
        "zone": binding.zone.value,
        "service": f"{binding.protocol}/{binding.port}",
        "state": binding.state.value,
    }


def _not_now(binding: Binding, type: str, en: str, ja: str) -> YuiError:
    return YuiError(
        type,
        en=f"Binding '{binding.name}' {en}: it is {binding.state}.",
        ja=f"サービス公開「{binding.name}」{ja}(状態: {binding.state})。",
        status=409,
        fields={"binding": binding.id, "state": binding.state.value},
    )
