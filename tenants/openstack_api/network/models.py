"""What Network is asked to make and to change."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
)

from control_plane.http.bounds import Name, RequestBody, Sentence, ShortText
from control_plane.model.errors import YuiError
from control_plane.model.network import Direction
from control_plane.model.pool import Zone
from tenants.networks.models import MOST_GROUPS_OF_SERVER, MOST_RULES

Id = Annotated[str, StringConstraints(pattern=r"^[!-~]*$", max_length=255)]
Text = Literal[""] | Sentence


class NetworkOfIn(RequestBody):
    """What can't be had otherwise may be said as it is. `yui:zone`, `provider:physical_network` and
    `availability_zone_hints` all name the zone; without them the name does."""

    name: ShortText | None = None
    tenant_id: Id | None = None
    project_id: Id | None = None
    description: Literal[""] | None = None
    admin_state_up: Literal[True] = True
    shared: Literal[False] = False
    is_default: Literal[False] = False
    port_security_enabled: Literal[True] = True
    external: Literal[False] = Field(default=False, alias="router:external")
    zone: Zone | None = Field(default=None, alias="yui:zone")
    physical_network: Zone | None = Field(default=None, alias="provider:physical_network")
    availability_zone_hints: Annotated[list[Zone], Field(max_length=1)] = Field(default=[])


class NetworkIn(RequestBody):
    network: NetworkOfIn


class NetworkChange(RequestBody):
    """All but the name has to be what it is."""

    name: ShortText | None = None
    description: Literal[""] | None = None
    admin_state_up: Literal[True] = True
    shared: Literal[False] = False
    is_default: Literal[False] = False
    port_security_enabled: Literal[True] = True
    external: Literal[False] = Field(default=False, alias="router:external")


class NetworkChangeIn(RequestBody):
    network: NetworkChange


class SubnetOfIn(BaseModel):
    """What is asked for of it besides makes no difference: none can be made."""

    network_id: Id


class SubnetIn(RequestBody):
    subnet: SubnetOfIn


class SubnetChangeIn(RequestBody):
    subnet: Annotated[
        dict[Annotated[str, StringConstraints(max_length=100)], JsonValue], Field(max_length=50)
    ]


class PortOfIn(BaseModel):
    """What is asked for of it makes no difference: none can be made."""


class PortIn(RequestBody):
    port: PortOfIn


class PortChange(RequestBody):
    """All but the groups has to be what it is."""

    security_groups: (
        Annotated[list[Name], Field(min_length=1, max_length=MOST_GROUPS_OF_SERVER)] | None
    ) = None
    name: Literal[""] | None = None
    description: Literal[""] | None = None
    admin_state_up: Literal[True] = True


class PortChangeIn(RequestBody):
    port: PortChange


class GroupOfIn(RequestBody):
    name: ShortText
    description: Text | None = None
    tenant_id: Id | None = None
    project_id: Id | None = None
    stateful: Literal[True] = True


class GroupIn(RequestBody):
    security_group: GroupOfIn


class GroupChange(RequestBody):
    name: ShortText | None = None
    description: Text | None = None
    stateful: Literal[True] = True


class GroupChangeIn(RequestBody):
    security_group: GroupChange


def _protocol(value: Any) -> Any:
    """By its name or number (IANA protocol numbers) in small letters; None for any."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return value
    return {"6": "tcp", "17": "udp", "1": "icmp", "any": None, "0": None, "": None}.get(
        value.lower(), value.lower()
    )


def _address(value: Any) -> Any:
    """A bare address is a network of one."""
    return f"{value}/32" if isinstance(value, str) and value and "/" not in value else value or None


Prefix = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$", max_length=18)
]


def _as_written(name: str) -> str:
    return "IPv4" if name.lower() == "ipv4" else name


class RuleOfIn(RequestBody):
    security_group_id: Id
    direction: Direction
    ethertype: Annotated[str, AfterValidator(_as_written)] = "IPv4"
    protocol: Annotated[
        Literal["tcp", "udp", "icmp"] | None,
        BeforeValidator(_protocol),
        Field(description="tcp, udp or icmp, or 6, 17 or 1; null or any for all."),
    ] = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: Annotated[Prefix | None, BeforeValidator(_address)] = None
    remote_group_id: Id | None = None
    remote_address_group_id: Id | None = None
    description: Text | None = None
    tenant_id: Id | None = None
    project_id: Id | None = None


class RulesIn(RequestBody):
    """One rule, or several that are made together or not at all."""

    security_group_rule: RuleOfIn | None = None
    security_group_rules: Annotated[list[RuleOfIn], Field(min_length=1, max_length=MOST_RULES)] = (
        Field(default=[])
    )

    @property
    def rules(self) -> list[RuleOfIn]:
        """Raises `request-invalid`."""
        one = self.security_group_rule
        if (one is None) != bool(self.security_group_rules):
            raise YuiError(
                "request-invalid",
                en="The body holds either security_group_rule or security_group_rules.",
                ja="security_group_rule か security_group_rules のどちらかを指定してください。",
                status=400,
            )
        return self.security_group_rules if one is None else [one]
