"""What happens is told as it happens, to those who may know it, for as long as they may."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from control_plane.app import Options, create_app
from control_plane.http.listening import Listening
from control_plane.http.serve import serve
from control_plane.http.tokens import token_id_of
from control_plane.model.units import Seconds
from tests.api.conftest import MIKASA, UJI, Api, problem_of, standard_catalogue
from tests.plain_http import ask


@pytest.fixture
def served(api: Api) -> Iterator[tuple[Api, str, threading.Event]]:
    """The API over a real socket, since answers that stay open need one; its address, and what stops
    it. Heartbeats come often."""
    api.join(MIKASA)
    api.join(UJI)
    app = create_app(api.store, api.world, Options(standard_catalogue(), look_every=Seconds(0.02)))
    app.state.edge = replace(app.state.edge, heartbeat=Seconds(0.2))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    listening = Listening(port=port, plain_http=True)
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=serve, args=(app, listening), kwargs={"stop": stop, "ready": ready.set}
    )
    thread.start()
    try:
        assert ready.wait(60)
        yield replace(api, app=app), listening.url, stop
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


@contextmanager
def stream(url: str, path: str, token: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Each message's fields, with `data` read."""
    authorization = {"Authorization": f"Bearer {token}", **headers}
    with httpx.stream("GET", url + path, headers=authorization, timeout=60) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _messages(answer.iter_lines())


def _messages(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    fields: dict[str, Any] = {}
    for line in lines:
        if not line:
            if fields:
                yield fields
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = json.loads(value) if name == "data" else value


def test_events_come_as_the_list_has_them_and_go_on_where_one_left_off(served: Any) -> None:
    api, url, _ = served
    listed = api.get("/v1/events").json()["items"]
    with stream(url, "/v1/events/stream", api.operator_token) as messages:
        for event in listed:
            told = next(messages)
            assert (told["event"], told["id"]) == ("event", str(event["sequence"]))
            assert told["data"] == event
        server = api.get("/v1/servers").json()["items"][0]["id"]
        api.post(f"/v1/servers/{server}/stop")
        assert next(messages)["data"]["kind"] == "server.stop-asked"
    last = str(listed[-1]["sequence"])
    with stream(
        url, "/v1/events/stream", api.operator_token, **{"Last-Event-ID": last}
    ) as messages:
        assert next(messages)["data"]["kind"] == "server.stop-asked"


def test_a_member_is_told_of_its_own_things_alone(served: Any) -> None:
    api, url, _ = served
    town = api.tenant(UJI)
    other = api.get("/v1/servers?tenant=" + MIKASA).json()["items"][0]["id"]
    own = town.get("/v1/servers").json()["items"][0]["id"]
    last = town.get("/v1/events?newest=true&limit=1").json()["next"]
    with stream(url, f"/v1/events/stream?after={last}", town.operator_token) as messages:
        api.post(f"/v1/servers/{other}/stop")
        api.post(f"/v1/servers/{own}/stop")
        told = next(messages)["data"]
    assert (told["tenant"], told["subject"]) == (UJI, f"server:{own}")
    operation = town.get("/v1/operations?limit=1").json()["items"][0]["id"]
    mine = api.with_token(api.tenant(MIKASA).operator_token)
    problem_of(mine.get(f"/v1/operations/{operation}/stream"), 404, "operation-not-found")


def test_a_stream_of_an_operation_ends_with_it(served: Any) -> None:
    api, url, _ = served
    (operation,) = api.tenant(UJI).get("/v1/operations").json()["items"]
    with stream(url, f"/v1/operations/{operation['id']}/stream", api.operator_token) as messages:
        assert next(messages)["data"]["state"] == "running"
        api.see_all()
        told = [message["data"] for message in messages]
    assert told[-1]["state"] == "done"
    assert told[-1] == api.get(f"/v1/operations/{operation['id']}").json()


def test_a_stream_ends_once_its_token_is_revoked(served: Any) -> None:
    api, url, _ = served
    town = api.tenant(MIKASA)
    with stream(url, "/v1/events/stream", town.operator_token) as messages:
        assert next(messages)
        api.request("DELETE", f"/v1/tokens/{token_id_of(town.operator_token)}")
        list(messages)
    assert town.get("/v1/events").status_code == 401


def test_streams_end_when_the_server_stops(served: Any) -> None:
    api, url, stop = served
    with stream(url, "/v1/events/stream", api.operator_token) as messages:
        assert next(messages)
        stop.set()
        list(messages)


def test_streams_are_bounded_for_each_token_and_free_again_once_closed(served: Any) -> None:
    api, url, _ = served
    streams = api.app.state.edge.streams
    streams.most_each = 1
    with stream(url, "/v1/events/stream", api.operator_token) as messages:
        assert next(messages)
        refused = ask(
            "GET",
            url + "/v1/events/stream",
            headers={"Authorization": f"Bearer {api.operator_token}"},
        )
        problem_of(refused, 429, "too-many-streams")
        assert refused.headers["retry-after"]
        with stream(url, "/v1/events/stream", api.tenant(UJI).operator_token) as others:
            assert next(others)
    waiting = threading.Event()
    for _ in range(600):
        if not streams.count:
            break
        waiting.wait(0.1)
    assert streams.count == 0
