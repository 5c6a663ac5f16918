"""Sets what a member is guaranteed and may ask for, once the room for all guarantees is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from control_plane.admission.commit import guard
from control_plane.admission.settle import settle
from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, RegionId
from control_plane.model.ledger import Ledger
from control_plane.model.tenant import MunicipalityCode
from control_plane.placement import Plan, plan_guarantee, storage_of, unproved
from control_plane.store import LostRace, Store, Transaction

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Guaranteed(Generic[T_co]):
    """`before` is None where nothing had been set; `result` is what `finish` returned."""

    before: Allotment | None
    after: Allotment
    result: T_co


@dataclass(frozen=True, slots=True)
class _Question:
    standing: Allotment | None
    ledger: Ledger


def guarantee(
    store: Store,
    region: RegionId,
    tenant: MunicipalityCode,
    guaranteed: Capacity,
    finish: Callable[[Transaction, Allotment], T],
    *,
    quota: Capacity,
    expected: Generation | None = None,
    dry_run: bool = False,
) -> Guaranteed[T]:
    """Set both numbers together with the room that they ask for. What is guaranteed and used already
    needs none; for the rest, other members' holdings may be placed anew.

    Raises `guarantee-beyond-quota`, `quota-changed` (412, where `expected` is not the generation),
    `guarantee-does-not-fit`, `tenant-not-found`, `region-not-found`, and LostRace when the region
    never comes to rest.
    """
    if not guaranteed.fits_in(quota):
        raise YuiError(
            "guarantee-beyond-quota",
            en="A member cannot be guaranteed more than its quota: raise the quota, or guarantee less.",
            ja="クォータを超える容量は保証できません。クォータを引き上げるか、保証する容量を減らしてください。",
            fields={"guaranteed": dict(guaranteed), "quota": dict(quota)},
        )

    def read(tx: Transaction) -> _Question:
        tx.tenant(tenant)
        standing = tx.claim_allotment(tenant, region)
        generation = Generation(0) if standing is None else standing.generation
        if expected is not None and generation != expected:
            raise YuiError(
                "quota-changed",
                en=f"The quota of member {tenant} has changed since you read it (generation {generation}, not {expected}): read it again.",
                ja=f"参加団体 {tenant} のクォータは読み取り後に変更されています(世代 {generation}、指定は {expected})。読み直してください。",
                status=412,
                fields={"tenant": tenant.text, "generation": generation},
            )
        return _Question(standing, tx.ledger(region))

    def plan(question: _Question) -> Plan:
        answer = plan_guarantee(question.ledger, tenant.text, guaranteed)
        before = Capacity() if question.standing is None else question.standing.guaranteed
        if answer is None:
            raise _does_not_fit(region, tenant, unproved(question.ledger))
        if not guaranteed.fits_in(before):
            short = unproved(question.ledger)
            short.pop(tenant.text, None)
            if short:
                raise _does_not_fit(region, tenant, short)
        return answer

    def keep(tx: Transaction, then: _Question, now: _Question, plan: Plan) -> Guaranteed[T]:
        # What is due rests on all that the member uses, and the room on all that others hold.
        if then != now:
            raise LostRace(f"region {region}")
        tx.hold_storage(*storage_of(plan.holdings))
        guard(tx, now.ledger, plan.touched, plan.refuges)
        tx.set_holdings(region, plan.holdings)
        tx.set_refuges(region, plan.refuges)
        generation = Generation(1) if now.standing is None else now.standing.generation
        saved = tx.put_allotment(Allotment(tenant, region, guaranteed, quota, generation))
        return Guaranteed(now.standing, saved, finish(tx, saved))

    return settle(store, region, read, plan, keep, dry_run=dry_run)


def _does_not_fit(
    region: RegionId, tenant: MunicipalityCode, short: dict[str, Capacity]
) -> YuiError:
    others = sorted(set(short) - {tenant.text})
    en = ja = ""
    if others:
        en = f" There is too little room already for what is guaranteed to {', '.join(others)}."
        ja = f"すでに {'・'.join(others)} への保証分も不足しています。"
    return YuiError(
        "guarantee-does-not-fit",
        en=f"The guarantees of all members would not fit together in region '{region}' and survive its next failure, so member {tenant} is not guaranteed that: guarantee less, or add hosts.{en}",
        ja=f"リージョン「{region}」では、全団体への保証分が次の障害後にも収まるとは言えないため、参加団体 {tenant} にこの容量を保証できません。保証する容量を減らすか、ホストを増設してください。{ja}",
        status=409,
        fields={"tenant": tenant.text, "region": region, "short": sorted(short)},
    )
