"""Placement: a region's ledger in, a decision with its certificate out. Pure.

For every failure domain of a promised kind and every workload on it, the certificate names a refuge
outside the domain. One domain dies at a time, so a host keeps free the largest amount that any one
domain's death would bring it, not their sum. An admission or a move is planned only with refuges
for whatever it places and none lost for anybody else; else it is refused with a reason.

The way of a question: `certificate` lays the ledger out on a `board`; `arrival` ranks the hosts and
settles a workload on one; `refuges` finds or rearranges refuges; `exact` and `whole` search where
those find nothing; `resettlement` does with the cheap ones alone, for many at once; `diagnosis`, `remedies` and `refusal` explain.
What is guaranteed to members and not used is kept by `holdings`, which `guarantees` arranges around the rest. `checker` verifies the result and
knows none of them. `next_failure` says what holds while one failure is under way. `reclaim` says which servers go where room that was lent is needed.
"""

from control_plane.placement.admission import plan_admission
from control_plane.placement.checker import check
from control_plane.placement.guarantees import plan_guarantee
from control_plane.placement.holdings import (
    HOLDING_UNIT,
    HoldingChanges,
    held,
    holdings,
    overtaken,
    storage_of,
    unproved,
    with_holdings,
)
from control_plane.placement.lending import lendable
from control_plane.placement.move import plan_move
from control_plane.placement.next_failure import UnderWay, arranged_for_the_next, under_way
from control_plane.placement.plan import Plan, apply
from control_plane.placement.recertification import Recertification, recertify
from control_plane.placement.reclaim import ReclaimPlan, borrowed, plan_reclaim, without
from control_plane.placement.refusal import Lack, Proof, Refusal, Role
from control_plane.placement.remedy import AddHosts, MoveServer, Remedy, ShrinkServer
from control_plane.placement.reserve import Reserve, reserve
from control_plane.placement.resettlement import Resettlement
from control_plane.placement.resize import growth_of, plan_resize, plan_resize_elsewhere
from control_plane.placement.violation import Broken, Violation

__all__ = [
    "HOLDING_UNIT",
    "AddHosts",
    "Broken",
    "HoldingChanges",
    "Lack",
    "MoveServer",
    "Plan",
    "Proof",
    "Recertification",
    "ReclaimPlan",
    "Refusal",
    "Remedy",
    "Reserve",
    "Resettlement",
    "Role",
    "ShrinkServer",
    "UnderWay",
    "Violation",
    "apply",
    "arranged_for_the_next",
    "borrowed",
    "check",
    "growth_of",
    "held",
    "holdings",
    "lendable",
    "overtaken",
    "plan_admission",
    "plan_guarantee",
    "plan_move",
    "plan_reclaim",
    "plan_resize",
    "plan_resize_elsewhere",
    "recertify",
    "reserve",
    "storage_of",
    "under_way",
    "unproved",
    "with_holdings",
    "without",
]
