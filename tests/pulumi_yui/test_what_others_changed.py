"""What others changed is seen by the next look, shown as it is, and set right; what nobody changed is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import json_format
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from backup.api.models import CopyIn, DumpIn, PolicyIn
from control_plane.model.ids import ImageId
from control_plane.model.network import Direction, Protocol
from tenants.networks.models import RuleIn, RuleOut
from tenants.pulumi_yui import (
    BackupPolicy,
    Keypair,
    Offices,
    SecurityGroup,
    Server,
    System,
    Volume,
    as_written,
)
from tenants.pulumi_yui.backup_policies import BackupPolicyKind
from tenants.pulumi_yui.keypairs import KeypairKind
from tenants.pulumi_yui.offices import OfficesKind
from tenants.pulumi_yui.security_groups import SecurityGroupKind
from tenants.pulumi_yui.servers import ServerKind
from tenants.pulumi_yui.systems import SystemKind
from tenants.pulumi_yui.volumes import VolumeKind
from tests.api.backups import NIGHTLY
from tests.api.conftest import TINY
from tests.openstack_api.cloud import REGION, Cloud
from tests.pulumi_yui.engine import Engine, ProgramFailed

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}{} hanako@mikasa"
ONE, OTHER = (_KEY.format("B" * 42, each) for each in "AE")

KINDS = {
    "portal": SystemKind,
    "booking": SystemKind,
    "web": SecurityGroupKind,
    "portal-web": ServerKind,
    "documents": VolumeKind,
    "clerk": KeypairKind,
    "offices": OfficesKind,
    "nightly": BackupPolicyKind,
}


def program() -> None:
    """Every kind with every input that may be said of it, some of them written in another way than the API
    shows them."""
    system = System("portal", zone="lgwan", tier=2, region=REGION)
    booking = System("booking", blueprint="facility-booking", region=REGION)
    BackupPolicy(
        "nightly",
        system=booking.id,
        policy={
            **NIGHTLY,
            "quiesce": True,
            "test_every_days": None,
            "dumps": [{"role": "application", "before": "dump-all"}],
        },
    )
    Offices(
        "offices",
        zone="internet",
        region=REGION,
        offices=["192.168.0.0/16", "172.16.0.0/16"],
        opts=pulumi.ResourceOptions(depends_on=[booking]),
    )
    clerk = Keypair("clerk", public_key=ONE)
    web = SecurityGroup(
        "web",
        rules=[
            {"protocol": "tcp", "direction": "ingress", "ports": "80-80", "offices": True},
            {"direction": "egress", "ports": None, "description": "to everybody"},
        ],
    )
    server = Server(
        "portal-web",
        system=system.id,
        flavor="m1.small",
        image="tiny",
        role="web",
        start_order=3,
        anti_affinity="web",
        user_data="#cloud-config\n",
        keypair="clerk",
        security_groups=[web.id, "default"],
        site=f"{REGION}-dc",
        opts=pulumi.ResourceOptions(depends_on=[clerk]),
    )
    Volume("documents", size_gib=2, server=server.id, region=REGION)


EARLIER = {
    "portal": "gASVMAAAAAAAAACMGnRlbmFudHMucHVsdW1pX3l1aS5zeXN0ZW1zlIwKU3lzdGVtS2luZJSTlCmBlC4=",
    "web": "gASVPwAAAAAAAACMInRlbmFudHMucHVsdW1pX3l1aS5zZWN1cml0eV9ncm91cHOUjBFTZWN1cml0eUdyb3VwS2luZJSTlCmBlC4=",
    "portal-web": "gASVMAAAAAAAAACMGnRlbmFudHMucHVsdW1pX3l1aS5zZXJ2ZXJzlIwKU2VydmVyS2luZJSTlCmBlC4=",
    "documents": "gASVMAAAAAAAAACMGnRlbmFudHMucHVsdW1pX3l1aS52b2x1bWVzlIwKVm9sdW1lS2luZJSTlCmBlC4=",
    "clerk": "gASVMgAAAAAAAACMG3RlbmFudHMucHVsdW1pX3l1aS5rZXlwYWlyc5SMC0tleXBhaXJLaW5klJOUKYGULg==",
    "offices": "gASVMQAAAAAAAACMGnRlbmFudHMucHVsdW1pX3l1aS5vZmZpY2VzlIwLT2ZmaWNlc0tpbmSUk5QpgZQu",
    "nightly": "gASVPgAAAAAAAACMInRlbmFudHMucHVsdW1pX3l1aS5iYWNrdXBfcG9saWNpZXOUjBBCYWNrdXBQb2xpY3lLaW5klJOUKYGULg==",
}
"""How states that stand name these kinds; what was written of them else is their inputs, and what is shown."""

SHOWN = {
    "portal": {"tenant", "state", "servers"},
    "web": {"generation"},
    "portal-web": {"address", "mac", "status"},
    "documents": {"status", "device"},
    "clerk": {"fingerprint"},
    "offices": set(),
    "nightly": set(),
}

CHANGED = {
    "portal-web": {"name", "flavor", "protected", "security_groups", "running"},
    "documents": {"name", "server", "protected"},
    "web": {"name", "rules"},
    "offices": {"offices"},
    "nightly": {"policy"},
}
REPLACED = {"portal-web": {"image"}, "clerk": {"public_key"}}
NEVER = {
    "portal": {"blueprint", "name", "zone", "tier", "region"},
    "booking": {"blueprint", "name", "zone", "tier", "region"},
    "portal-web": {
        *("system", "role", "start_order", "anti_affinity", "user_data", "keypair", "site"),
    },
    "documents": {"size_gib", "region", "snapshot"},
    "clerk": {"name"},
    "offices": {"zone", "region"},
    "nightly": {"system"},
}
"""What no request changes, or only in a direction that can't be taken back: a disk grows."""


