"""Room that members have borrowed is asked back, with notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from control_plane.admission import Reclaimed, ReclaimWish, ask_back
from control_plane.http.auth import permission_missing
from control_plane.http.edge import Edge
from control_plane.http.principal import Principal
from control_plane.journal.operations import draw
from control_plane.model.access import Permission
from control_plane.model.allotment import Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import ReclaimId, RegionId
from control_plane.model.operation import Event, Severity
from control_plane.model.reclaim import Notice, Reclaim, ReclaimState
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import MiB, VCpu
from control_plane.placement import without
from control_plane.pool.certificate_change import certificate_between
from control_plane.pool.plan import Cost, replaced
from control_plane.store import Transaction
from tenants.reclaim_models import NoticeOut, ReclaimIn, ReclaimOut, ReclaimRehearsal, Room

Keep = Callable[[Transaction, Reclaim], None]


def ask(
    edge: Edge,
    region: RegionId,
    body: ReclaimIn,
    who: Principal,
    keep: Keep,
    *,
    dry_run: bool = False,
) -> Reclaimed[None]:
    """Raises what `ask_back` raises, and `permission-missing` where somebody who is no operator gives
    a word for servers that are otherwise left alone."""
    if body.word is not None and not who.may(Permission.POOL_WRITE):
        raise permission_missing(Permission.POOL_WRITE)
    at = edge.clock.now()
    wish = ReclaimWish(
        region,
        Capacity(VCpu(body.vcpus), MiB(body.memory_mib)),
        None if body.tenant is None else MunicipalityCode(body.tenant),
        by=who.label,
        at=at,
        word=body.word,
    )

    def finish(tx: Transaction, reclaim: Reclaim) -> None:
        keep(tx, reclaim)
        tx.add_events(asking_events(reclaim))
        tx.add_audit(
            who.did(
                "reclaim.ask",
                f"region:{region}",
                at,
                fields={
                    "reclaim": reclaim.id,
                    "servers": [server for one in reclaim.notices for server in one.servers],
                    "until": reclaim.ends_at.isoformat(),
                    **({} if reclaim.word is None else {"word": reclaim.word}),
                },
            )
        )

    return ask_back(edge.store, ReclaimId(f"rc-{draw(12)}"), wish, finish, dry_run=dry_run)


def decide(tx: Transaction, id: ReclaimId, who: Principal, at: datetime) -> Reclaim:
    """Whatever was not given back is to be shelved. Raises `reclaim-not-found`, `reclaim-ended`,
    `notice-goes-on`."""
    reclaim = _open(tx, id)
    if reclaim.state is ReclaimState.NOTICED:
        raise YuiError(
            "notice-goes-on",
            en=f"Borrowers have until {reclaim.ends_at:%Y-%m-%d %H:%M} UTC to give room back ({id}), so nothing is shelved before.",
            ja=f"容量返却({id})の期限は {reclaim.ends_at:%Y-%m-%d %H:%M}(UTC)です。それまでは休止できません。",
            status=409,
            fields={"reclaim": id, "ends_at": reclaim.ends_at.isoformat()},
        )
    if reclaim.state is ReclaimState.DECIDED:
        return reclaim
    decided = tx.save_reclaim(replace(reclaim, state=ReclaimState.DECIDED))
    tx.add_audit(
        who.did("reclaim.carry-out", f"region:{reclaim.region}", at, fields={"reclaim": id})
    )
    return decided


def withdraw(tx: Transaction, id: ReclaimId, who: Principal, at: datetime) -> Reclaim:
    """Borrowers keep what they have. Raises `reclaim-not-found`, `reclaim-ended`."""
    reclaim = _open(tx, id)
    ended = tx.save_reclaim(reclaim.ended(ReclaimState.WITHDRAWN, at))
    tx.add_events(
        [
            _withdrawn(ended, at, None),
            *(_withdrawn(ended, at, one.tenant.text) for one in ended.notices),
        ]
    )
    tx.add_audit(
        who.did("reclaim.withdraw", f"region:{reclaim.region}", at, fields={"reclaim": id})
    )
    return ended


def _open(tx: Transaction, id: ReclaimId) -> Reclaim:
    reclaim = tx.reclaim(id)
    if not reclaim.state.open:
        raise YuiError(
            "reclaim-ended",
            en=f"What was asked back with {id} has ended already ({reclaim.state}): nothing is left to decide.",
            ja=f"容量返却 {id} はすでに終了しています(状態: {reclaim.state})。",
            status=409,
            fields={"reclaim": id, "state": reclaim.state.value},
        )
    return reclaim


def reclaim_out(reclaim: Reclaim, reader: Principal) -> ReclaimOut:
    """As the reader may see it."""
    mine, all_of_it = reader.tenant, reader.tenant is None
    notices = [one for one in reclaim.notices if mine in (None, one.tenant)]
    named = {server for one in notices for server in one.servers}
    return ReclaimOut(
        id=reclaim.id,
        region=reclaim.region,
        state=reclaim.state.value,
        asked=_room(reclaim.asked) if all_of_it else None,
        tenant=reclaim.beneficiary.text if all_of_it and reclaim.beneficiary is not None else None,
        word=reclaim.word if all_of_it else None,
        asked_by=reclaim.asked_by if all_of_it else None,
        asked_at=reclaim.asked_at,
        ends_at=reclaim.ends_at,
        ended_at=reclaim.ended_at,
        notices=[_notice_out(one) for one in notices],
        shelved=[server for server in reclaim.shelved if server in named],
        generation=reclaim.generation,
    )


def rehearsal_of(done: Reclaimed[None]) -> ReclaimRehearsal:
    """What would be if nobody gave anything back by themselves."""
    named = [server for one in done.reclaim.notices for server in one.servers]
    freed = sum((one.due for one in done.reclaim.notices), Capacity())
    return ReclaimRehearsal(
        diff=[
            replaced(f"/servers/{done.servers[s].name}/power", done.servers[s].power, "shelved")
            for s in named
        ],
        certificate=certificate_between(done.ledger, without(done.ledger, named)),
        capacity=Cost(vcpus=-freed.vcpu, memory_mib=-freed.memory, disk_gib=0),
        ends_at=done.reclaim.ends_at,
        notices=[_notice_out(one) for one in done.reclaim.notices],
    )


def _notice_out(notice: Notice) -> NoticeOut:
    return NoticeOut(
        tenant=notice.tenant.text,
        give_back=_room(notice.due),
        may_use=_room(notice.most),
        servers=list(notice.servers),
    )


def _room(capacity: Capacity) -> Room:
    return Room(vcpus=capacity.vcpu, memory_mib=capacity.memory)


def asking_events(reclaim: Reclaim) -> list[Event]:
    """What the consortium and each borrower are told at first."""
    at = reclaim.asked_at
    return [_asked(reclaim, at), *(_noticed(reclaim, one, at) for one in reclaim.notices)]


def _asked(reclaim: Reclaim, at: datetime) -> Event:
    count = len(reclaim.notices)
    why_en = "" if reclaim.beneficiary is None else f" for the guarantee of {reclaim.beneficiary}"
    why_ja = (
        "" if reclaim.beneficiary is None else f"(参加団体 {reclaim.beneficiary} への保証のため)"
    )
    return Event(
        "reclaim.asked",
        f"region:{reclaim.region}",
        at,
        Severity.INFO,
        f"{reclaim.asked_by} asks for room back that is lent in region '{reclaim.region}' (members that are told: {count}){why_en}, by {reclaim.ends_at:%Y-%m-%d} ({reclaim.id}).",
        f"{reclaim.asked_by} さんが、リージョン「{reclaim.region}」の {count} 団体に、借用容量を {reclaim.ends_at:%Y-%m-%d} までに返却するよう求めました{why_ja}({reclaim.id})。",
        fields={"reclaim": reclaim.id},
    )


def _noticed(reclaim: Reclaim, notice: Notice, at: datetime) -> Event:
    amount = f"{notice.due.vcpu} vCPU, {notice.due.memory:,} MiB"
    named = ", ".join(notice.servers)
    return Event(
        "reclaim.noticed",
        f"member:{notice.tenant}",
        at,
        Severity.WARNING,
        f"The pool needs room that you borrow in region '{reclaim.region}': give back {amount} by {reclaim.ends_at:%Y-%m-%d}, with whatever servers you like. Otherwise these are shelved then, with their disks kept: {named}.",
        f"リージョン「{reclaim.region}」で借用中の容量が必要になりました。{reclaim.ends_at:%Y-%m-%d} までに {amount} を返却してください(どのサーバーを減らしても構いません)。返却されない場合、次のサーバーを休止します(ディスクは保持します): {named}",
        tenant=notice.tenant.text,
        fields={"reclaim": reclaim.id, "servers": list(notice.servers)},
    )


def _withdrawn(reclaim: Reclaim, at: datetime, tenant: str | None) -> Event:
    return Event(
        "reclaim.withdrawn",
        f"region:{reclaim.region}" if tenant is None else f"member:{tenant}",
        at,
        Severity.INFO,
        f"The room that was asked back in region '{reclaim.region}' ({reclaim.id}) is not needed any more: nothing is shelved for it.",
        f"リージョン「{reclaim.region}」の容量返却の依頼({reclaim.id})は取り下げられました。休止は行いません。",
        tenant=tenant,
        fields={"reclaim": reclaim.id},
    )
