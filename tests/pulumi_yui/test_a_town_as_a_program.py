"""A town's systems as a Python program: previewed, made, changed, looked at and taken away."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from tenants.pulumi_yui import SecurityGroup, Server, System, Town, Volume
from tests.api.backups import NIGHTLY
from tests.api.conftest import MIKASA
from tests.openstack_api.cloud import Cloud
from tests.pulumi_yui.engine import Engine, ProgramFailed


def portal(
    flavor: str = "m1.small", *, running: bool = True, size_gib: int = 2
) -> Callable[[], None]:
    def program() -> None:
        system = System("portal", zone="lgwan", tier=2)
        group = SecurityGroup(
            "web",
            rules=[{"direction": "ingress", "protocol": "tcp", "ports": "80", "offices": True}],
        )
        web = Server(
            "portal-web",
            system=system.id,
            flavor=flavor,
            image="tiny",
            security_groups=[group.id],
            running=running,
        )
        Volume("documents", size_gib=size_gib, server=web.id)
        pulumi.export("address", web.address)

    return program


@pytest.mark.long
def test_a_system_is_previewed_made_changed_and_taken_away(cloud: Cloud, engine: Engine) -> None:
    token = cloud.account().token

    def names(path: str) -> set[str]:
        return {each["name"] for each in cloud.ask("GET", path, token).json()["items"]}

    before = names("/v1/servers")
    previewed = engine.preview(portal())
    assert set(previewed.steps.values()) == {"create"}
    assert names("/v1/servers") == before

    made = engine.up(portal())
    assert made.steps == previewed.steps
    server = cloud.ask("GET", "/v1/servers/portal-web", token).json()
    assert server["status"] == "active"
    assert made.outputs["address"] == server["address"]
    assert names("/v1/volumes") == {"documents"}
    assert set(engine.up(portal()).steps.values()) == {"same"}

    resized = engine.up(portal("m1.medium"))
    assert resized.steps == {**dict.fromkeys(made.steps, "same"), "portal-web": "update"}
    assert cloud.ask("GET", "/v1/servers/portal-web", token).json()["flavor"] == "m1.medium"
    assert engine.up(portal("m1.medium", running=False)).steps["portal-web"] == "update"
    assert cloud.ask("GET", "/v1/servers/portal-web", token).json()["power"] == "stopped"

    # A larger volume is the same one, grown.
    data = cloud.ask("GET", "/v1/volumes/documents", token).json()["id"]
    larger = portal("m1.medium", running=False, size_gib=3)
    assert engine.preview(larger).steps["documents"] == "update"
    assert engine.up(larger).steps["documents"] == "update"
    grown = cloud.ask("GET", "/v1/volumes/documents", token).json()
    assert (grown["id"], grown["size_gib"], grown["status"]) == (data, 3, "in-use")

    # Somebody else starts it: the next look finds out, and the next run sets it right.
    assert cloud.ask("POST", "/v1/servers/portal-web/start", token).status_code == 202
    engine.refresh()
    assert engine.preview(larger).steps["portal-web"] == "update"

    gone = engine.destroy()
    assert set(gone.steps.values()) == {"delete"}
    assert names("/v1/servers") == before
    assert names("/v1/volumes") == set()
    assert engine.state == {}


@pytest.mark.long
def test_what_would_be_refused_is_refused_in_the_preview_with_one_sentence(engine: Engine) -> None:
    def shrunk() -> None:
        portal(size_gib=1)()

    def too_much() -> None:
        portal()()
        Volume("archive", size_gib=16_000)

    engine.up(portal())
    try:
        for program, sentence in (
            (portal("m1.huge"), "m1.huge"),
            (shrunk, "a disk can only grow"),
            (too_much, "quota"),
        ):
            with pytest.raises(ProgramFailed, match=sentence) as failed:
                engine.preview(program)
            assert "Traceback" not in str(failed.value)
            assert set(engine.up(portal()).steps.values()) == {"same"}
    finally:
        engine.destroy()


def test_no_token_stands_in_a_state_and_none_is_asked_for_by_others(
    cloud: Cloud, engine: Engine, token_file: Path
) -> None:
    engine.up(portal())
    try:
        text = engine.as_text()
        token = cloud.account().token
        assert token not in text
        assert token.split("_", 2)[2] not in text
        assert cloud.url not in text
    finally:
        engine.destroy()
    token_file.chmod(0o644)
    try:
        with pytest.raises(ProgramFailed, match="chmod 600"):
            engine.preview(portal())
    finally:
        token_file.chmod(0o600)


def test_what_cloud_init_is_told_is_sealed_in_the_state(engine: Engine) -> None:
    def program(told: str = "#cloud-config\npassword: matsu-take-ume\n") -> None:
        system = System("portal", zone="lgwan", tier=2)
        Server("portal-web", system=system.id, flavor="m1.small", image="tiny", user_data=told)

    engine.up(program)
    try:
        assert "portal-web" in engine.as_text()
        assert "matsu-take-ume" not in engine.as_text()
        assert set(engine.up(program).steps.values()) == {"same"}
        engine.refresh()
        assert "matsu-take-ume" not in engine.as_text()
        changed = engine.preview(lambda: program("#cloud-config\n"))
        assert changed.steps["portal-web"] == "replace"
    finally:
        engine.destroy()


@pytest.mark.usefixtures("repositories")
def test_a_town_comes_with_its_systems_offices_and_backups(cloud: Cloud, engine: Engine) -> None:
    token = cloud.account().token

    def program(office: str = "192.168.0.0/16") -> None:
        Town(
            "mikasa",
            blueprints=["facility-booking"],
            offices={"internet": [office]},
            backup_policies={"facility-booking": NIGHTLY},
        )

    made = engine.up(program)
    try:
        assert set(made.steps.values()) == {"create"}
        systems = {s["id"] for s in cloud.ask("GET", "/v1/systems", token).json()["items"]}
        assert f"m{MIKASA}-facility-booking" in systems
        changed = engine.up(lambda: program("172.16.0.0/16"))
        assert changed.steps["mikasa-internet"] == "update"
    finally:
        engine.destroy()


@pytest.mark.long
def test_the_example_runs_as_it_stands(cloud: Cloud, engine: Engine) -> None:
    example = Path(__file__).parents[2] / "examples" / "pulumi" / "__main__.py"

    def program() -> None:
        runpy.run_path(str(example))

    assert set(engine.preview(program).steps.values()) == {"create"}
    made = engine.up(program)
    try:
        server = cloud.ask("GET", "/v1/servers/portal-web", cloud.account().token).json()
        assert made.outputs["address"] == server["address"]
        assert set(engine.up(program).steps.values()) == {"same"}
    finally:
        engine.destroy()
