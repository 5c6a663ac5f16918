"""`yui system` and `yui server` from the first server to the last, with the control plane at work."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from tests.api.test_keypairs import ED25519, FINGERPRINT
from tests.cli.served import DECLARED, Served, served


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory):
    with served(tmp_path_factory.mktemp("own")) as running:
        assert running.yui("pool", "apply", str(running.pool_file)).returncode == 0
        image = ("--name", "tiny", "--version", "1", "--provenance", "a test", *DECLARED)
        assert running.yui("image", "add", "tiny.raw", *image).returncode == 0
        end = time.monotonic() + 60
        join = ("member", "join", "012220", "-b", "facility-booking", "--wait")
        while running.yui(*join).returncode:
            assert time.monotonic() < end, "no host was ever clean"
            time.sleep(0.5)
        running.yui("server", "delete", only(running), "--yes", "--wait")
        yield running


def only(plane: Served) -> str:
    (server,) = json.loads(plane.yui("server", "list", "--json").stdout)
    return str(server["id"])


def test_what_is_named_and_is_not_there_ends_alike_wherever_it_was_named(plane: Served) -> None:
    town = ("--member", "012220")
    for command in (
        ("server", "show", "nosrv"),
        ("server", "create", "web", "--system", "nosys", "--flavor", "m1.small", "--image", "tiny"),
        (
            "system",
            "add",
            "--name",
            "a",
            "--zone",
            "lgwan",
            "--tier",
            "2",
            "--region",
            "noreg",
            *town,
        ),
        ("explain", "m9.absent", "--region", "hokkaido"),
        ("member", "join", "012289", "-b", "no-blueprint"),
    ):
        ended = plane.yui(*command)
        assert (ended.returncode, ended.stdout) == (3, ""), (command, ended.stderr)


def test_tables_that_go_into_a_pipe_end_where_their_words_end(plane: Served) -> None:
    for command in (("whoami",), ("events",), ("member", "list"), ("pool", "show")):
        for language in ("en", "ja"):
            ended = plane.yui(*command, "--lang", language)
            lines = ended.stdout.split("\n")
            assert len(lines) > 2, (command, ended.stderr)
            assert [line for line in lines if line != line.rstrip()] == [], command


def test_a_server_is_made_restarted_rebuilt_and_deleted(plane: Served) -> None:
    own = ("--name", "town", "--zone", "lgwan", "--tier", "2", "--member", "012220")
    added = plane.yui("system", "add", *own, "--wait")
    assert added.returncode == 0, added.stderr
    assert "town" in plane.yui("system", "show", "m012220-own-town").stdout
    flavor = json.loads(plane.yui("pool", "show", "--json").stdout)["flavors"][0]["id"]
    kind = ("--system", "m012220-own-town", "--flavor", flavor, "--image", "tiny")
    rehearsed = plane.yui("server", "create", "web", *kind, "--dry-run")
    assert "servers/web" in rehearsed.stdout
    assert "Certificate: valid" in rehearsed.stdout
    made = plane.yui("server", "create", "web", *kind, "--wait")
    assert (made.returncode, made.stdout.strip()) == (0, "Done."), made.stderr
    words = ("--description", "窓口", "--label", "contact=kikaku", "--label", "old=1", "--tag", "a")
    assert plane.yui("server", "note", "web", *words).returncode == 0
    noted = plane.yui("server", "note", "web", "--label", "old=", "--tag", "b", "--untag", "a")
    assert noted.returncode == 0, noted.stderr
    shown = plane.yui("--lang", "ja", "server", "notes", "web").stdout
    assert "窓口" in shown
    assert "contact=kikaku" in shown
    assert "old=1" not in shown
    wrong = plane.yui("server", "note", "web", "--label", "contact")
    assert "KEY=VALUE" in wrong.stderr
    rehearsed = plane.yui("server", "rename", "web", "portal", "--dry-run")
    assert "portal" in rehearsed.stdout
    for name, other in (("web", "portal"), ("portal", "web")):
        renamed = plane.yui("server", "rename", name, other)
        assert renamed.returncode == 0, renamed.stderr
    restarted = plane.yui("server", "reboot", "web", "--hard", "--wait")
    assert restarted.returncode == 0, restarted.stderr
    wrong = plane.yui("server", "rebuild", "web", "tiny", "--confirm", "wob")
    assert wrong.returncode == 1
    assert "is not the name of" in wrong.stderr
    unasked = plane.yui("server", "rebuild", "web", "tiny")
    assert unasked.returncode != 0
    rebuilt = plane.yui("server", "rebuild", "web", "tiny", "--confirm", "web", "--wait")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert plane.yui("server", "protect", "web").returncode == 0
    kept = plane.yui("--lang", "ja", "server", "delete", "web", "--yes")
    assert kept.returncode != 0
    assert "削除から保護されています" in kept.stderr
    assert plane.yui("server", "protect", "web", "--off").returncode == 0
    gone = plane.yui("system", "delete", "m012220-own-town", "--yes", "--wait")
    assert gone.returncode == 0, gone.stderr
    assert json.loads(plane.yui("server", "list", "--json").stdout) == []


def test_a_server_is_shelved_and_what_is_lent_can_be_asked_back(plane: Served) -> None:
    own = ("--name", "night", "--zone", "lgwan", "--tier", "3", "--member", "012220")
    assert plane.yui("system", "add", *own, "--wait").returncode == 0
    flavor = json.loads(plane.yui("pool", "show", "--json").stdout)["flavors"][0]["id"]
    kind = ("--system", "m012220-own-night", "--flavor", flavor, "--image", "tiny")
    made = plane.yui("server", "create", "batch", *kind, "--wait")
    assert made.returncode == 0, made.stderr
    would = plane.yui("--lang", "ja", "server", "shelve", "batch", "--dry-run")
    assert "servers/batch/power" in would.stdout
    shelved = plane.yui("server", "shelve", "batch", "--wait")
    assert (shelved.returncode, shelved.stdout.strip()) == (0, "Done."), shelved.stderr
    assert "休止中" in plane.yui("--lang", "ja", "server", "list").stdout
    assert "unshelve" in plane.yui("server", "start", "batch").stderr
    back = plane.yui("server", "unshelve", "batch", "--wait")
    assert back.returncode == 0, back.stderr
    assert plane.yui("--lang", "ja", "quota", "notices").returncode == 0
    region = json.loads(plane.yui("pool", "show", "--json").stdout)["regions"][0]["id"]
    there = plane.yui("quota", "reclaim", region, "--vcpus", "1", "--dry-run")
    assert "has that much room already" in there.stderr
    assert plane.yui("quota", "withdraw", "rc-none").returncode == 3
    assert plane.yui("system", "delete", "m012220-own-night", "--yes", "--wait").returncode == 0


def test_what_container_groups_take_of_a_quota_is_shown_beside_what_is_used(plane: Served) -> None:
    own = ("--name", "portal", "--zone", "lgwan", "--tier", "3", "--member", "012220")
    assert plane.yui("system", "add", *own, "--wait").returncode == 0
    assert plane.yui("quota", "set", "012220", "--quota-vcpus", "7").returncode == 0
    image = f"registry.example.jp/town/portal@sha256:{'a' * 64}"
    file = plane.folder / "portal.json"
    container = {"name": "web", "image": image, "vcpus": 1, "memory_mib": 64}
    file.write_text(json.dumps({"replicas": 5, "containers": [container]}), encoding="utf-8")
    put = ("container-group", "create", "portal", str(file), "--system", "m012220-own-portal")
    made = plane.yui("--lang", "ja", *put)
    assert made.returncode == 0, made.stderr
    assert "クォータには数えます" in made.stdout + made.stderr
    for command in (("quota", "list"), ("quota", "show", "012220")):
        shown = plane.yui(*command)
        assert "they count against the quota" in " ".join((shown.stdout + shown.stderr).split())
        said = plane.yui("--lang", "ja", *command)
        assert "コンテナーグループ" in said.stdout
    again = plane.yui("--lang", "ja", *put[:2], "other", *put[3:])
    assert again.returncode != 0
    assert "5 をコンテナーグループとして登録済み" in again.stderr
    assert plane.yui("container-group", "delete", "portal", "--yes").returncode == 0
    assert json.loads(plane.yui("quota", "show", "012220", "--json").stdout)[
        "container_groups"
    ] == {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}
    assert plane.yui("system", "delete", "m012220-own-portal", "--yes", "--wait").returncode == 0


def test_a_server_is_made_with_a_key_in_a_group_and_resized_to_be_confirmed(plane: Served) -> None:
    token = plane.folder / "mikasa.token"
    issued = ("--label", "鈴木", "--tenant", "012220", "--out", str(token))
    assert plane.yui("token", "create", *issued).returncode == 0
    member = {"YUI_TOKEN_FILE": str(token)}
    more = ("--quota-vcpus", "8", "--quota-memory", "8", "--quota-disk", "100")
    assert plane.yui("quota", "set", "012220", *more).returncode == 0
    public, private = plane.folder / "id.pub", plane.folder / "id"
    public.write_text(ED25519)
    added = plane.yui("keypair", "add", "alice", "--public-key", str(public), env=member)
    assert (added.returncode, added.stdout.strip()) == (0, "Key pair alice is added.")
    assert plane.yui("keypair", "add", "bob", "--make", str(private), env=member).returncode == 0
    assert "OPENSSH PRIVATE KEY" in private.read_text()
    assert private.stat().st_mode & 0o777 == 0o600
    unclear = plane.yui("--lang", "ja", "keypair", "add", "carol", env=member)
    assert unclear.returncode != 0
    assert "鍵が指定されていません" in unclear.stderr
    assert FINGERPRINT in plane.yui("keypair", "list", env=member).stdout
    assert plane.yui("server-group", "create", "apart", env=member).returncode == 0
    own = ("--name", "keyed", "--zone", "lgwan", "--tier", "2")
    assert plane.yui("system", "add", *own, "--wait", env=member).returncode == 0
    small, larger = (
        each["id"] for each in json.loads(plane.yui("pool", "show", "--json").stdout)["flavors"][:2]
    )
    kind = ("--system", "m012220-own-keyed", "--flavor", small, "--image", "tiny", "--wait")
    keyed = ("--keypair", "alice", "--server-group", "apart")
    made = plane.yui("server", "create", "keyed", *kind, *keyed, env=member)
    assert made.returncode == 0, made.stderr
    server = json.loads(plane.yui("server", "show", "keyed", "--json").stdout)
    assert server["keypair"] == "alice"
    assert server["id"] in plane.yui("server-group", "show", "apart", env=member).stdout
    for end in ("revert-resize", "confirm-resize"):
        resized = plane.yui("server", "resize", "keyed", larger, "--to-confirm", "--wait")
        assert resized.returncode == 0, resized.stderr
        shown = plane.yui("server", "show", "keyed").stdout
        assert all(word in shown for word in ("alice", f"{small} → {larger}", "SERVER GROUP"))
        ended = plane.yui("server", end, "keyed", env=member)
        assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == f"Server keyed keeps flavor {larger}."
    for command in (("keypair", "remove", "alice"), ("server-group", "delete", "apart")):
        gone = plane.yui(*command, "--yes", env=member)
        assert gone.returncode == 0, gone.stderr
    assert plane.yui("system", "delete", "m012220-own-keyed", "--yes", "--wait").returncode == 0


@pytest.mark.long
def test_a_servers_disk_is_made_an_image_described_and_taken_home(plane: Served) -> None:
    token = plane.folder / "mikasa-images.token"
    issued = ("--label", "田中", "--tenant", "012220", "--out", str(token))
    assert plane.yui("token", "create", *issued).returncode == 0
    member = {"YUI_TOKEN_FILE": str(token)}
    more = ("--quota-vcpus", "8", "--quota-memory", "8", "--quota-disk", "100")
    assert plane.yui("quota", "set", "012220", *more).returncode == 0
    own = ("--name", "golden", "--zone", "lgwan", "--tier", "2")
    assert plane.yui("system", "add", *own, "--wait", env=member).returncode == 0
    flavor = json.loads(plane.yui("pool", "show", "--json").stdout)["flavors"][0]["id"]
    kind = ("--system", "m012220-own-golden", "--flavor", flavor, "--image", "tiny", "--wait")
    assert plane.yui("server", "create", "model", *kind, env=member).returncode == 0

    wanted = ("model", "--name", "golden", "--property", "os_distro=debian")
    plan = plane.yui("image", "from-server", *wanted, "--dry-run", env=member)
    assert "images/golden" in plan.stdout
    made = plane.yui("image", "from-server", *wanted, "--wait", env=member)
    assert made.returncode == 0, made.stderr
    images = json.loads(plane.yui("image", "list", "--json", env=member).stdout)
    (golden,) = [image for image in images if image["name"] == "golden"]
    described = plane.yui(
        "image", "describe", golden["id"], "--name", "gold", "--property", "os_distro=", env=member
    )
    assert described.returncode == 0, described.stderr
    file = plane.folder / "gold.qcow2"
    taken = plane.yui("image", "download", golden["id"], "--to", str(file), env=member)
    assert taken.returncode == 0, taken.stderr
    assert hashlib.sha256(file.read_bytes()).hexdigest() == golden["sha256"]
    part = file.with_name("gold.qcow2.part")
    part.write_bytes(file.read_bytes()[:1000])
    file.unlink()
    again = plane.yui(
        "--lang", "ja", "image", "download", golden["id"], "--to", str(file), env=member
    )
    assert "保存しました" in again.stdout, again.stderr
    assert hashlib.sha256(file.read_bytes()).hexdigest() == golden["sha256"]
    assert not part.exists()
    assert (
        plane.yui("image", "download", golden["id"], "--to", str(file), env=member).returncode != 0
    )

    words = ("--description", "帳票", "--label", "for=ledger")
    beside = ("--size", "1", "--beside", "model", "--wait")
    assert plane.yui("volume", "create", "d1", *beside, *words, env=member).returncode == 0
    changed = plane.yui("volume", "describe", "d1", "--name", "d2", "--label", "for=", env=member)
    assert (changed.returncode, changed.stdout.strip()) == (0, "d2 is described anew.")
    shown = json.loads(plane.yui("volume", "show", "d2", "--json", env=member).stdout)
    assert (shown["description"], shown["labels"]) == ("帳票", {})
    assert plane.yui("volume", "delete", "d2", "--yes", "--wait", env=member).returncode == 0
    assert plane.yui("system", "delete", "m012220-own-golden", "--yes", "--wait").returncode == 0
    assert plane.yui("image", "delete", golden["id"], env=member).returncode == 0
