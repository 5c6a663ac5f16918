"""What clients send about servers (Compute API, "Servers")."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from control_plane.http.bounds import FlavorName, Name, RequestBody
from tenants.lifecycle_models import ServerName, UserData
from tenants.server_notes_models import Description, LabelName, Labels, LabelText, Tag, Tags

Short = Annotated[str, StringConstraints(max_length=255)]
Anything = Annotated[Any, Field(description="Refused with a sentence where it asks for anything.")]


def last_part(value: object) -> object:
    """Flavors are named by id or by URL."""
    if isinstance(value, str) and len(value) <= 1000:
        return value.rstrip("/").rpartition("/")[2]
    return value


def _decoded(text: object) -> object:
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > 65535:
        raise PydanticCustomError("not_base64", "must be Base64 of UTF-8 text")
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise PydanticCustomError("not_base64", "must be Base64 of UTF-8 text") from None


def _count(value: object) -> object:
    """Nova takes figures in quotation marks too."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


Count = Annotated[int, BeforeValidator(_count), Field(ge=1, le=200)]


class NetworkIn(RequestBody):
    uuid: Short | None = None
    port: Anything = None
    fixed_ip: Anything = None
    tag: Anything = None


class SecurityGroupIn(RequestBody):
    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class DeviceIn(RequestBody):
    """One disk. The only one that can be asked for is the root disk, made from the server's image."""

    uuid: Short | None = None
    boot_index: Annotated[int | None, BeforeValidator(_count)] = None
    source_type: Short | None = None
    destination_type: Short | None = None
    delete_on_termination: bool | None = None
    volume_size: Anything = None
    volume_type: Anything = None
    device_name: Anything = None
    device_type: Anything = None
    disk_bus: Anything = None
    guest_format: Anything = None
    tag: Anything = None
    no_device: Anything = None


class HintsIn(RequestBody):
    group: Short | None = None
    different_host: Anything = None
    same_host: Anything = None
    query: Anything = None
    build_near_host_ip: Anything = None
    cidr: Anything = None
    different_cell: Anything = None
    target_cell: Anything = None


class ServerIn(RequestBody):
    """`networks` names at most one network; `user_data` is Base64 of text for cloud-init, which must hold no
    secret. `metadata` may name the system under `yui:system`."""

    name: ServerName
    flavor: Annotated[FlavorName, BeforeValidator(last_part)] = Field(alias="flavorRef")
    image: Annotated[Literal[""] | Name, BeforeValidator(last_part)] = Field(
        default="", alias="imageRef"
    )
    networks: Literal["auto", "none"] | Annotated[list[NetworkIn], Field(max_length=10)] | None = (
        None
    )
    security_groups: Annotated[list[SecurityGroupIn], Field(max_length=10)] | None = None
    key_name: Short | None = None
    user_data: Annotated[UserData, BeforeValidator(_decoded)] = ""
    metadata: Labels = Field(default_factory=dict)
    min_count: Count = 1
    max_count: Count | None = None
    availability_zone: Short | None = None
    description: Description | None = None
    tags: Tags | None = None
    hostname: Short | None = None
    devices: Annotated[list[DeviceIn], Field(max_length=30)] | None = Field(
        default=None, alias="block_device_mapping_v2"
    )
    disk_config: Literal["MANUAL"] | None = Field(default=None, alias="OS-DCF:diskConfig")
    config_drive: bool | None = None
    access_ipv4: Anything = Field(default=None, alias="accessIPv4")
    access_ipv6: Anything = Field(default=None, alias="accessIPv6")
    admin_password: Anything = Field(default=None, alias="adminPass", repr=False)
    personality: Anything = None
    block_device_mapping: Anything = None
    return_reservation_id: Anything = None
    trusted_image_certificates: Anything = None
    host: Anything = None
    hypervisor_hostname: Anything = None


class NewServer(RequestBody):
    server: ServerIn
    hints: HintsIn = Field(default_factory=HintsIn, alias="os:scheduler_hints")
    older_hints: HintsIn = Field(default_factory=HintsIn, alias="OS-SCH-HNT:scheduler_hints")


class ServerChange(RequestBody):
    name: ServerName | None = None
    description: Description | None = None
    hostname: Short | None = None
    disk_config: Literal["MANUAL"] | None = Field(default=None, alias="OS-DCF:diskConfig")
    access_ipv4: Anything = Field(default=None, alias="accessIPv4")
    access_ipv6: Anything = Field(default=None, alias="accessIPv6")


class ServerUpdate(RequestBody):
    server: ServerChange


class MetadataIn(RequestBody):
    metadata: Labels


class MetadataItemIn(RequestBody):
    meta: Annotated[dict[LabelName, LabelText], Field(min_length=1, max_length=1)]


class TagsIn(RequestBody):
    tags: Tags


__all__ = ["Tag"]
