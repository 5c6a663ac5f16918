"""Requests about servers of a member's own, as JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from control_plane.http.bounds import FlavorName, Name, RequestBody, ShortText
from control_plane.model.pool import Zone
from tenants.keypairs.models import KeyPairName
from tenants.networks.models import MOST_GROUPS_OF_SERVER
from tenants.server_notes_models import Description, Labels, Tags

_MOST_SERVERS = 200
_MOST_USER_DATA = 64 * 1024


def _bounded(text: str) -> str:
    if len(text.encode()) > _MOST_USER_DATA:
        raise PydanticCustomError("too_long_in_bytes", "is larger than 64 KiB")
    if "\x00" in text:
        raise PydanticCustomError("null_character", "holds a null character")
    return text


ServerName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$", max_length=50)
]
"""A DNS label, short enough that an id and a number fit behind it."""

UserData = Annotated[str, AfterValidator(_bounded)]


class NewServerIn(RequestBody):
    """`system` decides zone, tier and region; servers of one system with the same `anti_affinity` never
    share a host. With `count` they are called `<name>-1`, `<name>-2` and so on. `user_data` is
    cloud-init's, is read by whoever gets into the server, and must hold no secret."""

    name: ServerName
    system: Name
    flavor: FlavorName
    image: Name
    role: Name | None = Field(default=None, description="Without it: the name.")
    start_order: int = Field(default=0, ge=0, le=1000)
    anti_affinity: ServerName | None = None
    user_data: UserData = ""
    protected: bool = Field(default=False, description="Against being deleted.")
    count: int = Field(default=1, ge=1, le=_MOST_SERVERS)
    keypair: KeyPairName | None = Field(
        default=None, description="The key that opens it, by its pair's id or name."
    )
    server_group: ShortText | None = Field(
        default=None, description="By id or name; in place of `anti_affinity`."
    )
    site: Name | None = Field(default=None, description="Without it: any of the region.")
    security_groups: Annotated[list[Name], Field(max_length=MOST_GROUPS_OF_SERVER)] = Field(
        default=[], description="By id. Without any: the member's default one."
    )
    description: Description | None = None
    labels: Labels = Field(default_factory=dict)
    tags: Tags = Field(default_factory=list)


class NewServersIn(RequestBody):
    """All of them are admitted in one decision, or none: at most 200 in all."""

    servers: Annotated[list[NewServerIn], Field(min_length=1, max_length=_MOST_SERVERS)]


class RenameIn(RequestBody):
    name: ServerName


class ServerChangeIn(RequestBody):
    protected: bool = Field(description="Against being deleted.")


class RebootIn(RequestBody):
    """`hard` cuts the power; without it the guest is asked to shut down first."""

    hard: bool = False


class ResizeIn(RequestBody):
    """With `to_confirm` it can be taken back until it is confirmed, for 24 hours."""

    flavor: FlavorName
    to_confirm: bool = False


class RebuildIn(RequestBody):
    image: Name


class NewSystemIn(RequestBody):
    """Either a `blueprint` of the catalogue with all its servers, or a system of one's own with a
    `name`, a `zone` and a `tier` (1 at least: tier 0 is for what a blueprint says comes first). `tenant`
    is needed of those who belong to no member; `region` None means the one that serves the member."""

    tenant: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None
    region: Name | None = None
    blueprint: Name | None = None
    name: ServerName | None = None
    zone: Zone | None = None
    tier: int | None = Field(default=None, ge=1, le=99)
