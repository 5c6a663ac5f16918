"""A state that an earlier Yui wrote is brought up to date, and nothing in it is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.ids import RegionId
from control_plane.model.operation import Event, Severity
from control_plane.reconcile import Controller
from control_plane.store import Store
from tests.store import samples

TENANT = "INSERT INTO tenants VALUES ('262013', '福知山市', 'フクチヤマシ', '京都府', 77000)"
REGION = "INSERT INTO regions VALUES ('kyoto', '京都', '[\"京都府\"]', 'spread', '[\"host\"]')"
EVENT = (
    "INSERT INTO events (kind, subject, at, severity, en, ja)"
    " VALUES ('host.up', 'host:kyoto-1', '2026-04-01 12:00:00', 'info', 'Up.', '復旧。')"
)


def _of(tenant: str) -> str:
    return EVENT.replace("(kind,", "(tenant, kind,").replace(
        "('host.up'", f"('{tenant}', 'host.up'"
    )


NETWORK = (
    "INSERT INTO networks (id, tenant, region_id, zone, name, segment, offices, generation)"
    " VALUES (:zone, '262013', 'kyoto', :zone, :name, :segment, '[]', 1)"
)
ENTRY = (
    "INSERT INTO audit_entries (at, principal, role, action, subject, outcome)"
    " VALUES ('2026-04-01 12:00:00', 'sato', 'operator', 'pool.apply', 'pool', 'done')"
)


@contextmanager
def written_by(revision: str, url: str) -> Iterator[Connection]:
    """A database as the Yui of that revision made it."""
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", "control_plane.store:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection
    engine.dispose()


def test_a_state_of_the_first_yui_keeps_everything(new_url: Callable[[], str]) -> None:
    url = new_url()
    with written_by("0001", url) as old:
        for row in (TENANT, REGION, EVENT, EVENT, ENTRY, *map(_of, ("262013", "262021", "262013"))):
            old.execute(text(row))
    store = Store.open(url)
    with store.read() as tx:
        assert tx.tenants() == (samples.tenant(),)
        assert tx.region(RegionId("kyoto")).name == "京都"
        assert [event.sequence for event in tx.events(after=0, limit=10)] == [1, 2, 3, 4, 5]
        assert [event.sequence for event in tx.events(0, 10, tenant="262013")] == [1, 2]
        assert [entry.action for entry in tx.audit(after=0, limit=10)] == ["pool.apply"]
    with store.write() as tx:
        samples.describe(tx)
        tx.add_system(samples.system())
        tx.add_server(samples.server(1))
    store.close()


def test_an_upgrade_tells_people_what_is_new_and_no_history(new_url: Callable[[], str]) -> None:
    url = new_url()
    with written_by("0001", url) as old:
        old.execute(text(EVENT))
    store = Store.open(url)
    with store.read() as tx:
        assert tx.announced() == {"log": 1}
    world = SimulatedWorld()
    leader = Controller(store, world, "a")
    leader.tick()
    with store.write() as tx:
        tx.add_event(Event("host.up", "host:x", samples.NOON, Severity.INFO, "Up.", "復旧。"))
    leader.tick()
    store.close()
    assert [event.kind for event in world.told] == ["host.up"]


def test_networks_that_nobody_named_are_called_as_their_zones_from_then_on(
    new_url: Callable[[], str],
) -> None:
    url = new_url()
    names = {"mynumber": "住民", "lgwan": "kyoto-lgwan", "internet": "lgwan"}
    with written_by("0015", url) as old:
        for row in (TENANT, REGION):
            old.execute(text(row))
        for segment, (zone, name) in enumerate(names.items(), 10_000):
            row = {"segment": segment, "zone": zone, "name": name}
            old.execute(text("INSERT INTO segments VALUES (:segment)"), row)
            old.execute(text(NETWORK), row)
    store = Store.open(url)
    with store.read() as tx:
        called = {network.zone.value: network.name for network in tx.networks()}
    store.close()
    assert called == {"mynumber": "住民", "lgwan": "lgwan", "internet": "internet"}


def test_sessions_that_were_begun_before_go_on_as_they_were(new_url: Callable[[], str]) -> None:
    url = new_url()
    with written_by("0036", url) as old:
        old.execute(
            text(
                "INSERT INTO sessions (id, hash, whose, of_user, begun_at, expires_at)"
                " VALUES ('abc', 'ff', 'tok-1', :no, '2026-04-01 12:00:00', '2026-04-01 13:00:00')"
            ),
            {"no": False},
        )
    store = Store.open(url)
    with store.write() as tx:
        kept = tx.session("abc")
        assert kept is not None
        assert kept.scoped
        assert kept.methods == ("token",)
        unscoped = replace(kept, id="def", scoped=False, methods=("password", "token"))
        tx.add_session(unscoped)
        assert tx.session("def") == unscoped
    store.close()
