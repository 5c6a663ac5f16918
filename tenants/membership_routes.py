"""A member's life over HTTP: apply, be let in or turned away, be connected, be reached."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText
from control_plane.http.conditions import Expected, entity_tag
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.allotment import Capacity
from control_plane.model.ids import BlueprintId, RegionId
from control_plane.model.membership import ApprovalRule, Contact, OwnSite, Wanted
from control_plane.model.units import GiB, MiB, VCpu
from tenants.asked import JoinRequest
from tenants.first_users import Trusted, first_user
from tenants.membership import Applications, connect, reject, withdraw
from tenants.membership_change import change, member_of, other_sizes
from tenants.membership_models import (
    ConnectIn,
    MemberChange,
    MemberChanged,
    MemberDetails,
    MemberIn,
    RejectIn,
)
from tenants.membership_views import member_details
from tenants.models import JoinPlan
from tenants.onboarding import Onboarding
from tenants.routes import Known
from tenants.server_change import location
from tenants.views import join_plan

router = APIRouter(prefix="/v1", tags=["members"])


@router.post(
    "/members",
    status_code=202,
    response_model=OperationOut,
    responses={200: {"model": JoinPlan, "description": "With `dry_run`."}},
)
@audited("member.join", "member")
def join(
    body: MemberIn,
    who: Annotated[Principal, needs(Permission.MEMBERS_APPLY)],
    edge: AtHand,
    known: Known,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """A municipality applies with the systems it chose. Where the pool's rule asks for two persons the
    operation ends when another person has decided; else all of it is admitted now, or nothing."""
    onboarding = Onboarding(edge.store, known.catalogue, known.register)
    with named_in_body():
        request = _request(body, known.trusted)

    def rehearse(_: Remember) -> JoinPlan:
        return join_plan(onboarding.join(request, who, edge.clock.now(), dry_run=True))

    def work(remember: Remember) -> OperationOut:
        at = edge.clock.now()
        if known.rule is ApprovalRule.TWO_PERSONS:
            applying = Applications(onboarding).apply(
                request, who, at, lambda tx, begun: remember(tx, operation_out(begun))
            )
            return operation_out(applying)
        joined = onboarding.join(
            request,
            who,
            at,
            keep=lambda tx, operation: remember(tx, operation_out(operation)),
        )
        return operation_out(joined.operation)

    with named_in_body():
        return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.get("/members/{code}", response_model=MemberDetails)
def read_member(
    code: CodeText, who: Annotated[Principal, needs(Permission.MEMBERS_READ)], edge: AtHand
) -> Response:
    """One member or applicant, its state and since when, with its ETag."""
    with edge.store.read() as tx:
        found = member_of(tx, code, who)
        details = member_details(found, tx)
    return JSONResponse(
        details.model_dump(mode="json"),
        headers={"ETag": entity_tag(found.generation)},
    )


@router.post(
    "/members/{code}/approve",
    status_code=202,
    response_model=OperationOut,
    responses={200: {"model": JoinPlan, "description": "With `dry_run`."}},
)
@audited("member.approve", "member")
def approve(
    code: CodeText,
    who: Annotated[Principal, needs(Permission.MEMBERS_APPROVE)],
    edge: AtHand,
    known: Known,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Another person than the applicant lets the member in: all that it applied for is admitted now.
    Where that does not fit the application stays as it is."""
    applications = Applications(Onboarding(edge.store, known.catalogue, known.register))

    def rehearse(_: Remember) -> JoinPlan:
        at = edge.clock.now()
        return join_plan(applications.approve(code, who, at, expected=expected, dry_run=True))

    def work(remember: Remember) -> OperationOut:
        joined = applications.approve(
            code,
            who,
            edge.clock.now(),
            expected=expected,
            keep=lambda tx, operation: remember(tx, operation_out(operation)),
        )
        return operation_out(joined.operation)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.post("/members/{code}/reject", response_model=MemberDetails)
@audited("member.reject", "member")
def reject_application(
    code: CodeText,
    body: RejectIn,
    who: Annotated[Principal, needs(Permission.MEMBERS_APPROVE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Turn the application away, for a reason that is told."""

    def work(remember: Remember) -> MemberDetails:
        with edge.rehearsable(dry_run) as tx:
            at = edge.clock.now()
            found = reject(tx, code, who, at, reason=body.reason, expected=expected)
            answer = member_details(found, tx)
            remember(tx, answer)
        return answer

    return once.run(work)


@router.post("/members/{code}/withdraw", response_model=MemberDetails)
@audited("member.withdraw", "member")
def withdraw_application(
    code: CodeText,
    who: Annotated[Principal, needs(Permission.MEMBERS_APPLY)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Take the application back."""

    def work(remember: Remember) -> MemberDetails:
        with edge.rehearsable(dry_run) as tx:
            answer = member_details(
                withdraw(tx, code, who, edge.clock.now(), expected=expected), tx
            )
            remember(tx, answer)
        return answer

    return once.run(work)


@router.post("/members/{code}/connect", response_model=MemberDetails)
@audited("member.connect", "member")
def connect_own_site(
    code: CodeText,
    body: ConnectIn,
    who: Annotated[Principal, needs(Permission.MEMBERS_APPLY)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """State that the member's own site was seen to reach the pool."""

    def work(remember: Remember) -> MemberDetails:
        with edge.rehearsable(dry_run) as tx:
            at = edge.clock.now()
            found = connect(tx, code, who, at, statement=body.statement, expected=expected)
            answer = member_details(found, tx)
            remember(tx, answer)
        return answer

    return once.run(work)


@router.patch("/members/{code}", response_model=MemberChanged)
@audited("member.change", "member")
def change_member(
    code: CodeText,
    body: MemberChange,
    who: Annotated[Principal, needs(Permission.USERS_WRITE)],
    edge: AtHand,
    known: Known,
    *,
    once: Once,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Whom to reach at the member, and its residents. Answers which servers its blueprints would now
    size otherwise; nothing is resized by itself."""

    def work(remember: Remember) -> MemberChanged:
        with edge.rehearsable(dry_run) as tx:
            after = change(
                tx,
                code,
                who,
                edge.clock.now(),
                contact=None if body.contact is None else Contact(**body.contact.model_dump()),
                population=body.population,
                expected=expected,
            )
            sizes = other_sizes(tx, after.tenant, known.catalogue)
            answer = MemberChanged(**member_details(after, tx).model_dump(), sizes=sizes)
            remember(tx, answer)
        return answer

    return once.run(work)


def _request(body: MemberIn, trusted: Trusted) -> JoinRequest:
    """Raises what `first_user` does."""
    site, quota = body.own_site, body.quota
    return JoinRequest(
        code=body.code,
        blueprints=tuple(BlueprintId(name) for name in body.blueprints),
        region=None if body.region is None else RegionId(body.region),
        name=body.name,
        kana=body.kana,
        prefecture=body.prefecture,
        population=body.population,
        own_site=None if site is None else OwnSite(site.name, site.contact),
        wanted=Wanted(
            tuple(
                first_user(each.name, each.issuer, each.subject, each.email, trusted)
                for each in body.admins
            ),
            None
            if quota is None
            else Capacity(VCpu(quota.vcpus), MiB(quota.memory_mib), GiB(quota.disk_gib)),
        ),
    )
