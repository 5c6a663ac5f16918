"""A control plane that runs, and what must be true of everything that it or `yui` refuses."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import problem_of, rows_of
from tests.cli import forked
from tests.cli.running import Ended, run_apart
from tests.cli.served import DECLARED, Served, served
from tests.plain_http import ask

WHALE = "  - {id: m1.whale, vcpus: 64, memory: 512 GiB, disk: 20 GiB}\n"
"""A size that no host of the pool could ever hold."""

BLUEPRINT = """\
id: {id}
version: 1
name: {{ja: 試験, en: Trial}}
description: {{ja: 試験のためのものです。, en: For a test.}}
tier: 2
zone: internet
service_hours: always
backup:
  rpo_hours: 24
  copies:
    - {{every: day, at: "22:00", generations: 7, places: [on-site]}}
servers:
  - role: application
    image: {image}
    start_order: 0
    flavors: {{under-50k: {flavor}, 50k-100k: {flavor}, 100k-300k: {flavor}, 300k-and-more: {flavor}}}
"""


@dataclass(frozen=True)
class Plane:
    """`yui serve` on a state of its own."""

    served: Served
    state: Path

    def yui(self, *arguments: str, **environment: str) -> Ended:
        return self.served.yui(*arguments, env=environment)

    def data(self, *arguments: str) -> Any:
        result = self.yui(*arguments, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def ask(self, method: str, path: str, body: object = None, language: str = "en") -> Any:
        token = self.served.token_file.read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}
        url = self.served.url + path
        return ask(method, url, headers=headers, timeout=60, json=body)

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that is on record, but for who leads at the moment."""
        rows = rows_of(self.state)
        del rows["leases"]
        return rows

    def image_file(self) -> Path:
        return self.served.folder / "images" / "tiny.raw"


@contextmanager
def unchanged(plane: Plane) -> Iterator[None]:
    """Nothing is done, and nothing half done."""
    before = plane.contents()
    yield
    assert plane.contents() == before


def one_sentence(said: str, language: str) -> str:
    """What a person reads: one line, whole, and no traceback."""
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert "Traceback" not in said
    assert lines[0].endswith("。" if language == "ja" else "."), said
    return lines[0]


@dataclass(frozen=True)
class Refusal:
    """What `yui` said, in both languages."""

    en: str
    ja: str
    problem: dict[str, Any]


def refused(plane: Plane, *arguments: str, code: int, type: str) -> Refusal:
    """Run `yui` in English, in Japanese and for programs: each time it is refused in its manner, and
    changes nothing."""
    with unchanged(plane):
        answers = [
            plane.yui(*arguments),
            plane.yui(*arguments, LANG="ja_JP.UTF-8"),
            plane.yui(*arguments, "--json"),
        ]
    assert [answer.returncode for answer in answers] == [code] * 3, answers
    assert [answer.stdout for answer in answers] == [""] * 3
    en, ja, document = (answer.stderr for answer in answers)
    problem = json.loads(document)
    assert problem["type"] == f"urn:yui:problem:{type}"
    return Refusal(one_sentence(en, "en"), one_sentence(ja, "ja"), problem)


def refused_over_http(
    plane: Plane, method: str, path: str, body: object = None, *, status: int, type: str
) -> Refusal:
    """Send the request in both languages: a problem document each, and nothing changes."""
    with unchanged(plane):
        english = plane.ask(method, path, body)
        japanese = plane.ask(method, path, body, language="ja")
    problem = problem_of(english, status, type)
    ja = problem_of(japanese, status, type)["detail"]
    return Refusal(problem["detail"], ja, problem)


def refused_to_start(
    arguments: tuple[str, ...], environment: dict[str, str], code: int
) -> tuple[str, str]:
    """Run `yui serve` in English, and in Japanese as a fork of what is loaded; what it says as it ends."""
    said = []
    for language, lang, run in (("en", "C.UTF-8", run_apart), ("ja", "ja_JP.UTF-8", forked.run)):
        ended = run(("serve", *arguments), {**environment, "LANG": lang})
        assert ended.returncode == code, ended.stderr
        assert ended.stdout == ""
        said.append(one_sentence(ended.stderr, language))
    return said[0], said[1]


def serving(folder: Path, port: str) -> tuple[str, ...]:
    return (
        *("--database", f"sqlite:///{folder / 'state.db'}", "--plain-http", "--simulated"),
        *("--port", port, "--first-token", str(folder / "token")),
    )


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` gives once it is true; a bound on waiting, and no measurement."""
    end = time.monotonic() + 90
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.1)


def at_rest(plane: Plane) -> bool:
    """The reconciler has nothing left to tell."""
    before = plane.contents()
    # What is only looked at now and then, such as memberships, is looked at within two seconds.
    time.sleep(2.5)
    return plane.contents() == before


def furnish(plane: Plane) -> None:
    """The pool, its image, and 三笠市 as a member whose systems run."""
    with plane.served.pool_file.open("a", encoding="utf-8") as pool:
        pool.write(WHALE)
    assert plane.yui("pool", "apply", str(plane.served.pool_file)).returncode == 0
    eventually(lambda: {host["health"] for host in plane.data("host", "list")} == {"up"})
    described = ("--name", "tiny", "--version", "1", "--provenance", "made for a test", *DECLARED)
    assert plane.yui("image", "add", "tiny.raw", *described).returncode == 0
    joined = plane.yui("member", "join", "012220", "-b", "resident-records", "--wait")
    assert joined.returncode == 0, joined.stderr
    eventually(lambda: at_rest(plane))


@pytest.fixture(scope="package")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Every test that shares it finds that it changed nothing."""
    folder = tmp_path_factory.mktemp("served")
    blueprints = folder / "blueprints"
    blueprints.mkdir()
    for name, image, flavor in (
        ("unknown-size", "tiny", "m9.absent"),
        ("whale", "tiny", "m1.whale"),
        ("unknown-image", "absent", "m1.small"),
    ):
        text = BLUEPRINT.format(id=name, image=image, flavor=flavor)
        (blueprints / f"{name}.v1.yaml").write_text(text, encoding="utf-8")
    with served(folder, "--blueprints", str(blueprints)) as running:
        plane = Plane(running, folder / "state.db")
        furnish(plane)
        yield plane


@pytest.fixture
def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])
