"""A server as Compute shows it: the bodies of `GET /servers/{id}` and of lists (Compute API, "Servers")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends, Request

from control_plane.http.edge import AtHand
from control_plane.http.language import Language, preferred
from control_plane.model.addressing import mac_of
from control_plane.model.ids import RegionId, ServerId
from control_plane.model.network import DEFAULT_GROUP
from control_plane.model.server_group import on_record
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from control_plane.store.server_cards import Belongings, ServerCard
from tenants.openstack_api.callers import InRegion, Project
from tenants.openstack_api.compute.server_states import state_of
from tenants.openstack_api.compute.versions import Asked, since
from tenants.openstack_api.links import service_url
from tenants.openstack_api.microversions import Version
from tenants.openstack_api.services import Service
from tenants.openstack_api.times import seconds

Json = dict[str, Any]

_UNDER_WAY = frozenset({"BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
_DEFAULT_ALONE = (DEFAULT_GROUP,)
_mac_of = lru_cache(maxsize=100_000)(mac_of)


@dataclass(frozen=True, slots=True)
class ServerView:
    """How servers are shown to one request. `endpoint` is Compute's URL there, `root` the same without
    its version, `now` the World's time."""

    version: Version
    region: RegionId
    tenant: MunicipalityCode
    endpoint: str
    root: str
    now: datetime
    language: Language = Language.EN

    def one(self, tx: Snapshot, id: str) -> Json:
        """The answer that shows one server. Raises `server-not-found`."""
        card = tx.server_card(ServerId(id), self.tenant, self.region)
        return {"server": self.detail(card, tx.belongings(self.tenant))}

    def brief(self, card: ServerCard) -> Json:
        """As lists without details have it."""
        return {"id": card.id, "name": card.name, "links": self.links(card.id)}

    def detail(self, card: ServerCard, belongings: Belongings) -> Json:
        """All of it, as far as the microversion knows it."""
        state, minor = state_of(card, self.now), self.version.minor
        groups = belongings.security_groups.get(card.id, _DEFAULT_ALONE)
        made = seconds(card.made_at)
        shown: Json = {
            "id": card.id,
            "name": card.name,
            "status": state.status,
            "tenant_id": self.tenant.text,
            "user_id": card.made_by,
            "metadata": card.labels,
            # Members see no hardware.
            "hostId": "",
            "image": {"id": card.image, "links": [self._bookmark("images", card.image)]},
            "flavor": self._flavor(card),
            "created": made,
            "updated": seconds(card.changed_at),
            "addresses": addresses(card),
            "accessIPv4": "",
            "accessIPv6": "",
            "links": self.links(card.id),
            "OS-DCF:diskConfig": "MANUAL",
            "OS-EXT-AZ:availability_zone": card.site,
            # What the guest is told comes on a disk of another layout (NoCloud).
            "config_drive": "",
            "key_name": belongings.keys.get(card.id),
            "OS-SRV-USG:launched_at": None,
            "OS-SRV-USG:terminated_at": None,
            "OS-EXT-STS:task_state": state.task,
            "OS-EXT-STS:vm_state": state.vm,
            "OS-EXT-STS:power_state": state.power,
            "os-extended-volumes:volumes_attached": self._volumes(card, belongings),
            "security_groups": [{"name": name} for name in groups],
        }
        if state.status in _UNDER_WAY:
            shown["progress"] = 0
        elif state.status == "ACTIVE":
            shown["progress"] = 100
        elif state.status == "ERROR":
            shown["fault"] = _fault(card, self.language)
        if minor >= 9:
            shown["locked"] = card.protected
        if minor >= 19:
            shown["description"] = card.description
        if minor >= 26:
            shown["tags"] = card.tags
        if minor >= 63:
            shown["trusted_image_certificates"] = None
        if minor >= 71:
            shown["server_groups"] = [card.group] if on_record(card.group) else []
        if minor >= 73:
            shown["locked_reason"] = None
        if minor >= 90:
            shown["OS-EXT-SRV-ATTR:hostname"] = card.name
        if minor >= 96:
            shown["pinned_availability_zone"] = card.sites[0] if len(card.sites) == 1 else None
        return shown

    def links(self, server: str) -> list[Json]:
        return [
            {"rel": "self", "href": f"{self.endpoint}/servers/{server}"},
            self._bookmark("servers", server),
        ]

    def _bookmark(self, things: str, id: str) -> Json:
        return {"rel": "bookmark", "href": f"{self.root}/{things}/{id}"}

    def _flavor(self, card: ServerCard) -> Json:
        """What the server has, which stays so when the flavor is described anew."""
        if not since(self.version, 47):
            return {"id": card.flavor, "links": [self._bookmark("flavors", card.flavor)]}
        return {
            "original_name": card.flavor,
            "vcpus": card.vcpus,
            "ram": card.memory_mib,
            "disk": card.disk_gib,
            "ephemeral": 0,
            "swap": 0,
            "extra_specs": {},
        }

    def _volumes(self, card: ServerCard, belongings: Belongings) -> list[Json]:
        attached = belongings.volumes.get(card.id, ())
        if not since(self.version, 3):
            return [{"id": volume} for volume in attached]
        return [{"id": volume, "delete_on_termination": False} for volume in attached]


async def _view(
    request: Request, region: InRegion, project: Project, version: Asked, edge: AtHand
) -> ServerView:
    endpoint = service_url(request, Service.COMPUTE, region)
    language = preferred(request.headers.get("accept-language"))
    root = service_url(request, Service.COMPUTE, region, versioned=False)
    return ServerView(version, region, project, endpoint, root, edge.clock.now(), language)


View = Annotated[ServerView, Depends(_view)]
"""What a route of Compute's takes behind `who`: the region, the member, the microversion, and how servers
are shown to them. Raises as `InRegion`, `Project` and `Asked` do."""


def addresses(card: ServerCard) -> Mapping[str, list[Json]]:
    """By the name of the network."""
    if card.isolated or card.network_name is None:
        return {}
    address, _, _ = card.address.partition("/")
    return {
        card.network_name: [
            {
                "version": 4,
                "addr": address,
                "OS-EXT-IPS:type": "fixed",
                "OS-EXT-IPS-MAC:mac_addr": _mac_of(ServerId(card.id)),
            }
        ]
    }


def _fault(card: ServerCard, language: Language) -> Json:
    """Of one that lost its host and finds no other."""
    en = "Its host has died and no other host has room for it: it comes back as soon as one has."
    ja = "ホストが停止し、ほかのホストに空きがありません。空きができしだい自動的に復旧します。"
    return {
        "code": 500,
        "created": seconds(card.changed_at),
        "message": ja if language is Language.JA else en,
    }


__all__ = ["Json", "ServerView", "View", "addresses"]
