"""Users over HTTP, and what somebody is told of themselves."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query, Request, Response

from control_plane.access.identity_providers import IdentityProviders
from control_plane.access.models import Me, UserChange, UserIn, UserOut, UserRemoved
from control_plane.access.users import add, change, remove, user_out
from control_plane.http.auth import Whoever, needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission

router = APIRouter(prefix="/v1", tags=["access"])

Reader = Annotated[Principal, needs(Permission.USERS_READ)]
Writer = Annotated[Principal, needs(Permission.USERS_WRITE)]
Force = Annotated[bool, Query(description="Even if nobody is left who is an admin.")]

# Whoever counts the admins that are left must not be overtaken.
_TURN = "users"


@router.get("/me")
def read_me(who: Whoever) -> Me:
    """Who you are here, and what you may do."""
    kind: Literal["user", "token", "service-account"] = "token"
    if who.account is not None:
        kind = "service-account"
    elif who.token.startswith("user-"):
        kind = "user"
    return Me(
        id=who.token,
        name=who.label,
        kind=kind,
        role=who.role,
        tenant=None if who.tenant is None else who.tenant.text,
        permissions=sorted(who.permissions),
        expires_at=who.expires_at,
        break_glass=None if who.grant is None else who.grant.id,
    )


@router.post("/users", status_code=201, response_model=UserOut)
@audited("user.add", "user")
def add_user(
    body: UserIn,
    who: Writer,
    request: Request,
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Let a person in whom an identity provider knows."""
    trusted = cast(IdentityProviders | None, request.app.state.providers)
    providers = () if trusted is None else trusted.providers

    def work(remember: Remember) -> UserOut:
        with edge.rehearsable(dry_run, turn=_TURN) as tx, named_in_body():
            user = add(
                tx,
                body,
                who,
                edge.clock.now(),
                issuers=[each.issuer for each in providers],
                inviting=[each.issuer for each in providers if each.bind_by_email],
            )
            answer = user_out(user)
            remember(tx, answer)
        return answer

    return once.run(work, status=200 if dry_run else 201)


@router.get("/users")
def read_users(
    who: Reader, edge: AtHand, limit: Limit = 100, cursor: Cursor = None
) -> Page[UserOut]:
    """A member's people see its own users alone."""
    with edge.store.read() as tx:
        users = tx.users(who.tenant)
    return page_of(users, key=lambda user: user.id, show=user_out, limit=limit, cursor=cursor)


@router.get("/users/{user_id}")
def read_user(user_id: Name, who: Reader, edge: AtHand) -> UserOut:
    with edge.store.read() as tx:
        return user_out(tx.user(user_id, who.tenant))


@router.patch("/users/{user_id}", response_model=UserOut)
@audited("user.change", "user")
def change_user(
    user_id: Name,
    body: UserChange,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    force: Force = False,
    dry_run: DryRun = False,
) -> Response:
    """Give a user another role or name, or switch it off or on. It holds from the next request."""

    def work(remember: Remember) -> UserOut:
        with edge.rehearsable(dry_run, turn=_TURN) as tx:
            answer = user_out(change(tx, user_id, body, who, edge.clock.now(), force=force))
            remember(tx, answer)
        return answer

    return once.run(work)


@router.delete("/users/{user_id}", response_model=UserRemoved)
@audited("user.remove", "user")
def remove_user(
    user_id: Name,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    force: Force = False,
    dry_run: DryRun = False,
) -> Response:
    """Delete a user; the next request that comes with its token is refused."""

    def work(remember: Remember) -> UserRemoved:
        answer = UserRemoved(id=user_id)
        with edge.rehearsable(dry_run, turn=_TURN) as tx:
            remember(tx, answer)
            remove(tx, user_id, who, edge.clock.now(), force=force)
        return answer

    return once.run(work)
