"""Asks lent room back: who is to give what back by when, and what is shelved where nobody did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from control_plane.admission.settle import settle
from control_plane.admission.shelving import shelve
from control_plane.model.allotment import Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import ReclaimId, RegionId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.reclaim import Notice, Reclaim, ReclaimState
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.model.workload import Power, Server
from control_plane.placement import ReclaimPlan, plan_reclaim, unproved, without
from control_plane.store import Lease, LostRace, Store, Transaction

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ReclaimWish:
    """Room of that much, or whatever the guarantee of `beneficiary` lacks. `word` is an operator's
    reason for asking for servers of tier 0 and protected ones too. `period` None: the region's."""

    region: RegionId
    asked: Capacity
    beneficiary: MunicipalityCode | None
    by: str
    at: datetime
    word: str | None = None
    period: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Reclaimed(Generic[T_co]):
    """What was asked back, or would be in a dry run, on which ledger, and what `finish` returned."""

    reclaim: Reclaim
    ledger: Ledger
    servers: Mapping[ServerId, Server]
    result: T_co


@dataclass(frozen=True, slots=True)
class _Question:
    ledger: Ledger
    servers: Mapping[ServerId, Server]
    period: timedelta


def ask_back(
    store: Store,
    id: ReclaimId,
    wish: ReclaimWish,
    finish: Callable[[Transaction, Reclaim], T],
    *,
    dry_run: bool = False,
) -> Reclaimed[T]:
    """Work out who gives what back and record the notices. Nothing is stopped before they have ended.

    Raises `region-not-found`, `tenant-not-found`, `reclaim-open`, `guarantee-has-its-room`,
    `room-is-there`, `too-little-lent`, and LostRace when the region never comes to rest.
    """

    def read(tx: Transaction) -> _Question:
        region = tx.region(wish.region)
        if wish.beneficiary is not None:
            tx.tenant(wish.beneficiary)
        _refuse_second(tx, wish.region)
        servers = {server.id: server for server in tx.servers(region=wish.region)}
        period = timedelta(days=region.notice_days) if wish.period is None else wish.period
        return _Question(tx.ledger(wish.region), servers, period)

    def plan(question: _Question) -> ReclaimPlan:
        if wish.beneficiary is not None:
            _need_lack(question.ledger, wish.beneficiary)
        found = plan_reclaim(
            _without_leaving(question),
            wish.asked,
            among=question.servers.keys(),
            spared=_spared(question, wish.word),
            first_tier_too=wish.word is not None,
        )
        if not found.enough:
            raise _too_little(wish.region, found)
        if not found.servers:
            raise _there_already(wish.region)
        return found

    def keep(tx: Transaction, then: _Question, now: _Question, found: ReclaimPlan) -> Reclaimed[T]:
        reclaim = Reclaim(
            id=id,
            region=wish.region,
            asked=replace(wish.asked, disk=GiB(0)),
            beneficiary=wish.beneficiary,
            notices=_notices(then, found),
            asked_by=wish.by,
            asked_at=wish.at,
            ends_at=wish.at + now.period,
            word=wish.word,
        )
        tx.add_reclaim(reclaim)
        return Reclaimed(reclaim, then.ledger, then.servers, finish(tx, reclaim))

    return settle(store, wish.region, read, plan, keep, dry_run=dry_run)


def carry_out(
    store: Store,
    reclaim: Reclaim,
    at: datetime,
    lease: Lease | None,
    finish: Callable[[Transaction, Reclaim, Sequence[Server]], None],
) -> Sequence[Server]:
    """Shelve what is still needed of what borrowers were told of and did not give back; answers those
    servers. Who has shrunk as asked keeps all that is left. `finish` gets the reclaim as it ended.
    Raises LostRace, LeaseLost."""

    def read(tx: Transaction) -> _Question:
        servers = {server.id: server for server in tx.servers(region=reclaim.region)}
        return _Question(tx.ledger(reclaim.region), servers, timedelta())

    def plan(question: _Question) -> list[Server]:
        owing = (one for one in reclaim.notices if not one.met(_staying(question, one.tenant)))
        found = plan_reclaim(
            _without_leaving(question),
            reclaim.asked,
            among={server for one in owing for server in one.servers},
            spared=_spared(question, reclaim.word),
            first_tier_too=reclaim.word is not None,
        )
        return [question.servers[server] for server in found.servers]

    def keep(
        tx: Transaction, _: _Question, now: _Question, taken: Sequence[Server]
    ) -> Sequence[Server]:
        for server in taken:
            if now.servers.get(server.id) != server:
                raise LostRace(f"server {server.id}")
            shelve(tx, server)
        ended = replace(reclaim.ended(ReclaimState.DONE, at), shelved=tuple(s.id for s in taken))
        finish(tx, tx.save_reclaim(ended), taken)
        return taken

    return settle(store, reclaim.region, read, plan, keep, lease=lease)


