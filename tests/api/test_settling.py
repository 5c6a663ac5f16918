"""Operations are written down as ended by work behind the API, which outlasts a state that is away."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import structlog

from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.http.listening import Listening
from control_plane.http.serve import serve
from control_plane.journal.progress import keep_settled
from control_plane.model.operation import OperationState
from control_plane.model.units import Seconds
from control_plane.model.workload import Seen
from control_plane.store import Store
from tenants.catalogue import Catalogue
from tests.api.conftest import Api
from tests.api.test_serving import free_port
from tests.plain_http import ask


def eventually(condition: Callable[[], bool]) -> None:
    """A bound on waiting, and no measurement."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.02)


def test_a_state_that_is_busy_for_a_while_ends_neither_the_api_nor_what_settles_behind_it(
    api: Api, tmp_path: Path
) -> None:
    api.join()
    api.see_all(Seen.RUNNING)
    copy = tmp_path / "copy.db"
    api.store.close()
    shutil.copy(api.state_file, copy)
    store = Store.open(f"sqlite:///{copy}", patience=Seconds(0.1))
    world, stop = SimulatedWorld(), threading.Event()
    listening = Listening(port=free_port(), plain_http=True)
    somebody = sqlite3.connect(copy, isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")

    def settled() -> bool:
        with store.read() as tx:
            return [o.state for o in tx.operations(limit=9)] == [OperationState.DONE]

    app = create_app(store, world, Options(Catalogue({})))
    work = keep_settled(store, world.clock, Seconds(0.02))
    server = threading.Thread(
        target=serve, args=(app, listening, [work]), kwargs={"stop": stop}, daemon=True
    )
    try:
        with structlog.testing.capture_logs() as said:
            server.start()
            eventually(lambda: any(line["event"] == "not settled" for line in said))
            assert "is busy" in next(line["reason"] for line in said if "reason" in line)
            eventually(lambda: answers(listening))
            assert not settled()
            somebody.execute("ROLLBACK")
            eventually(settled)
        assert answers(listening)
    finally:
        stop.set()
        server.join(60)
        somebody.close()
        store.close()


def answers(listening: Listening) -> bool:
    try:
        return ask("GET", f"{listening.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False
