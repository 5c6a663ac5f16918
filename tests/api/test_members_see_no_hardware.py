"""A member reads of its own servers and never of the machines under them, whatever happens to those."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from control_plane.model.ids import HostId, ServerId
from control_plane.model.units import Seconds
from control_plane.reconcile import Controller, Timings
from tests.api.conftest import MIKASA, TINY, Api, pool
from tests.api.test_access_to_every_route import filled, names, routes

HARDWARE = [f"{region}-{n}" for region in ("hokkaido", "kyoto") for n in (1, 2, 3)]
HARDWARE += ["hokkaido-dc", "hokkaido-pool", "/srv/"]


def pool_of_large_servers() -> dict[str, list[Any]]:
    """A host holds two of 三笠市's three servers, so that one host alone is too few for them."""
    described = pool()
    small = next(flavor for flavor in described["flavors"] if flavor["id"] == "m1.small")
    small.update(vcpus=3, memory="5 GiB")
    return described


class Story:
    """三笠市's servers in a pool of which machines fail, and a reconciler that cares for it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.controller = Controller(api.store, api.world, "one control plane", Timings())
        api.put("/v1/pool", json=pool_of_large_servers())
        with api.store.write() as tx:
            tx.put_image(TINY)
        self.until(lambda: {host["health"] for host in self.hosts()} == {"up"})
        self.town: Api | None = None

    def join(self) -> None:
        operation = self.api.join(MIKASA, "resident-records", "facility-booking")
        self.town = self.api.tenant(MIKASA)
        self.until(lambda: self.ended(f"/v1/operations/{operation['id']}"))

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the reconciler work, for at most ten minutes of the World's time."""
        for _ in range(600):
            if condition():
                return
            self.controller.tick()
            self.api.world.clock.sleep(Seconds(1))
        raise AssertionError(self.api.get("/v1/events?limit=1000").text)

    def hosts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/v1/hosts?region=hokkaido").json()["items"]
        return found

    def servers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/v1/servers").json()["items"]
        return found

    def statuses(self) -> set[str]:
        return {server["status"] for server in self.servers()}

    def ended(self, operation: str) -> bool:
        return bool(self.api.get(operation).json()["state"] != "running")

    def happened(self, kind: str) -> bool:
        return any(
            event["kind"] == kind for event in self.api.get("/v1/events?limit=1000").json()["items"]
        )

    def migrate(self) -> dict[str, Any]:
        """Ask for a move of some server that runs; answers the operation once it has ended."""
        server = next(s for s in self.servers() if s["status"] == "active")
        asked = self.api.post(f"/v1/servers/{server['id']}/migrate")
        assert asked.status_code == 202, asked.text
        self.until(lambda: self.ended(asked.headers["location"]))
        operation: dict[str, Any] = self.api.get(asked.headers["location"]).json()
        return operation

    def crash_the_host_of_a_server(self) -> None:
        self.api.world.crash(HostId(next(s["host"] for s in self.servers() if s["host"])))

    def answers(self) -> Iterator[tuple[str, httpx.Response]]:
        """Everything that 三笠市 can read, and what it is told where it may not read."""
        assert self.town is not None
        known = names(self.town)
        for method, path in sorted(set(routes(self.town))):
            if method != "GET":
                continue
            # A problem repeats the path that it was asked for, which is the asker's own knowledge.
            asked = filled(path.replace("{host_id}", "some-host"), known)
            for language in ("en", "ja"):
                headers = {"Accept-Language": language}
                # A stream is to end with what there is.
                most = {"limit": 1000, "seconds": 0}
                answer = self.town.get(asked, headers=headers, params=most)
                yield asked, answer
                # What takes no such words says all that it has without them.
                if answer.status_code == 422:
                    yield asked, self.town.get(asked, headers=headers)

    def events(self) -> list[dict[str, Any]]:
        assert self.town is not None
        found: list[dict[str, Any]] = self.town.get("/v1/events?limit=1000").json()["items"]
        return found

    def assert_no_hardware_is_named(self) -> None:
        for path, answer in self.answers():
            named = [name for name in HARDWARE if name in answer.text]
            assert named == [], (path, answer.text)


@pytest.fixture
def story(empty_api: Api) -> Story:
    return Story(empty_api)


@pytest.mark.long
def test_no_host_is_named_to_a_member_while_its_servers_move_and_its_hosts_die(
    story: Story,
) -> None:
    world = story.api.world
    story.join()
    story.assert_no_hardware_is_named()

    assert story.migrate()["state"] == "done"
    story.assert_no_hardware_is_named()

    world.fail_calls("migrate", times=100)
    given_up = story.migrate()
    assert given_up["error"]["type"] == "move-given-up"
    assert "hokkaido-" in given_up["error"]["en"]
    story.assert_no_hardware_is_named()

    world.destroy_by_hand(ServerId(story.servers()[0]["id"]))
    story.until(lambda: story.happened("server.found-stopped"))
    story.until(lambda: story.statuses() == {"active"})
    story.assert_no_hardware_is_named()

    story.crash_the_host_of_a_server()
    story.until(lambda: story.happened("host.suspect"))
    story.assert_no_hardware_is_named()
    story.until(lambda: story.happened("server.evacuated"))
    story.assert_no_hardware_is_named()
    story.until(lambda: story.statuses() == {"active"})

    story.crash_the_host_of_a_server()
    story.until(lambda: story.happened("server.stranded"))
    story.assert_no_hardware_is_named()
    for host in HARDWARE[:3]:
        world.power_on(HostId(host))
    story.until(lambda: story.happened("server.rehomed") and story.statuses() == {"active"})
    story.assert_no_hardware_is_named()

    kinds = {event["kind"] for event in story.events()}
    assert kinds >= {
        "server.running",
        "server.moved",
        "server.move-given-up",
        "server.found-stopped",
        "server.evacuated",
        "server.stranded",
        "server.rehomed",
        "operation.failed",
    }


def test_a_member_and_an_operator_read_the_same_events_in_different_words(story: Story) -> None:
    story.join()
    story.crash_the_host_of_a_server()
    story.until(lambda: story.happened("server.evacuated"))
    everything = story.api.get("/v1/events?limit=1000").json()["items"]
    ours = [event for event in everything if event["tenant"] is not None]
    # A member's own numbers count its events alone.
    moved, told = next(
        (our, their)
        for our, their in zip(ours, story.events(), strict=True)
        if our["kind"] == "server.evacuated"
    )
    assert moved["fields"]["to"] in moved["en"]
    assert moved["fields"]["from"] in moved["ja"]
    assert told["fields"] is None
    server = next(s["name"] for s in story.servers() if s["id"] in moved["subject"])
    assert told["en"] == (
        f"Server {server} restarts on another machine, because the one under it failed."
    )
    assert (
        told["ja"]
        == f"稼働していた機器が停止したため、サーバー {server} を別の機器で再起動します。"
    )
    same = ("kind", "subject", "at", "severity", "tenant")
    assert [told[key] for key in same] == [moved[key] for key in same]


def test_an_event_that_speaks_of_no_hardware_is_told_to_its_member_as_it_is(story: Story) -> None:
    story.join()
    joined = next(event for event in story.events() if event["kind"] == "member.joined")
    operators = next(
        e for e in story.api.get("/v1/events").json()["items"] if e["kind"] == "member.joined"
    )
    assert joined == {**operators, "sequence": joined["sequence"]}
    assert joined["fields"]["blueprints"] == ["resident-records", "facility-booking"]
