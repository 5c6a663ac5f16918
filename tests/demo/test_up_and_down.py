"""`make up` leaves a working pool behind, and `make down` leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.cloud import LocalCloud
from deploy.local.prerequisites import why_no_local_hosts
from tests.demo.test_demonstration import CHECKOUT, ENGLISH, run, traces


def yui(cloud: LocalCloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "control_plane.cli", *arguments],
        cwd=CHECKOUT,
        env={**ENGLISH, "YUI_URL": cloud.url, "YUI_TOKEN_FILE": str(cloud.token_file)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.hypervisor
def test_a_pool_that_is_up_takes_commands_and_down_removes_every_trace(tmp_path):
    why = why_no_local_hosts()
    if why is not None:
        pytest.skip(why.en)
    root = tmp_path / "up"
    try:
        up = run("deploy.local", "up", "--root", str(root))
        assert up.returncode == 0, up.stdout + up.stderr
        pool = LocalCloud.open(root)
        assert pool is not None
        hosts = yui(pool, "host", "list", "--json")
        assert hosts.returncode == 0, hosts.stderr
        assert len(json.loads(hosts.stdout)) == 9
        assert len(traces(root)) > 18
        again = run("deploy.local", "up", "--root", str(root))
        assert again.returncode == 1
        assert "is up already" in again.stderr
    finally:
        down = run("deploy.local", "down", "--root", str(root))
    assert down.returncode == 0, down.stdout + down.stderr
    assert not root.exists()
    assert traces(root) == set()


def test_taking_down_what_is_not_there_is_no_mistake(tmp_path):
    down = run("deploy.local", "down", "--root", str(tmp_path / "nothing"))
    assert down.returncode == 0
    assert "nothing to take down" in down.stdout


def test_up_on_a_machine_without_the_rights_says_what_to_do(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can show what others are told")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    done = subprocess.run(
        [*nobody, sys.executable, "-m", "deploy.local", "up", "--root", "/tmp/yui-nobody"],  # noqa: S108
        cwd=CHECKOUT,
        env={**ENGLISH, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "root" in done.stderr
    assert not Path("/tmp/yui-nobody").exists()  # noqa: S108