@pytest.fixture(scope="module")
def stack(plugin: ResourceProviderStub, repositories: None) -> Iterator[Engine]:
    del repositories
    engine = Engine(plugin)
    made = engine.up(program)
    assert set(made.steps.values()) == {"create"}
    yield engine
    engine.destroy()


@pytest.fixture
def ask(cloud: Cloud) -> Callable[..., Any]:
    def ask(method: str, path: str, **json: Any) -> Any:
        more = {"json": json} if json else {}
        answer = cloud.ask(method, path, cloud.account().token, **more)
        assert answer.is_success, answer.text
        return answer.json()

    return ask


def test_the_table_names_every_input_of_every_kind() -> None:
    for name, kind in KINDS.items():
        named = [table.get(name, set()) for table in (CHANGED, REPLACED, NEVER)]
        assert set().union(*named) == set(kind.inputs)
        assert sum(map(len, named)) == len(kind.inputs)


def test_what_nobody_changed_shows_no_difference_after_a_refresh(stack: Engine) -> None:
    before = _said(stack)
    stack.refresh()
    assert _said(stack) == before
    previewed = stack.preview(program)
    assert set(previewed.steps.values()) == {"same"}, previewed.differs


def test_states_are_written_as_earlier_versions_read_and_wrote_them(stack: Engine) -> None:
    for name, earlier in EARLIER.items():
        kept = next(kept for urn, kept in stack.state.items() if urn.endswith(f"::{name}"))
        assert kept.outputs["__provider"] == kept.inputs["__provider"] == earlier
        inputs = {*KINDS[name].inputs, "__provider"}
        assert set(kept.outputs) <= inputs | SHOWN[name]


def test_a_group_that_there_is_not_is_refused_in_the_preview(stack: Engine) -> None:
    def more() -> None:
        program()
        Server(
            "second",
            system=_id(stack, "portal"),
            flavor="m1.small",
            image="tiny",
            security_groups=["sg-nope"],
        )

    with pytest.raises(ProgramFailed, match="no security group 'sg-nope'"):
        stack.preview(more)


