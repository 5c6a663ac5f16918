"""What clients send with each action on a server (Compute API, "Servers - run an action")."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from control_plane.http.bounds import FlavorName, Name, RequestBody, ShortText
from tenants.lifecycle_models import ServerName
from tenants.openstack_api.compute.server_models import Anything, Short, last_part
from tenants.server_notes_models import Description, Labels


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _number(value: object) -> object:
    """Nova takes figures in quotation marks too."""
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii():
        return int(value[:12])
    return value


class Nothing(RequestBody):
    """Or null."""


class RebootIn(RequestBody):
    type: Annotated[Literal["soft", "hard"], BeforeValidator(_lower)]


class ResizeIn(RequestBody):
    flavor: Annotated[FlavorName, BeforeValidator(last_part)] = Field(alias="flavorRef")
    disk_config: Literal["MANUAL"] | None = Field(default=None, alias="OS-DCF:diskConfig")


class RebuildIn(RequestBody):
    """What else Nova would change along stays as it is, and is refused."""

    image: Annotated[Name, BeforeValidator(last_part)] = Field(alias="imageRef")
    name: ServerName | None = None
    description: Description | None = None
    preserve_ephemeral: bool = False
    disk_config: Literal["MANUAL"] | None = Field(default=None, alias="OS-DCF:diskConfig")
    admin_password: Anything = Field(default=None, alias="adminPass", repr=False)
    access_ipv4: Anything = Field(default=None, alias="accessIPv4")
    access_ipv6: Anything = Field(default=None, alias="accessIPv6")
    metadata: Anything = None
    personality: Anything = None
    key_name: Anything = None
    user_data: Anything = None
    trusted_image_certificates: Anything = None
    hostname: Short | None = None


class LockIn(RequestBody):
    locked_reason: Short | None = None


class UnshelveIn(RequestBody):
    availability_zone: Short | None = None
    host: Short | None = None


Lines = Annotated[int, Field(ge=-1, le=10**9)]


class ConsoleIn(RequestBody):
    """`length` in lines; -1 or null is all that there is."""

    length: Annotated[Lines | None, BeforeValidator(_number)] = None


class ImageIn(RequestBody):
    """`metadata` become the image's properties."""

    name: ShortText
    metadata: Labels = Field(default_factory=dict)


class GroupIn(RequestBody):
    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]
