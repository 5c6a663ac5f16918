"""Object stores in memory pass what the real ones pass, and break as they do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectStore,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from control_plane.drivers.simulated import Bucket, ControlPlaneKilled, SimulatedWorld
from control_plane.model.units import Seconds
from tests.backup.objects.contract import AN_HOUR, ObjectStoreContract, RetentionContract

PLACE = "s3://backups/kyoto?endpoint=https://s3.kyoto.example&region=kyoto&credentials=env:KYOTO"


@dataclass
class Simulated:
    world: SimulatedWorld = field(default_factory=SimulatedWorld)
    keeps_versions: bool = False
    shortest_retention: Seconds = Seconds(2.0)

    @property
    def objects(self) -> ObjectStore:
        return self.world.objects(PLACE)

    @property
    def bucket(self) -> Bucket:
        return self.world.bucket(PLACE)

    def another(self) -> ObjectStore:
        return self.world.seen_by_another_process().objects(PLACE)

    def wait(self, seconds: Seconds) -> None:
        self.world.clock.sleep(seconds)


@pytest.fixture
def place() -> Simulated:
    return Simulated()


class TestSimulated(ObjectStoreContract, RetentionContract):
    pass


def test_places_know_nothing_of_each_other(place: Simulated) -> None:
    place.objects.put("k", b"here")
    with pytest.raises(NoSuchObject):
        place.world.objects("file:///elsewhere").get("k")


def test_its_name_holds_nothing_of_where_its_credentials_are(place: Simulated) -> None:
    assert place.objects.name == "s3://backups/kyoto"


def test_a_failing_store_fails_as_often_as_arranged_and_without_effect(place: Simulated) -> None:
    place.bucket.fail(call="put", times=2)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            place.objects.put("k", b"")
    with pytest.raises(NoSuchObject):
        place.objects.get("k")
    place.objects.put("k", b"")


def test_a_lost_answer_leaves_what_was_done(place: Simulated) -> None:
    place.bucket.lose_answers(call="put")
    with pytest.raises(StoreUnavailable):
        place.objects.put("k", b"there", only_new=True)
    assert place.objects.get("k") == b"there"


def test_a_full_store_keeps_what_it_has_and_takes_no_more(place: Simulated) -> None:
    place.objects.put("k", b"1234")
    place.bucket.fill(room=2)
    place.objects.put("l", b"12")
    with pytest.raises(StoreFull):
        place.objects.put("m", b"1")
    place.objects.put("k", b"12")
    assert place.bucket.used == 4
    place.bucket.empty()
    place.objects.put("m", b"1")


def test_revoked_credentials_and_a_cut_link_end_every_call(place: Simulated) -> None:
    store = place.objects
    store.put("k", b"1")
    place.bucket.revoke()
    with pytest.raises(StoreRefused):
        store.get("k")
    place.bucket.grant()
    place.bucket.cut_link()
    with pytest.raises(StoreUnavailable):
        store.now()
    place.bucket.restore_link()
    assert store.get("k") == b"1"
    place.world.gate.uplink = False
    with pytest.raises(StoreUnavailable):
        store.get("k")
    assert place.another().get("k") == b"1"


def test_another_may_put_first(place: Simulated) -> None:
    place.bucket.let_another_put_first("k", b"theirs")
    with pytest.raises(ObjectExists):
        place.objects.put("k", b"ours", only_new=True)
    assert place.objects.get("k") == b"theirs"


def test_bytes_rot_whatever_the_retention_says(place: Simulated) -> None:
    for key in ("a", "b", "c"):
        place.objects.put(key, b"1234", locked_until=place.objects.now() + AN_HOUR)
    place.bucket.flip("a", -1)
    place.bucket.truncate("b", 3)
    place.bucket.lose("c")
    assert place.objects.get("a") == b"123\xcb"
    assert place.objects.get("b") == b"123"
    assert [o.key for o in place.objects.list("")] == ["a", "b"]


def test_a_slow_store_takes_virtual_time_and_no_jump_of_wall_time_moves_its_clock(
    place: Simulated,
) -> None:
    before = place.objects.now()
    place.world.jump_wall_clock(Seconds(86_400.0))
    assert place.objects.now() == before
    place.bucket.slow_down(Seconds(30.0))
    place.objects.put("k", b"")
    assert place.objects.now() == before + timedelta(seconds=60)


def test_a_process_that_is_killed_at_a_put_has_put_nothing(place: Simulated) -> None:
    def kill(call: str) -> None:
        if call == "objects.put":
            place.world.gate.kill()

    place.world.gate.before_call = kill
    with pytest.raises(ControlPlaneKilled):
        place.objects.put("k", b"")
    assert place.bucket.keys() == []
