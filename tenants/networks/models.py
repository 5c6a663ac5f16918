"""Networks, security groups and bindings as JSON."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from control_plane.http.bounds import CodeText, Name, RequestBody, ResponseBody, Sentence, ShortText
from control_plane.model.network import BindingState, Direction, Protocol
from control_plane.model.pool import Zone
from control_plane.pool.plan import Rehearsal
from tenants.networks.effect import Effect

MOST_OFFICES = 32
MOST_RULES = 100
MOST_GROUPS_OF_SERVER = 10
MOST_SERVERS_OF_BINDING = 50


def _network(text: str) -> str:
    try:
        return str(IPv4Network(text))
    except ValueError:
        raise PydanticCustomError(
            "ipv4_network", "is no IPv4 network, such as 10.20.0.0/16"
        ) from None


def _ports(text: str) -> str:
    first, _, last = text.partition("-")
    if not 1 <= int(first) <= int(last or first) <= 65_535:
        raise PydanticCustomError("ports", "is no range of ports from 1 to 65535")
    return text


NetworkText = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$", max_length=18),
    AfterValidator(_network),
]
PortsText = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,5}(-[0-9]{1,5})?$", max_length=11),
    AfterValidator(_ports),
]
"""`443`, or `8000-8010` with both ends."""

Note = Literal[""] | Sentence
"""What something is for; may be empty."""


class SubnetOut(ResponseBody):
    addresses: str
    gateway: str


class NetworkOut(ResponseBody):
    """A member's network in one zone of one region. `subnets` are empty where servers share their site's
    guest network; a `reserved` network keeps one at each site also without servers. `offices` are the member's own networks that may reach its servers, and be reached by
    them, as far as security groups allow. `in_effect` says whether all hosts concerned have made it so:
    `unknown` where some never said, `site-managed` where a site's own people keep networks apart; null
    as an answer to a change. `segment` is for those who see hardware."""

    id: str
    tenant: str
    region: str
    zone: Zone
    name: str
    subnets: list[SubnetOut]
    offices: list[str]
    in_effect: Effect | None = None
    reserved: bool = False
    segment: int | None = None
    generation: int


class NewNetworkIn(RequestBody):
    """`region` is the one that serves the member, where it is not said."""

    zone: Zone
    region: Name | None = None
    name: ShortText | None = Field(default=None, description="Without it: the zone's.")


class NetworkChangeIn(RequestBody):
    name: ShortText


class OfficesIn(RequestBody):
    offices: Annotated[list[NetworkText], Field(max_length=MOST_OFFICES)]


class RuleIn(RequestBody):
    """What may begin a conversation; its answers pass by themselves. `ingress` is towards the server. The
    other side is `remote`, or the servers of `remote_group`, or the declared `offices`; without any of
    them anyone who can reach the server at all: its own network, its offices, its bindings."""

    direction: Direction
    protocol: Protocol = Protocol.ANY
    ports: PortsText | None = Field(default=None, description="Of tcp and udp alone.")
    remote: NetworkText | None = None
    remote_group: Name | None = None
    offices: bool = False
    description: Note | None = Field(
        default=None, description="What it is for. Without it: as it is, where the rule is there."
    )

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.remote is not None) + (self.remote_group is not None) + self.offices > 1:
            raise PydanticCustomError(
                "several_sides", "names several of remote, remote_group and offices: name one"
            )
        if self.ports is not None and self.protocol not in (Protocol.TCP, Protocol.UDP):
            raise PydanticCustomError("ports_of_protocol", "has ports without tcp or udp")
        return self


class RuleOut(ResponseBody):
    direction: Direction
    protocol: Protocol
    ports: str | None = None
    remote: str | None = None
    remote_group: str | None = None
    offices: bool = False
    description: str = ""


class NewSecurityGroupIn(RequestBody):
    name: ShortText
    description: Note = ""
    rules: Annotated[list[RuleIn], Field(max_length=MOST_RULES)] = Field(default=[])


class SecurityGroupIn(RequestBody):
    name: ShortText | None = Field(default=None, description="Without it: as it is.")
    description: Note | None = Field(default=None, description="Without it: as it is.")
    rules: Annotated[list[RuleIn], Field(max_length=MOST_RULES)]


class SecurityGroupOut(ResponseBody):
    """What no rule of any of a server's groups allows does not pass, but for what a binding offers. Servers
    that are in no other group are in `default`."""

    id: str
    tenant: str
    name: str
    description: str = ""
    rules: list[RuleOut]
    generation: int


class GroupsOfServerIn(RequestBody):
    groups: Annotated[list[Name], Field(min_length=1, max_length=MOST_GROUPS_OF_SERVER)]


class GroupsOfServer(ResponseBody):
    server: str
    groups: list[str]


class NewBindingIn(RequestBody):
    """One service of one zone, offered to one other member: `consumer` is its municipality code."""

    name: ShortText
    consumer: CodeText
    servers: Annotated[
        list[Name],
        Field(
            min_length=1,
            max_length=MOST_SERVERS_OF_BINDING,
            description="One's own, all of one zone.",
        ),
    ]
    protocol: Literal["tcp", "udp"] = "tcp"
    port: int = Field(ge=1, le=65_535)
    reason: Sentence


class BindingOut(ResponseBody):
    """`provider`'s servers offer `port` to the network of `consumer` in the same zone. Packets pass while
    it is `approved`; `addresses` are where to. The consumer is told neither `servers` nor people.
    `in_effect` is null before it was approved and as an answer to a change; of a revoked one it says
    whether hosts have ended it."""

    id: str
    name: str
    provider: str
    consumer: str
    zone: Zone
    protocol: Protocol
    port: int
    reason: str
    state: BindingState
    addresses: list[str]
    servers: list[str] | None = None
    requested_by: str | None = None
    requested_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    in_effect: Effect | None = None
    generation: int


class NetworkPlan(Rehearsal):
    """What a request would do; nothing of it is written, and no room of the pool changes."""


class HostNetworkState(ResponseBody):
    """`planned` is the ETag of the host's plan, null where its site's people make its networks; `applied`
    that of the plan which it last said it has made so, since `applied_since`."""

    host: str
    region: str
    in_effect: Effect
    planned: str | None
    applied: str | None
    applied_since: datetime | None


class PortRuleOut(ResponseBody):
    direction: Direction
    protocol: Protocol
    ports: list[int] | None
    remotes: list[str]


class PortOut(ResponseBody):
    server: str
    mac: str
    address: str
    rules: list[PortRuleOut]


class SegmentOut(ResponseBody):
    number: int
    zone: Zone
    gateways: list[str]
    peers: list[str]
    ports: list[PortOut]


class PassageOut(ResponseBody):
    source: str
    target: str
    protocol: Protocol
    ports: list[int] | None


class HostNetworkOut(ResponseBody):
    """All that a host carries of members' networks, and what it lets pass. Its ETag is its name."""

    host: str
    tunnel_address: str
    segments: list[SegmentOut]
    passages: list[PassageOut]
