"""`yui system` and `yui server` from the first server to the last, with the control plane at work."""

from __future__ import annotations

import json
import time

import pytest

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
