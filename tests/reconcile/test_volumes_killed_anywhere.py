"""Volumes and snapshots of members, while the control plane is killed before every single thing it does.

One World and one store live on through all of it. Each round asks for the same: volumes are made,
attached, grown, detached, given to another server, a snapshot is taken, restored and removed, all is deleted.
In each round the control plane dies before another change: a call that can have an effect out there, or
a commit that wrote something; another one goes on from what it left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from control_plane.drivers.simulated import Vantage
from control_plane.drivers.simulated.clock import ControlPlaneKilled
from control_plane.model.ids import ServerId
from control_plane.model.pool import Zone
from control_plane.model.units import Seconds
from control_plane.model.workload import Power
from control_plane.reconcile import Controller, Timings
from control_plane.store import Store
from tests.reconcile.small_pool import SmallPool
from tests.scenarios.disks import Owner
from tests.scenarios.setting import ServerSetting, SystemSetting

DB, APP = ServerId("records-db"), ServerId("records-app")
READING = {"list_servers", "facts", "console", "listen", "notify"}
EVERY = 7
"""Every so many changes it dies before one: calls and commits come in turn, so that both are met."""


class Mortal:
    """A control plane that dies before its `at`th change of a round, and is followed by another one."""

    def __init__(self, pool: SmallPool) -> None:
        self.pool = pool
        self.owner = Owner(pool.store, pool.world.clock.now)
        self.at: int | None = None
        self.changes = 0
        self.lives = 0
        self._written = 0
        self._acts = False
        self._begin()

    def _begin(self) -> None:
        self.lives += 1
        self.vantage: Vantage = self.pool.world.seen_by_another_process()
        self.vantage.gate.before_call = lambda call: call in READING or self._change()
        timings = Timings(lease_ttl=Seconds(3))
        self.controller = Controller(self.pool.store, self.vantage, f"life-{self.lives}", timings)

    def _change(self) -> None:
        if not self._acts:
            return
        if self.changes == self.at:
            self.at = None
            self.vantage.gate.kill()
            raise ControlPlaneKilled
        self.changes += 1

    @contextmanager
    def watched_commits(self) -> Iterator[None]:
        def before_commit(connection) -> None:
            written = connection.connection.dbapi_connection.total_changes
            if written != self._written:
                self._written = written
                self._change()

        event.listen(Engine, "commit", before_commit)
        try:
            yield
        finally:
            event.remove(Engine, "commit", before_commit)

    def until(self, done: Callable[[], bool]) -> None:
        late = self.pool.world.clock.monotonic() + 600
        while not done():
            assert self.pool.world.clock.monotonic() < late, self.owner.shown()
            self._acts = True
            try:
                self.controller.tick()
            except ControlPlaneKilled:
                self._begin()
            finally:
                self._acts = False
            self.pool.world.clock.sleep(Seconds(1))

    def power(self, server: ServerId, power: Power) -> None:
        with self.pool.store.write() as tx:
            tx.save_server(replace(tx.server(server), power=power))


def a_round(plane: Mortal) -> None:
    owner, world = plane.owner, plane.pool.world

    def writers(volume: str) -> set[ServerId]:
        return {s for s, _ in world.around.monitor.volume_writers(owner.volume(volume).id)}

    owner.make("data", DB)
    owner.make("logs", DB)
    plane.until(lambda: owner.status("data") == owner.status("logs") == "in-use")
    assert writers("data") == writers("logs") == {DB}
    data = world.data_volume(owner.volume("data").id)
    assert data is not None
    data.notes.append("before")
    owner.grow("data", 6)
    plane.until(lambda: owner.status("data") == "in-use")
    assert data.size == 6
    owner.take(DB, "snap")
    plane.until(lambda: owner.snapshot("snap").taken_at is not None)
    data.notes.append("after")
    owner.grow("data", 8)
    plane.until(lambda: owner.status("data") == "in-use")
    assert data.size == 8
    owner.detach("logs")
    assert owner.tries(lambda: owner.attach("logs", APP)) == "volume-in-use"
    plane.until(lambda: owner.status("logs") == "available")
    assert writers("logs") == set()
    owner.grow("logs", 7)
    owner.attach("logs", APP)
    plane.until(lambda: owner.status("logs") == "in-use")
    assert writers("logs") == {APP}
    logs = world.data_volume(owner.volume("logs").id)
    assert logs is not None
    assert logs.size == 7
    plane.power(DB, Power.STOPPED)
    plane.until(lambda: not world.hosts_running(DB))
    plane.until(lambda: owner.tries(lambda: owner.restore("snap")) == "done")
    plane.power(DB, Power.RUNNING)
    plane.until(lambda: world.answering(DB) and owner.status("data") == "in-use")
    restored = world.data_volume(owner.volume("data").id)
    assert restored is not None
    assert (restored.notes, restored.size) == (["before"], 8)
    owner.detach("logs")
    owner.detach("data")
    plane.until(lambda: owner.status("logs") == owner.status("data") == "available")
    owner.delete("logs")
    owner.delete("data")
    owner.drop("snap")
    plane.until(lambda: owner.shown() == [])
    for pool in world.around.pools.values():
        assert (pool.data, pool.snapshots) == ({}, {})


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[SmallPool]:
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    pool = SmallPool(store, 2)
    pool.until(pool.all_up)
    pool.admit(
        SystemSetting(
            "records",
            1,
            Zone.LGWAN,
            (ServerSetting(DB, "db", "small"), ServerSetting(APP, "app", "small")),
        )
    )
    pool.until(lambda: all(pool.world.answering(server) for server in (DB, APP)))
    pool.controller._leadership.give_up()
    yield pool
    store.close()


@pytest.mark.long
def test_whenever_it_dies_disks_have_one_writer_and_come_to_what_was_asked_for(
    pool: SmallPool,
) -> None:
    plane = Mortal(pool)
    with plane.watched_commits():
        a_round(plane)
        in_all = plane.changes
        assert in_all > 20
        for at in range(0, in_all, EVERY):
            plane.at, plane.changes = at, 0
            a_round(plane)
        # The first round also won the lease, so that others may end before the last change of it.
        assert plane.lives >= in_all // EVERY
    assert pool.world.violations == []
    assert pool.world.double_started == 0
    with pool.store.read() as tx:
        assert tx.volumes() == ()
