"""While borrowed room is asked back from a member, it gets no more than it will be left with."""

from __future__ import annotations

from dataclasses import replace

from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.errors import YuiError
from control_plane.model.reclaim import Reclaim
from control_plane.model.units import GiB
from control_plane.store import Transaction


def refuse_more_than_left(
    tx: Transaction, allotment: Allotment, used: Capacity, asked: Capacity
) -> None:
    """Raises `room-is-asked-back` where `asked` on top of `used` is more than the notice to it allows.
    What is within its guarantee is always its own."""
    for reclaim in tx.reclaims(allotment.tenant, allotment.region, open_only=True):
        notice = reclaim.notice_to(allotment.tenant)
        if notice is None:
            continue
        left = notice.most.or_more(allotment.guaranteed)
        over = replace((used + asked).beyond(left), disk=GiB(0))
        # Of disk nothing is asked back, and of the rest only what is asked for can be too much.
        if over.within(asked):
            raise _asked_back(reclaim, allotment)


def _asked_back(reclaim: Reclaim, allotment: Allotment) -> YuiError:
    tenant, region = allotment.tenant, allotment.region
    return YuiError(
        "room-is-asked-back",
        en=f"Member {tenant} has been asked to give back room that it borrows in region '{region}' by {reclaim.ends_at:%Y-%m-%d}, so it can't borrow more until then: 'yui quota notices' says what is to be given back.",
        ja=f"参加団体 {tenant} には、リージョン「{region}」で借用中の容量を {reclaim.ends_at:%Y-%m-%d} までに返却するよう求めているため、それまで借用を増やせません。返却の内容は「yui quota notices」で確認できます。",
        status=409,
        fields={"tenant": tenant.text, "region": region, "reclaim": reclaim.id},
    )
