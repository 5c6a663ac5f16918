"""What is replaced, renamed or taken away leaves alone what is not its own."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pytest

from tenants.pulumi_yui import Offices, SecurityGroup, Server, System, Volume
from tests.openstack_api.cloud import Cloud
from tests.pulumi_yui.engine import Engine, ProgramFailed

pytestmark = pytest.mark.long

Program = Callable[[], None]


def portal(
    zone_name: str = "Asia/Tokyo", *, tier: int = 2, image: str = "tiny", protected: bool = False
) -> Program:
    """As the example, with a second volume that has the server's name written out."""

    def program() -> None:
        system = System("portal", zone="lgwan", tier=tier)
        server = Server(
            "portal-web",
            system=system.id,
            flavor="m1.small",
            image=image,
            user_data=f"#cloud-config\ntimezone: {zone_name}\n",
            protected=protected,
        )
        Volume("documents", size_gib=2, server=server.id, protected=protected)
        after = pulumi.ResourceOptions(depends_on=[server])
        Volume("archive", size_gib=1, server="portal-web", opts=after)

    return program


def test_a_server_that_is_replaced_gets_its_volumes_back_with_what_is_on_them(
    cloud: Cloud, engine: Engine
) -> None:
    def at(name: str) -> tuple[str, str, str]:
        found = cloud.ask("GET", f"/v1/volumes/{name}", cloud.account().token).json()
        return found["id"], found["status"], found["server"]

    engine.up(portal())
    try:
        before = at("documents"), at("archive")
        assert engine.preview(portal("UTC")).steps == {
            "portal": "same",
            "portal-web": "replace",
            "documents": "update",
            "archive": "same",
        }
        engine.up(portal("UTC"))
        server = _id(engine, "portal-web")
        assert server != before[0][2]
        assert at("documents") == (before[0][0], "in-use", server)
        # It is told apart by a name that did not change, so the next look finds it.
        engine.refresh()
        assert engine.up(portal("UTC")).steps["archive"] == "update"
        assert at("archive") == (before[1][0], "in-use", server)

        # With its system, it goes before that.
        replaced = engine.up(portal("UTC", tier=3))
        assert (replaced.steps["portal"], replaced.steps["portal-web"]) == ("replace", "replace")
        assert at("documents") == (before[0][0], "in-use", _id(engine, "portal-web"))
    finally:
        engine.destroy()


def test_a_replacement_that_would_be_refused_is_refused_before_the_old_one_goes(
    cloud: Cloud, engine: Engine
) -> None:
    engine.up(portal())
    with pytest.raises(ProgramFailed, match="no image 'none'"):
        engine.preview(portal(image="none"))
    engine.up(portal(protected=True))
    with pytest.raises(ProgramFailed, match="protected against being deleted"):
        engine.preview(portal("UTC", protected=True))
    # Nor is a protected volume taken from its server.
    with pytest.raises(ProgramFailed, match="protected against being deleted"):
        engine.destroy()
    volume = cloud.ask("GET", "/v1/volumes/documents", cloud.account().token).json()
    assert (volume["status"], volume["server"]) == ("in-use", _id(engine, "portal-web"))
    engine.up(portal())
    engine.destroy()


def test_what_is_called_something_else_under_an_alias_is_renamed(
    cloud: Cloud, engine: Engine
) -> None:
    def called(name: str, before: str | None = None) -> Program:
        aliases = [] if before is None else [pulumi.Alias(name=f"{before}{i}") for i in range(3)]
        options = [pulumi.ResourceOptions(aliases=[each]) for each in aliases] or [None] * 3

        def program() -> None:
            system = System("portal", zone="lgwan", tier=2)
            Server(f"{name}0", system=system.id, flavor="m1.small", image="tiny", opts=options[0])
            Volume(f"{name}1", size_gib=1, opts=options[1])
            SecurityGroup(f"{name}2", rules=[{"direction": "egress"}], opts=options[2])

        return program

    engine.up(called("old"))
    before = {kept.id for kept in engine.state.values()}
    renamed = engine.up(called("new", "old"))
    assert renamed.steps == {"portal": "same", **{f"new{i}": "update" for i in range(3)}}
    assert {kept.id for kept in engine.state.values()} == before
    assert cloud.ask("GET", "/v1/servers/new0", cloud.account().token).status_code == 200
    engine.destroy()


def test_a_system_with_servers_of_others_is_not_removed(cloud: Cloud, engine: Engine) -> None:
    token = cloud.account().token

    def program() -> None:
        System("portal", zone="lgwan", tier=2)
        System("booking", blueprint="facility-booking")

    engine.up(program)
    for system, name in (("portal", "by-hand"), ("booking", "by-hand-2")):
        one = {"name": name, "system": _id(engine, system), "flavor": "m1.small", "image": "tiny"}
        asked = cloud.ask("POST", "/v1/servers", token, json={"servers": [one]})
        assert asked.status_code == 202, asked.text
    for name in ("by-hand-2", "by-hand"):
        # Pulumi goes from the last to the first.
        with pytest.raises(ProgramFailed, match=rf"did not make \({name}\)"):
            engine.destroy()
        path = f"/v1/servers/{name}"
        assert cloud.ask("GET", path, token).json()["status"] != "deleting"
        cloud.ask("DELETE", path, token)
        cloud.until(lambda path=path: cloud.ask("GET", path, token).status_code == 404)
    engine.destroy()
    assert engine.state == {}


def test_two_programs_do_not_take_each_others_things(engine: Engine) -> None:
    second = Engine(engine.provider)

    def program(office: str) -> None:
        booking = System("booking", blueprint="facility-booking")
        after = pulumi.ResourceOptions(depends_on=[booking])
        Offices("offices", zone="internet", offices=[office], opts=after)

    def other(office: str) -> None:
        System("portal", zone="lgwan", tier=2)
        Offices("theirs", zone="internet", offices=[office])

    engine.up(lambda: program("192.168.0.0/16"))
    with pytest.raises(ProgramFailed, match="exists already"):
        second.preview(lambda: program("192.168.0.0/16"))
    with pytest.raises(ProgramFailed, match="has other offices already"):
        second.preview(lambda: other("172.16.0.0/16"))
    assert second.preview(lambda: other("192.168.0.0/16")).steps["theirs"] == "create"
    engine.destroy()


def _id(engine: Engine, name: str) -> str:
    return next(kept.id for urn, kept in engine.state.items() if urn.endswith(f"::{name}"))
