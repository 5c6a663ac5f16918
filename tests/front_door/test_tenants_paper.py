"""What the paper for members and vendors shows to type is typed here, in its order."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.served import DECLARED, Served, served

# One text after another, as on paper.
pytestmark = pytest.mark.long

PAPER = Path(__file__).parents[2] / "docs" / "tenants.md"


def commands(section: str) -> list[str]:
    paper = PAPER.read_text(encoding="utf-8")
    (body,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", paper, re.MULTILINE | re.DOTALL)
    return re.findall(r"^    (yui .*?)(?:\s+#.*)?$", body, re.MULTILINE)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Three hosts that are up, and the image that the standard blueprints start."""
    described = ("--name", "tiny", "--version", "1", "--provenance", "a test")
    folder = tmp_path_factory.mktemp("paper")
    with served(folder, "--first-approver-token", str(folder / "approver.token")) as running:
        assert running.yui("pool", "apply", str(running.pool_file)).returncode == 0
        added = running.yui("image", "add", "tiny.raw", *described, *DECLARED)
        assert added.returncode == 0, added.stderr
        end = time.monotonic() + 60
        while '"cleaning"' in running.yui("host", "list", "--json").stdout:
            assert time.monotonic() < end, "no host was ever clean"
            time.sleep(0.5)
        yield running


@pytest.mark.parametrize("section", ["Catalogue", "Images"])
def test_every_command_of_a_section_does_what_it_says(plane: Served, section: str) -> None:
    shown = commands(section)
    assert len(shown) >= 5
    for text in shown:
        ended = plane.yui(*shlex.split(text)[1:])
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        assert ended.stdout.strip(), text


def test_every_command_about_networks_does_what_it_says(plane: Served) -> None:
    for code in ("012220", "012289"):
        joined = plane.yui("member", "join", code, "-b", "resident-records")
        assert joined.returncode == 0, joined.stderr
    admin, approver = (plane.folder / f"{name}.token" for name in ("admin", "approver"))
    put = ("--label", "鈴木", "--tenant", "012220", "--out", str(admin))
    assert plane.yui("token", "create", *put).returncode == 0
    binding = "BINDING"
    shown = commands("Networks")
    assert len(shown) >= 15
    for text in shown:
        who = approver if text.startswith("yui binding approve") else admin
        words = shlex.split(text.replace("BINDING", binding))[1:]
        ended = plane.yui(*words, env={"YUI_TOKEN_FILE": str(who)})
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        assert ended.stdout.strip(), text
        found = re.search(r"binding-[a-z2-7]{10}", ended.stdout)
        binding = binding if found is None else found.group()
    town = {"YUI_TOKEN_FILE": str(admin)}
    noted = ("security-group", "create", "counter", "--rule", "in tcp/80 10.0.0.0/8 # tablets")
    assert plane.yui(*noted, env=town).returncode == 0
    ended = plane.yui("security-group", "show", "counter", env=town)
    assert "in tcp/80 10.0.0.0/8 # tablets" in ended.stdout
    ended = plane.yui("--lang", "ja", "binding", "list", "--state", "revoked")
    assert "取り消し" in ended.stdout
    wrong = plane.yui("--lang", "ja", "security-group", "create", "x", "--rule", "in tcp 443")
    assert "ルールとして読めません" in wrong.stderr


def test_container_groups_do_what_the_paper_says(plane: Served) -> None:
    joined = plane.yui("member", "join", "012220", "-b", "resident-records")
    assert joined.returncode in (0, 6), joined.stderr
    much = ("--quota-vcpus", "40", "--quota-memory", "80", "--quota-disk", "480")
    assert plane.yui("quota", "set", "012220", *much).returncode == 0
    file = plane.folder / "portal.yaml"
    (text,) = re.findall(
        r"```yaml\n(replicas:.*?)```", PAPER.read_text(encoding="utf-8"), re.DOTALL
    )
    file.write_text(text, encoding="utf-8")
    shown = commands("Container groups")
    assert len(shown) >= 6
    for text in shown:
        ended = plane.yui(*shlex.split(text.replace("portal.yaml", str(file)))[1:])
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        assert ended.stdout.strip(), text


def test_every_command_about_images_of_ones_own_does_what_it_says(plane: Served) -> None:
    joined = plane.yui("member", "join", "012220", "-b", "resident-records")
    assert joined.returncode in (0, 6), joined.stderr
    token = plane.folder / "images.token"
    made = ("--label", "山田", "--role", "member-admin", "--tenant", "012220", "--out", str(token))
    assert plane.yui("token", "create", *made).returncode == 0
    image, disk = "IMAGE", str(plane.folder / "images" / "tiny.raw")
    home = str(plane.folder / "home.qcow2")
    shown = commands("Images of your own")
    assert len(shown) >= 4
    for text in shown:
        said = text.replace("IMAGE", image).replace("office.qcow2", disk)
        typed = shlex.split(said.replace("home.qcow2", home))[1:]
        ended = plane.yui(*typed, "--token-file", str(token))
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        image = next(iter(re.findall(r"img-[a-z2-7]{16}", ended.stdout)), image)


def test_volumes_and_snapshots_do_what_the_paper_says(plane: Served) -> None:
    """As one whom the member let run its servers."""
    operator = plane.yui
    shop = ("--name", "shop", "--zone", "lgwan", "--tier", "2", "--member", "012220")
    flavor = json.loads(operator("pool", "show", "--json").stdout)["flavors"][0]["id"]
    web = ("--system", "m012220-own-shop", "--flavor", flavor, "--image", "tiny")
    mine = ("--role", "member-admin", "--tenant", "012220", "--label", "Suzuki")
    token = plane.folder / "suzuki.token"
    joined = operator("member", "join", "012220", "-b", "resident-records")
    assert joined.returncode in (0, 6), joined.stderr
    for prepared in (
        ("quota", "set", "012220", "--quota-disk", "900", "--quota-memory", "64"),
        ("system", "add", *shop, "--wait"),
        ("server", "create", "web", *web, "--wait"),
        ("token", "create", *mine, "--out", str(token)),
    ):
        ended = operator(*prepared)
        assert ended.returncode == 0, f"{prepared}\n{ended.stderr}"
    shown = commands("Volumes and snapshots")
    assert len(shown) >= 12
    for text in shown:
        ended = plane.yui(*shlex.split(text)[1:], env={"YUI_TOKEN_FILE": str(token)})
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        assert ended.stdout.strip(), text
    listed = plane.yui("--lang", "ja", "volume", "list", env={"YUI_TOKEN_FILE": str(token)})
    assert "使用中" in listed.stdout
