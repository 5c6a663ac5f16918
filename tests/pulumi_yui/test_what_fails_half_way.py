"""A thing whose making fails half-way is taken back: a dynamic provider can't give Pulumi half of one, and what is
in no state would be in the way of every later run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tenants.pulumi_yui import (
    BackupPolicy,
    Keypair,
    Offices,
    SecurityGroup,
    Server,
    System,
    Volume,
)
from tests.api.backups import NIGHTLY
from tests.api.conftest import MIKASA
from tests.openstack_api.cloud import Cloud
from tests.pulumi_yui.engine import Engine, ProgramFailed, dynamic_provider
from tests.pulumi_yui.gate import Gate
from tests.pulumi_yui.test_what_others_changed import ONE

pytestmark = pytest.mark.long

Program = Callable[[], object]

BOOKING = f"m{MIKASA}-facility-booking"
OWN = f"m{MIKASA}-own-portal"


def nothing_more() -> None:
    System("booking", blueprint="facility-booking")
    System("portal", zone="lgwan", tier=2)


def _server(**said: Any) -> Server:
    return Server("web", **{"system": OWN, "flavor": "m1.small", "image": "tiny", **said})


@pytest.fixture(scope="module")
def gate(cloud: Cloud) -> Iterator[Gate]:
    with Gate(cloud.url).open() as gate:
        yield gate


@pytest.fixture(scope="module")
def stack(gate: Gate, token_file: Path, repositories: None) -> Iterator[Engine]:
    """Behind the gate, with two systems."""
    del repositories
    with dynamic_provider({"YUI_URL": gate.url, "YUI_TOKEN_FILE": str(token_file)}) as plugin:
        engine = Engine(plugin)
        engine.up(nothing_more)
        yield engine
        engine.destroy()


@pytest.fixture(autouse=True)
def open_again(gate: Gate) -> Iterator[None]:
    yield
    gate.shut = gate.dropped = gate.lost = lambda _method, _path: False


HALVES: dict[str, tuple[Program, str, str, str]] = {
    "system": (
        lambda: System("more", zone="lgwan", tier=3),
        *("GET", "/v1/systems/", "/v1/systems"),
    ),
    "server": (_server, "GET", "/v1/servers/", "/v1/servers"),
    "stopped server": (
        lambda: _server(running=False, protected=True),
        *("POST", "/stop", "/v1/servers"),
    ),
    "server that is waited for": (_server, "GET", "/v1/operations/", "/v1/servers"),
    "volume": (
        lambda: Volume("papers", size_gib=1, protected=True),
        *("GET", "/v1/volumes/", "/v1/volumes"),
    ),
    "security group": (
        lambda: SecurityGroup("web", rules=[{"direction": "egress"}]),
        *("GET", "/v1/security-groups/", "/v1/security-groups"),
    ),
    "key pair": (lambda: Keypair("clerk", public_key=ONE), "GET", "/v1/keypairs", "/v1/keypairs"),
}
"""What is made, the request after its making that is refused once, and where what was made is listed."""


@pytest.mark.parametrize("half", HALVES)
def test_what_was_made_is_taken_back_when_a_later_step_fails(
    cloud: Cloud, stack: Engine, gate: Gate, half: str
) -> None:
    more, method, part, listed = HALVES[half]

    def program() -> None:
        nothing_more()
        more()

    def there() -> int:
        page = cloud.ask("GET", f"{listed}?limit=1000", cloud.account().token).json()
        return len(page["items"])

    before, made, refused = there(), [], []

    def shut(asked: str, path: str) -> bool:
        """Once, after what is asked for was made."""
        if asked == "POST" and path == listed:
            made.append(path)
        elif made and not refused and asked == method and part in path:
            refused.append(path)
            return True
        return False

    gate.shut = shut
    with pytest.raises(ProgramFailed, match=r"The gate is shut\.$"):
        stack.up(program)
    assert refused
    assert there() == before
    assert len(stack.state) == 2
    # Nothing is in the way of the next run.
    assert "create" in stack.up(program).steps.values()
    assert there() == before + 1
    _unprotect(cloud)
    stack.up(nothing_more)
    assert there() == before


def test_where_it_cannot_be_taken_back_the_refusal_says_what_stands(
    cloud: Cloud, stack: Engine, gate: Gate
) -> None:
    def program() -> None:
        nothing_more()
        _server(running=False)

    gate.shut = lambda method, path: path.endswith("/stop") or method == "DELETE"
    stands = r"shut\. What was made of it could not be taken back, and stands as web-\w+ \(The gate"
    with pytest.raises(ProgramFailed, match=stands):
        stack.up(program)
    gate.shut = lambda _method, _path: False
    with pytest.raises(ProgramFailed, match="called 'web' already"):
        stack.preview(program)
    _removed(cloud, "/v1/servers/web")


@pytest.mark.parametrize(
    "more",
    [
        lambda: Offices("set", zone="internet", offices=["192.168.0.0/16"]),
        lambda: BackupPolicy("set", system=BOOKING, policy=NIGHTLY),
    ],
    ids=["offices", "backup policy"],
)
def test_what_is_set_and_not_made_is_set_by_the_next_run(
    stack: Engine, gate: Gate, more: Program
) -> None:
    def program() -> None:
        nothing_more()
        more()

    done: list[str] = []

    def shut(method: str, path: str) -> bool:
        if method == "PUT" and "dry_run" not in path:
            done.append(path)
        return method == "GET" and any(path == each.removesuffix("/offices") for each in done)

    gate.shut = shut
    with pytest.raises(ProgramFailed, match="shut"):
        stack.up(program)
    assert done
    gate.shut = lambda _method, _path: False
    assert stack.up(program).steps["set"] == "create"
    stack.up(nothing_more)


def test_a_change_that_stopped_half_way_goes_on_with_what_is_left(
    stack: Engine, gate: Gate, cloud: Cloud
) -> None:
    def program(flavor: str = "m1.small", *, running: bool = True) -> None:
        nothing_more()
        _server(flavor=flavor, running=running, protected=not running)

    stack.up(program)
    gate.shut = lambda _method, path: path.endswith("/stop")
    changed = lambda: program("m1.medium", running=False)  # noqa: E731 — as programs are given
    with pytest.raises(ProgramFailed, match="shut"):
        stack.up(changed)
    gate.shut = lambda _method, _path: False
    gate.asked.clear()
    assert stack.preview(changed).steps["web"] == "update"
    assert stack.up(changed).steps["web"] == "update"
    assert [path.rpartition("/")[2] for _method, path in gate.asked] == ["stop"]
    _unprotect(cloud)
    stack.up(nothing_more)


def test_a_server_is_waited_for_while_the_api_is_restarted(stack: Engine, gate: Gate) -> None:
    silent: list[str] = []

    def dropped(_method: str, path: str) -> bool:
        if "/v1/operations/" in path and len(silent) < 6:
            silent.append(path)
            return True
        return False

    def program() -> None:
        nothing_more()
        _server()

    gate.dropped = dropped
    assert stack.up(program).steps["web"] == "create"
    assert len(silent) == 6
    stack.up(nothing_more)


def test_what_was_done_and_not_answered_is_not_done_twice(
    cloud: Cloud, stack: Engine, gate: Gate
) -> None:
    tries: list[str] = []

    def asked(method: str, path: str) -> bool:
        if (method, path) == ("POST", "/v1/servers"):
            tries.append(path)
        return False

    def program() -> None:
        nothing_more()
        _server()

    gate.dropped = lambda method, path: asked(method, path) or 1 < len(tries) < 7
    gate.lost = lambda _method, path: path == "/v1/servers" and len(tries) == 1
    assert stack.up(program).steps["web"] == "create"
    assert len(tries) == 7
    servers = cloud.ask("GET", "/v1/servers?name=web", cloud.account().token).json()["items"]
    assert len(servers) == 1
    stack.up(nothing_more)


def test_after_a_program_was_killed_the_next_run_says_what_stands_and_makes_nothing_twice(
    cloud: Cloud, stack: Engine, gate: Gate, token_file: Path
) -> None:
    def program() -> None:
        nothing_more()
        _server()

    def kill(_method: str, path: str) -> bool:
        """Once the server was asked for."""
        if "/v1/operations/" in path:
            running.close()
        return False

    at = {"YUI_URL": gate.url, "YUI_TOKEN_FILE": str(token_file)}
    with ExitStack() as running:
        killed = Engine(running.enter_context(dynamic_provider(at)), dict(stack.state))
        gate.shut = kill
        with pytest.raises(ProgramFailed):
            killed.up(program)
    gate.shut = lambda _method, _path: False
    for run in (stack.preview, stack.up):
        with pytest.raises(ProgramFailed, match="called 'web' already"):
            run(program)
    _removed(cloud, "/v1/servers/web")
    assert stack.up(program).steps["web"] == "create"
    stack.up(nothing_more)


def _removed(cloud: Cloud, path: str) -> None:
    """By hand."""
    token = cloud.account().token
    answer = cloud.ask("DELETE", path, token)
    assert answer.status_code == 202, answer.text
    cloud.until(lambda: cloud.ask("GET", path, token).status_code == 404)


def _unprotect(cloud: Cloud) -> None:
    """As their owner would before they go."""
    for path in ("/v1/servers/web", "/v1/volumes/papers"):
        cloud.ask("PATCH", path, cloud.account().token, json={"protected": False})
