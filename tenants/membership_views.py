"""Members' lives as the API shows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from control_plane.journal.member_progress import Step, steps_of
from control_plane.model.membership import (
    Applied,
    Approved,
    Connected,
    Departing,
    Exported,
    LeaveAsked,
    Leaving,
    Left,
    Membership,
    Rejected,
    Standing,
    Withdrawn,
)
from control_plane.store import Snapshot
from tenants.membership_models import (
    AppliedFor,
    ContactOut,
    FirstUserOut,
    MemberDetails,
    OwnSiteOut,
    StepOut,
)
from tenants.quotas import amounts
from tenants.views import member_out


def member_details(membership: Membership, tx: Snapshot) -> MemberDetails:
    standing, own_site, contact = membership.standing, membership.own_site, membership.contact
    applied_by = decided_by = reason = None
    match standing:
        case Applied(by=by):
            applied_by = by.label
        case Approved(applied_by=applicant, by=by):
            applied_by, decided_by = applicant.label, by.label
        case Rejected(by=by, reason=why):
            decided_by, reason = by.label, why
        case Connected(by=by) | Withdrawn(by=by):
            decided_by = by.label
        case LeaveAsked(by=by, reason=why):
            applied_by, reason = by.label, why
        case Leaving(asked_by=asker, by=by) | Exported(asked_by=asker, by=by):
            applied_by, decided_by = asker.label, by.label
        case Departing(by=by, statement=why) | Left(by=by, statement=why):
            decided_by, reason = by.label, why
    return MemberDetails(
        **member_out(membership.tenant, membership).model_dump(),
        region=membership.region,
        applied_for=[
            AppliedFor(blueprint=name, version=version) for name, version in membership.blueprints
        ],
        own_site=None
        if own_site is None
        else OwnSiteOut(name=own_site.name, contact=own_site.contact),
        contact=ContactOut(name=contact.name, email=contact.email, phone=contact.phone),
        admins=[FirstUserOut(**asdict(each)) for each in membership.wanted.admins],
        quota=None if membership.wanted.quota is None else amounts(membership.wanted.quota),
        applied_by=applied_by,
        decided_by=decided_by,
        reason=reason,
        stage=_stage(standing),
        steps=[_step(step) for step in steps_of(tx, membership)],
        operation=membership.operation,
        generation=membership.generation,
    )


def _stage(standing: Standing) -> Literal["exporting", "to-be-confirmed", "removing"] | None:
    match standing:
        case Leaving():
            return "exporting"
        case Exported():
            return "to-be-confirmed"
        case Departing():
            return "removing"
        case _:
            return None


def _step(step: Step) -> StepOut:
    return StepOut(
        name=step.name,
        of=step.of,
        done=step.done,
        total=step.total,
        unit=step.unit,
        ended=step.ended,
    )