def test_a_token_that_may_not_look_at_groups_can_have_a_server_without_any(
    cloud: Cloud, stack: Engine, token_file: Path
) -> None:
    """The token is read when something is asked, so another one holds from then on."""
    group_less = Engine(stack.provider)
    whole = token_file.read_text()

    def simple() -> None:
        Server("simple", system=_id(stack, "portal"), flavor="m1.small", image="tiny")

    token_file.write_text(_scoped(cloud))
    try:
        group_less.up(simple)
        group_less.refresh()
        assert group_less.up(simple).steps["simple"] == "same"
        with pytest.raises(grpc.RpcError, match=r"networks\.read"):
            stack.refresh()
        group_less.destroy()
    finally:
        token_file.write_text(whole)


@pytest.mark.long
def test_what_others_changed_is_shown_alone_and_set_right(
    cloud: Cloud, stack: Engine, ask: Callable[..., Any]
) -> None:
    before = _said(stack)
    group = _id(stack, "web")
    default = next(
        each["id"]
        for each in ask("GET", "/v1/security-groups")["items"]
        if each["name"] == "default"
    )
    for method, path, body in (
        ("DELETE", "/v1/servers/portal-web/volumes/documents", {}),
        ("PATCH", "/v1/servers/portal-web", {"protected": True}),
        ("PUT", "/v1/servers/portal-web/security-groups", {"groups": [default]}),
        ("POST", "/v1/servers/portal-web/stop", {}),
        ("POST", "/v1/servers/portal-web/resize", {"flavor": "m1.medium"}),
        ("POST", "/v1/servers/portal-web/rename", {"name": "old-web"}),
        ("PATCH", "/v1/volumes/documents", {"protected": True, "name": "papers"}),
        (
            "PUT",
            f"/v1/security-groups/{group}",
            {"name": "open", "rules": [{"direction": "ingress"}]},
        ),
        ("PUT", f"/v1/networks/{_id(stack, 'offices')}/offices", {"offices": ["192.168.0.0/16"]}),
        (
            "PUT",
            f"/v1/systems/{_id(stack, 'nightly')}/backup-policy",
            {**NIGHTLY, "rpo_hours": 48},
        ),
    ):
        _whole(cloud, ask(method, path, **body))

    stack.refresh()
    previewed = stack.preview(program)
    assert previewed.differs == CHANGED
    assert {previewed.steps[name] for name in CHANGED} == {"update"}
    stack.up(program)
    stack.refresh()
    assert _said(stack) == before
    assert ask("GET", f"/v1/servers/{_id(stack, 'portal-web')}")["status"] == "active"
    assert len(ask("GET", f"/v1/security-groups/{group}")["rules"]) == 2


@pytest.mark.long
def test_what_only_a_new_one_sets_right_is_shown_as_a_replacement(
    cloud: Cloud, stack: Engine, ask: Callable[..., Any]
) -> None:
    key = next(k for k in ask("GET", "/v1/keypairs")["items"] if k["name"] == "clerk")
    ask("DELETE", f"/v1/keypairs/{key['id']}")
    ask("POST", "/v1/keypairs", name="clerk", public_key=OTHER)
    with cloud.store.write() as tx:
        tx.put_image(replace(TINY, id=ImageId("other"), name="other"))
    _whole(cloud, ask("POST", "/v1/servers/portal-web/rebuild", image="other"))
    server, volume = _id(stack, "portal-web"), _id(stack, "documents")
    stack.refresh()
    previewed = stack.preview(program)
    assert previewed.differs == {**REPLACED, "documents": {"server"}}
    assert {previewed.steps[name] for name in REPLACED} == {"replace"}
    assert previewed.steps["documents"] == "update"
    assert stack.up(program).steps == previewed.steps
    found = [k for k in ask("GET", "/v1/keypairs")["items"] if k["name"] == "clerk"]
    assert [each["public_key"] for each in found] == [ONE]
    assert _id(stack, "portal-web") != server
    kept = ask("GET", "/v1/volumes/documents")
    assert (kept["id"], kept["server"]) == (volume, _id(stack, "portal-web"))
    assert set(stack.preview(program).steps.values()) == {"same"}


