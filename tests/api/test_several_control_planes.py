"""Several control planes on one PostgreSQL state answer as one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from control_plane.http.tokens import token_id_of
from control_plane.model.host_health import Cleaning
from control_plane.model.units import Seconds
from tests.api.conftest import MIKASA, NOW, TINY, Api, opened_at, pool, problem_of
from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.postgresql


def prepare(api: Api) -> None:
    assert api.put("/v1/pool", json=pool()).status_code == 200
    with api.store.read() as tx:
        hosts = tx.hosts()
    for host in hosts:
        assert isinstance(host.health, Cleaning)
        api.set_health(host.id, host.health.cleaned(NOW))
    with api.store.write() as tx:
        tx.put_image(TINY)


def test_one_key_sent_to_two_of_them_at_once_is_done_once(postgresql: PostgreSQL) -> None:
    url = postgresql.url()
    with (
        opened_at(url, Path("unused")) as one,
        opened_at(url, Path("unused"), one.operator_token) as two,
    ):
        prepare(one)
        body = {"code": MIKASA, "blueprints": ["facility-booking"]}
        for attempt in range(5):
            key = {"Idempotency-Key": f"attempt-number-{attempt}"}
            answers: list[tuple[int, Any]] = []
            together = threading.Barrier(2)

            def send(
                api: Api, key: dict[str, str], together: threading.Barrier, found: list[Any]
            ) -> None:
                together.wait()
                answer = api.post("/v1/members", json=body, headers=key)
                found.append((answer.status_code, answer.json()))

            threads = [
                threading.Thread(target=send, args=(api, key, together, answers))
                for api in (one, two)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert [status for status, _ in answers] == [202, 202], answers
            assert answers[0][1]["id"] == answers[1][1]["id"]
            with one.store.write() as tx:
                (server,) = tx.servers()
                tx.remove_server(server.id)
                tx.remove_system(server.system)
                tx.remove_tenant(server.tenant)


def test_a_token_revoked_at_one_is_refused_by_the_other(postgresql: PostgreSQL) -> None:
    url = postgresql.url()
    with (
        opened_at(url, Path("unused")) as one,
        opened_at(url, Path("unused"), one.operator_token) as two,
    ):
        issued = one.post("/v1/tokens", json={"role": "operator", "label": "second"}).json()
        second = two.with_token(issued["token"])
        assert second.get("/v1/hosts").status_code == 200
        one.request("DELETE", f"/v1/tokens/{token_id_of(issued['token'])}")
        # What one has just read of a token counts for a second.
        two.world.clock.sleep(Seconds(1.5))
        problem_of(second.get("/v1/hosts"), 401, "token-invalid")


def test_groups_and_servers_asked_for_at_both_at_once_stay_within_the_quota(
    postgresql: PostgreSQL,
) -> None:
    url = postgresql.url()
    with (
        opened_at(url, Path("unused")) as one,
        opened_at(url, Path("unused"), one.operator_token) as two,
    ):
        prepare(one)
        one.join(MIKASA, "facility-booking")
        path = f"/v1/members/{MIKASA}/quota"
        used = one.get(path).json()["used"]
        most = {**used, "vcpus": used["vcpus"] + 5, "memory_mib": 81_920, "disk_gib": 400}
        none = dict.fromkeys(used, 0)
        assert one.put(path, json={"guaranteed": none, "quota": most}).status_code == 200
        system = f"m{MIKASA}-facility-booking"
        image = f"registry.example.jp/town/web@sha256:{'a' * 64}"
        container = {"name": "web", "image": image, "vcpus": 1, "memory_mib": 64}
        together = threading.Barrier(4)

        def group(number: int) -> tuple[str, dict[str, Any]]:
            body = {"name": f"g{number}", "system": system, "containers": [container]}
            return "/v1/container-groups", body

        def server(number: int) -> tuple[str, dict[str, Any]]:
            wanted = {"name": f"s{number}", "flavor": "m1.small", "image": "tiny"}
            return "/v1/servers", {"servers": [{**wanted, "system": system}]}

        def ask(number: int) -> list[str]:
            """As a program that is told to try again, and does."""
            api, answers = (one, two)[number % 2], []
            together.wait()
            for attempt in range(3):
                where, body = (group, server)[number // 2](10 * number + attempt)
                said = "lost-race"
                for _ in range(50):
                    if said != "lost-race":
                        break
                    answer = api.post(where, json=body)
                    made = answer.status_code in (201, 202)
                    said = "made" if made else answer.json()["type"].rpartition(":")[2]
                answers.append(said)
            return answers

        with ThreadPoolExecutor(4) as threads:
            answers = [said for some in threads.map(ask, range(4)) for said in some]
        assert sorted(answers) == ["made"] * 5 + ["quota-exceeded"] * 7
        shown = two.get(path).json()
        assert shown["used"]["vcpus"] + shown["container_groups"]["vcpus"] == most["vcpus"]
        assert shown["borrowable"]["vcpus"] == 0
