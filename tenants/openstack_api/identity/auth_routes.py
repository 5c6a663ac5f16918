"""Signing in, and what a token says of itself."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, Response

from control_plane.http.auth import Whoever
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.http.recognition import Recognition
from control_plane.http.sessions import new_session, read_session, session_id_of
from control_plane.model.access import Session
from control_plane.model.errors import YuiError
from control_plane.store import Store
from tenants.openstack_api.identity.models import ProjectIn, ScopeIn, SignIn
from tenants.openstack_api.identity.proving import Proved, of_the_domain, prove
from tenants.openstack_api.identity.token_body import token_body
from tenants.openstack_api.links import identity_url, self_link
from tenants.openstack_api.services import IDENTITY

router = APIRouter(prefix=IDENTITY, tags=["openstack identity"])

NoCatalogue = Annotated[bool, Query(alias="nocatalog")]


def _version(request: Request) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [self_link(f"{identity_url(request)}/")],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.identity-v3+json",
            }
        ],
    }


@router.get("", status_code=300)
async def versions(request: Request, response: Response) -> dict[str, Any]:
    """Which versions of Identity there are."""
    response.headers["Location"] = f"{identity_url(request)}/"
    return {"versions": {"values": [_version(request)]}}


@router.get("/v3")
async def version(request: Request) -> dict[str, Any]:
    """The version that there is."""
    return {"version": _version(request)}


@router.post("/v3/auth/tokens", status_code=201)
async def sign_in(
    body: SignIn, request: Request, edge: AtHand, no_catalogue: NoCatalogue = False
) -> Response:
    """A session for whoever proves who they are."""
    recognition: Recognition = request.app.state.recognition
    proved = await prove(body.auth.identity, recognition, edge.store)
    scoped = _scope(body.auth.scope, proved.principal)

    def begin() -> tuple[str, dict[str, Any]]:
        session, text = new_session(
            proved.principal, edge.clock.now(), methods=proved.methods, scoped=scoped
        )
        with edge.store.write() as tx:
            tx.add_session(session)
            told = token_body(
                tx, request, proved.principal, session, with_catalogue=not no_catalogue
            )
        return text, told

    text, told = await to_thread.run_sync(begin)
    return JSONResponse({"token": told}, 201, headers={"X-Subject-Token": text})


@router.get("/v3/auth/tokens")
async def show(
    request: Request,
    who: Whoever,
    edge: AtHand,
    x_subject_token: Annotated[str, Header(max_length=4096)],
    no_catalogue: NoCatalogue = False,
) -> Response:
    """What a session is good for: one's own, or one of the same token's. Raises `session-not-found`."""
    session, principal = await _own(request, edge.store, who, x_subject_token)

    def tell() -> dict[str, Any]:
        with edge.store.read() as tx:
            return token_body(tx, request, principal, session, with_catalogue=not no_catalogue)

    told = await to_thread.run_sync(tell)
    return JSONResponse({"token": told}, headers={"X-Subject-Token": x_subject_token})


@router.delete("/v3/auth/tokens", status_code=204)
async def end(
    request: Request,
    who: Whoever,
    edge: AtHand,
    x_subject_token: Annotated[str, Header(max_length=4096)],
) -> Response:
    """The session is over. Raises `session-not-found`."""
    session, _ = await _own(request, edge.store, who, x_subject_token)

    def end_it() -> None:
        with edge.store.write() as tx:
            tx.end_session(session.id)

    await to_thread.run_sync(end_it)
    return Response(status_code=204)


async def _own(
    request: Request, store: Store, who: Principal, text: str
) -> tuple[Session, Principal]:
    recognition: Recognition = request.app.state.recognition
    id = session_id_of(text)
    principal = None if id is None else await recognition.recognise(text)
    if id is None or principal is None or principal.token != who.token:
        raise _NO_SUCH_SESSION

    def read() -> Session | None:
        with store.read() as tx:
            known = read_session(tx, id)
        return None if known is None else known.session

    session = await to_thread.run_sync(read)
    if session is None:
        raise _NO_SUCH_SESSION
    return session, principal


def _scope(scope: ScopeIn | None, principal: Principal) -> bool:
    """Whether the token is for what its bearer may do: it is, unless the client wants it for no project.
    Raises `project-refused` (401) and `scope-ambiguous` (400)."""
    if scope is None:
        return True
    said = {name for name in scope.model_fields_set if getattr(scope, name) is not None}
    if len(said) > 1:
        raise _SCOPE_AMBIGUOUS
    if "unscoped" in said:
        return False
    if scope.project is None or not _is(scope.project, principal):
        raise _PROJECT_REFUSED
    return True


def _is(project: ProjectIn, principal: Principal) -> bool:
    if principal.tenant is None or project.id is project.name is None:
        return False
    own = principal.tenant.text
    if not of_the_domain(project.domain):
        return False
    return project.id in (None, own) and project.name in (None, own)


_NO_SUCH_SESSION = YuiError(
    "session-not-found",
    en="This token is unknown, ended, or not of yours.",
    ja="このトークンは登録されていないか、終了しているか、あなたのものではありません。",
    status=404,
)
_PROJECT_REFUSED = YuiError(
    "project-refused",
    en="You have no access to that project: name your own municipality code as the project, or none.",
    ja="そのプロジェクトは利用できません。自団体の団体コードをプロジェクトに指定するか、省略してください。",
    status=401,
)
_SCOPE_AMBIGUOUS = YuiError(
    "scope-ambiguous",
    en="The scope names more than one thing: name the project alone.",
    ja="scope に複数の対象が指定されています。project だけを指定してください。",
    status=400,
)

__all__ = ["Proved", "router"]
