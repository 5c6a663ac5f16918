"""Who and what a client is here: its project, its user, the domain, roles and regions (Identity API v3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from control_plane.http.auth import Whoever, needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from tenants.openstack_api.callers import DOMAIN, OF_A_MEMBER, Project
from tenants.openstack_api.identity.catalogue import catalogue, regions_of
from tenants.openstack_api.identity.proving import user_of
from tenants.openstack_api.identity.token_body import ROLES
from tenants.openstack_api.links import identity_url
from tenants.openstack_api.services import IDENTITY

router = APIRouter(
    prefix=f"{IDENTITY}/v3",
    tags=["openstack identity"],
    dependencies=[needs(Permission.CATALOGUE_READ), OF_A_MEMBER],
)
choosing = APIRouter(
    prefix=f"{IDENTITY}/v3",
    tags=["openstack identity"],
    dependencies=[needs(Permission.CATALOGUE_READ, unscoped=True), OF_A_MEMBER],
)
"""What a token for no project is good for: to learn which project and which region there are."""

Named = Annotated[str | None, Query(max_length=255)]


@router.get("/auth/catalog")
def show_catalogue(request: Request, project: Project, edge: AtHand) -> dict[str, Any]:
    """Where each service is, in each of the member's regions."""
    with edge.store.read() as tx:
        regions = regions_of(tx, project)
    return {
        "catalog": catalogue(request, regions, project),
        "links": _links(request, "auth/catalog"),
    }


@choosing.get("/auth/projects")
def list_own_projects(request: Request, project: Project) -> dict[str, Any]:
    """The projects that the token could be for: the member."""
    return _listed(request, "auth/projects", "projects", [_project(request, project.text)])


@choosing.get("/auth/domains")
def list_own_domains(request: Request) -> dict[str, Any]:
    """The domains that the token could be for: none, since nobody has a role on the domain itself."""
    return _listed(request, "auth/domains", "domains", [])


@choosing.get("/users/{user}/projects")
def list_projects_of_user(
    user: str, request: Request, who: Whoever, project: Project, edge: AtHand
) -> dict[str, Any]:
    """The user's projects: the member."""
    _own_user(edge, who, user)
    return _listed(request, f"users/{user}/projects", "projects", [_project(request, project.text)])


@router.get("/projects")
def list_projects(
    request: Request, project: Project, name: Named = None, domain_id: Named = None
) -> dict[str, Any]:
    """One's own project, and nobody else's."""
    meant = name in (None, project.text) and domain_id in (None, DOMAIN["id"])
    shown = [_project(request, project.text)] if meant else []
    return _listed(request, "projects", "projects", shown)


@router.get("/projects/{id}")
def show_project(id: str, request: Request, project: Project) -> dict[str, Any]:
    """The member as a project."""
    if id != project.text:
        raise _not_found("project", "プロジェクト")
    return {"project": _project(request, id)}


@choosing.get("/users/{user}")
def show_user(
    user: str, request: Request, who: Whoever, project: Project, edge: AtHand
) -> dict[str, Any]:
    """The service account or person that asks."""
    name = _own_user(edge, who, user)
    return {
        "user": {
            "id": user,
            "name": name,
            "domain_id": DOMAIN["id"],
            "default_project_id": project.text,
            "enabled": True,
            "password_expires_at": None,
            "links": {"self": f"{identity_url(request)}/users/{user}"},
        }
    }


@router.get("/domains")
def list_domains(request: Request, name: Named = None) -> dict[str, Any]:
    """The one domain that everybody is in."""
    shown = [_domain(request)] if name in (None, DOMAIN["name"]) else []
    return _listed(request, "domains", "domains", shown)


@router.get("/domains/{id}")
def show_domain(id: str, request: Request) -> dict[str, Any]:
    """The one domain that everybody is in."""
    if id != DOMAIN["id"]:
        raise _not_found("domain", "ドメイン")
    return {"domain": _domain(request)}


@router.get("/roles")
def list_roles(request: Request, name: Named = None) -> dict[str, Any]:
    """The roles that a member's users may have."""
    names = sorted({role for roles in ROLES.values() for role in roles})
    shown = [_role(request, each) for each in names if name in (None, each)]
    return _listed(request, "roles", "roles", shown)


@router.get("/roles/{id}")
def show_role(id: str, request: Request) -> dict[str, Any]:
    """One of them."""
    if not any(id in roles for roles in ROLES.values()):
        raise _not_found("role", "ロール")
    return {"role": _role(request, id)}


@choosing.get("/regions")
def list_regions(request: Request, project: Project, edge: AtHand) -> dict[str, Any]:
    """The regions that serve the member."""
    with edge.store.read() as tx:
        shown = [_region(request, region) for region in regions_of(tx, project)]
    return _listed(request, "regions", "regions", shown)


@choosing.get("/regions/{id}")
def show_region(id: str, request: Request, project: Project, edge: AtHand) -> dict[str, Any]:
    """One of them."""
    with edge.store.read() as tx:
        if id not in regions_of(tx, project):
            raise _not_found("region", "リージョン")
    return {"region": _region(request, id)}


def _own_user(edge: AtHand, who: Principal, user: str) -> str:
    """Its name. Raises `user-not-found` for anybody else."""
    with edge.store.read() as tx:
        id, name = user_of(tx, who)
    if id != user:
        raise _not_found("user", "ユーザー")
    return name


def _listed(
    request: Request, path: str, name: str, shown: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    return {name: list(shown), "links": _links(request, path)}


def _links(request: Request, path: str) -> dict[str, str | None]:
    return {"self": f"{identity_url(request)}/{path}", "previous": None, "next": None}


def _project(request: Request, id: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": id,
        "domain_id": DOMAIN["id"],
        "parent_id": DOMAIN["id"],
        "description": "",
        "enabled": True,
        "is_domain": False,
        "options": {},
        "tags": [],
        "links": {"self": f"{identity_url(request)}/projects/{id}"},
    }


def _domain(request: Request) -> dict[str, Any]:
    return {
        **DOMAIN,
        "description": "",
        "enabled": True,
        "options": {},
        "tags": [],
        "links": {"self": f"{identity_url(request)}/domains/{DOMAIN['id']}"},
    }


def _role(request: Request, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "domain_id": None,
        "description": None,
        "options": {},
        "links": {"self": f"{identity_url(request)}/roles/{name}"},
    }


def _region(request: Request, id: str) -> dict[str, Any]:
    return {
        "id": id,
        "description": "",
        "parent_region_id": None,
        "links": {"self": f"{identity_url(request)}/regions/{id}"},
    }


def _not_found(en: str, ja: str) -> YuiError:
    return YuiError(
        f"{en}-not-found",
        en=f"Could not find that {en}, or it is not yours.",
        ja=f"その{ja}は見つからないか、利用できません。",
        status=404,
    )
