"""Members' lives as the API shows them."""

from __future__ import annotations

from control_plane.model.membership import (
    Applied,
    Approved,
    Connected,
    Membership,
    Rejected,
    Withdrawn,
)
from tenants.membership_models import AppliedFor, ContactOut, MemberDetails, OwnSiteOut
from tenants.views import member_out


def member_details(membership: Membership) -> MemberDetails:
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
        applied_by=applied_by,
        decided_by=decided_by,
        reason=reason,
        operation=membership.operation,
        generation=membership.generation,
    )