@pytest.mark.long
def test_what_others_removed_is_made_again(stack: Engine, ask: Callable[..., Any]) -> None:
    ask("DELETE", f"/v1/systems/{_id(stack, 'nightly')}/backup-policy")
    ask("PUT", f"/v1/networks/{_id(stack, 'offices')}/offices", offices=[])
    stack.refresh()
    set_right = stack.up(program)
    assert set_right.differs == {"nightly": {"policy"}, "offices": {"offices"}}
    assert set(stack.up(program).steps.values()) == {"same"}


def test_a_volume_that_others_made_larger_is_no_reason_to_lose_it(
    cloud: Cloud, stack: Engine, ask: Callable[..., Any]
) -> None:
    _whole(cloud, ask("POST", "/v1/volumes/documents/grow", size_gib=3))
    stack.refresh()
    with pytest.raises(ProgramFailed, match="can only grow"):
        stack.preview(program)


def _id(stack: Engine, name: str) -> str:
    return next(kept.id for urn, kept in stack.state.items() if urn.endswith(f"::{name}"))


def _said(stack: Engine) -> dict[str, tuple[str, Any]]:
    """Each one's id and inputs."""
    return {
        urn: (kept.id, json_format.MessageToDict(kept.inputs)) for urn, kept in stack.state.items()
    }


def _scoped(cloud: Cloud) -> str:
    accounts = cloud.ask("GET", "/v1/service-accounts", cloud.account().token).json()["items"]
    path = f"/v1/service-accounts/{accounts[0]['id']}/tokens"
    scopes = ["servers.read", "servers.write", "systems.read", "operations.read"]
    made = cloud.ask("POST", path, json={"label": "less", "scopes": scopes})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


def _whole(cloud: Cloud, answer: Mapping[str, Any]) -> None:
    """Once it is done, where it takes time."""
    if "subject" not in answer:
        return
    path = f"/v1/operations/{answer['id']}?wait=30"
    ended = cloud.ask("GET", path, cloud.account().token).json()
    assert ended["state"] == "done", ended


def test_a_rule_is_the_same_however_it_is_written_and_another_one_is_not() -> None:
    shown = RuleOut(
        direction=Direction.INGRESS, protocol=Protocol.TCP, ports="80", remote="10.1.0.0/16"
    )
    there = [shown.model_dump(mode="json"), {**shown.model_dump(mode="json"), "ports": "443"}]
    web = {"direction": "ingress", "protocol": "tcp", "ports": "80", "remote": "10.1.0.0/16"}
    tls = {**web, "ports": "0443-443", "offices": False, "remote_group": None}
    for said in ([web, tls], [tls, web], [web, tls, web]):
        assert as_written.rules(said, there) == said
    for said in ([web], [web, {**tls, "ports": "444"}], [web, {**tls, "description": "x"}], []):
        assert as_written.rules(said, there) != said
    assert as_written.rules([web], there) == [web, {**web, "ports": "443"}]
    described = [{**there[0], "description": "theirs"}, there[1]]
    assert as_written.rules([web, tls], described) == [web, tls]


def test_what_is_usual_is_what_the_api_takes_where_it_is_left_out() -> None:
    for usual, model in (
        (as_written.USUAL_OF_POLICY, PolicyIn),
        (as_written.USUAL_OF_COPY, CopyIn),
        (as_written.USUAL_OF_DUMP, DumpIn),
        (as_written.USUAL_OF_RULE, RuleIn),
    ):
        taken = {
            name: field.get_default(call_default_factory=True)
            for name, field in model.model_fields.items()
            if not field.is_required() and name != "description"
        }
        assert usual == taken