def _staying(question: _Question, tenant: MunicipalityCode) -> Capacity:
    """What it uses but for what is on its way out."""
    mine = (s for s in question.servers.values() if s.tenant == tenant and not _leaves(s))
    return sum((Capacity.of(server.size, GiB(0)) for server in mine), Capacity())


def _leaves(server: Server) -> bool:
    return server.deleting or server.power is Power.SHELVED


def _without_leaving(question: _Question) -> Ledger:
    """As it is once those that are being deleted or shelved are gone."""
    leaving = {id for id, server in question.servers.items() if _leaves(server)}
    return without(question.ledger, leaving)


def _spared(question: _Question, word: str | None) -> set[ServerId]:
    """Who is protected stays, unless an operator gave their word."""
    return {
        id
        for id, server in question.servers.items()
        if _leaves(server) or (server.protected and word is None)
    }


def _notices(question: _Question, found: ReclaimPlan) -> tuple[Notice, ...]:
    notices = []
    for owner, due in found.freed.items():
        tenant = MunicipalityCode(owner)
        named = tuple(s for s in found.servers if question.servers[s].tenant == tenant)
        notices.append(Notice(tenant, due, _staying(question, tenant).beyond(due), named))
    return tuple(notices)


def _refuse_second(tx: Transaction, region: RegionId) -> None:
    standing = tx.reclaims(region=region, open_only=True)
    if standing:
        first = standing[0].id
        raise YuiError(
            "reclaim-open",
            en=f"Room is being asked back in region '{region}' already ({first}): wait until that has ended, or withdraw it first.",
            ja=f"リージョン「{region}」では、すでに容量の返却を求めています({first})。終わるまで待つか、先に取り下げてください。",
            status=409,
            fields={"region": region, "reclaim": first},
        )


def _need_lack(ledger: Ledger, beneficiary: MunicipalityCode) -> None:
    lacking = unproved(ledger).get(beneficiary.text, Capacity())
    if not lacking.vcpu and not lacking.memory:
        raise YuiError(
            "guarantee-has-its-room",
            en=f"All that is guaranteed to member {beneficiary} has its room, so nothing needs to be asked back for it.",
            ja=f"参加団体 {beneficiary} への保証分はすべて確保されているため、返却を求める必要はありません。",
            status=409,
            fields={"tenant": beneficiary.text},
        )


def _there_already(region: RegionId) -> YuiError:
    return YuiError(
        "room-is-there",
        en=f"Region '{region}' has that much room already, so nothing is asked back.",
        ja=f"リージョン「{region}」にはその容量がすでにあるため、返却を求める必要はありません。",
        status=409,
        fields={"region": region},
    )


def _too_little(region: RegionId, found: ReclaimPlan) -> YuiError:
    freed = sum(found.freed.values(), Capacity(VCpu(0), MiB(0)))
    amount = f"{freed.vcpu} vCPU, {freed.memory:,} MiB"
    return YuiError(
        "too-little-lent",
        en=f"Not even all that is lent in region '{region}' ({amount}) would make room for that: ask for less, or add hosts. Servers of tier 0 and protected ones are left out unless an operator gives a reason.",
        ja=f"リージョン「{region}」で貸し出している容量({amount})をすべて返却しても足りません。求める容量を減らすか、ホストを増設してください。ティア 0 と保護されたサーバーは、運用担当者が理由を示さない限り対象になりません。",
        status=409,
        fields={"region": region, "lent": dict(freed)},
    )
