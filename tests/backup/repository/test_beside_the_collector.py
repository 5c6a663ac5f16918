"""Writers hold no lock: what the collector condemns or deletes meanwhile is written anew, or the backup
is begun again; a point is never left with a hole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from backup.repository import PointWriter, RecoveryPoint, Vault
from backup.repository.canonical import canonical_json, time_text
from backup.repository.reliance import condemned_prefix
from control_plane.drivers.objects import ObjectFacts, ObjectStore
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from tests.backup.repository.sparse_disks import (
    CHUNK,
    DETAILS,
    TENANT,
    Disk,
    Place,
    assert_reads_as,
    back_up,
    noise,
)

DISK = Disk(600 * CHUNK, {n: noise(n) for n in range(0, 600, 2)})


def condemn(place: Place, packs: list[str]) -> None:
    for key in packs:
        mark = condemned_prefix(str(TENANT)) + key.rpartition("/")[2]
        place.objects.put(mark, canonical_json({"since": time_text(place.objects.now())}))


def collect(place: Place) -> None:
    """Delete what is condemned, as after the grace."""
    for mark in place.bucket.keys(condemned_prefix(str(TENANT))):
        name = mark.rpartition("/")[2]
        place.objects.delete(f"tenants/{TENANT}/packs/{name[:2]}/{name}")
        place.objects.delete(mark)


def begun(vault: Vault, base: RecoveryPoint | None, disk: Disk) -> PointWriter:
    """A writer that was told the first chunk, or all of it without base."""
    writer = vault.begin("web", "residents", base=base)
    taken = writer.disk("root", disk.size, base_disk="root" if base else None, chunk_bytes=CHUNK)
    if base is None:
        taken.put(0, disk.bytes_of(0, disk.count))
    else:
        taken.put(0, disk.bytes_of(0))
    taken.close()
    return writer


def committed(writer: PointWriter) -> RecoveryPoint:
    with writer:
        return writer.commit(consistency="crash", details=DETAILS)


def test_what_was_condemned_before_is_not_relied_on() -> None:
    place = Place()
    place.vault.forget(back_up(place.vault, DISK).id)
    condemn(place, place.keys("packs"))
    point = back_up(place.again(), DISK)
    assert point.stored_bytes > 300 * CHUNK
    collect(place)
    assert_reads_as(place.again().read(point, "root"), DISK)


def test_what_is_gone_although_an_index_names_it_is_not_relied_on() -> None:
    place = Place()
    place.vault.forget(back_up(place.vault, DISK).id)
    condemn(place, place.keys("packs"))
    collect(place)
    point = back_up(place.again(), DISK)
    assert_reads_as(place.again().read(point, "root"), DISK)


def test_what_is_condemned_while_a_writer_relies_on_it_is_written_anew() -> None:
    place = Place()
    place.vault.forget(back_up(place.vault, DISK).id)
    old = place.keys("packs")
    writer = begun(place.again(), None, DISK)
    condemn(place, old)
    point = committed(writer)
    assert point.stored_bytes > 300 * CHUNK
    collect(place)
    assert_reads_as(place.again().read(point, "root"), DISK)


def test_condemned_packs_of_others_cost_a_writer_nothing() -> None:
    place = Place()
    stays = back_up(place.vault, DISK)
    place.vault.forget(back_up(place.vault, Disk(CHUNK, {0: noise(5000)}), name="data").id)
    others = [key for key in place.keys("packs") if bytes.fromhex(key[-64:]) not in stays.packs]
    writer = begun(place.again(), None, DISK)
    condemn(place, others)
    assert committed(writer).stored_bytes == 0


def test_a_writers_own_packs_may_be_condemned_while_it_writes() -> None:
    place = Place()
    vault = place.again()
    writer = begun(vault, None, DISK)
    with writer:
        writer._publish_all()
        own = place.keys("packs")
        assert own
        condemn(place, own)
        point = writer.commit(consistency="crash", details=DETAILS)
    collect(place)
    assert_reads_as(place.again().read(point, "root"), DISK)


def test_a_base_that_is_forgotten_and_condemned_meanwhile_is_written_anew() -> None:
    place = Place()
    base = back_up(place.vault, DISK)
    changed = DISK.with_chunks(0, {0: noise(9000)})
    writer = begun(place.again(), base, changed)
    place.vault.forget(base.id)
    condemn(place, place.keys("packs"))
    point = committed(writer)
    assert point.stored_bytes > 299 * CHUNK
    collect(place)
    assert_reads_as(place.again().read(point, "root"), changed)


def test_a_base_that_is_forgotten_but_not_condemned_yet_costs_nothing() -> None:
    place = Place()
    base = back_up(place.vault, DISK)
    changed = DISK.with_chunks(0, {0: noise(9000)})
    writer = begun(place.again(), base, changed)
    place.vault.forget(base.id)
    point = committed(writer)
    assert point.stored_bytes < 4 * CHUNK + 8192
    assert_reads_as(place.again().read(point, "root"), changed)


def test_a_base_that_is_deleted_while_a_writer_takes_days_fails_the_writer() -> None:
    place = Place()
    base = back_up(place.vault, DISK)
    writer = begun(place.again(), base, DISK.with_chunks(0, {0: noise(9000)}))
    place.vault.forget(base.id)
    condemn(place, place.keys("packs"))
    collect(place)
    place.world.clock.sleep(Seconds(2 * 86400.0))
    with pytest.raises(YuiError) as refused:
        committed(writer)
    assert refused.value.type == "backup-overtaken"
    assert place.again().points() == []


@pytest.mark.parametrize("forgotten", [True, False])
def test_only_a_base_that_still_stands_is_damaged_where_its_tree_is_gone(
    forgotten: bool,
) -> None:
    place = Place()
    base = back_up(place.vault, DISK)
    with place.again().begin("web", "residents", base=base) as writer:
        taken = writer.disk("root", DISK.size, base_disk="root", chunk_bytes=CHUNK)
        if forgotten:
            place.vault.forget(base.id)
        condemn(place, place.keys("packs"))
        collect(place)
        with pytest.raises(YuiError) as refused:
            taken.put(300 * CHUNK, noise(9000))
    assert refused.value.type == ("backup-overtaken" if forgotten else "backup-damaged")


def test_nobody_begins_on_a_base_that_is_forgotten() -> None:
    place = Place()
    base = back_up(place.vault, DISK)
    place.vault.forget(base.id)
    with pytest.raises(YuiError) as refused:
        place.vault.begin("web", "residents", base=base)
    assert refused.value.type == "backup-overtaken"


class Slow:
    """A store whose clock goes on by `hours` while it takes a manifest, so that the last look holds no
    longer."""

    def __init__(self, place: Place, hours: int) -> None:
        self._place = place
        self._hours = hours
        self._real: ObjectStore = place.objects
        self.get, self.stat, self.list = self._real.get, self._real.stat, self._real.list
        self.delete, self.lock, self.now = self._real.delete, self._real.lock, self._real.now
        self.name = self._real.name

    def put(self, key: str, data: bytes, **how: object) -> None:
        self._real.put(key, data, **how)  # type: ignore[arg-type]
        if "/points/" in key:
            self._place.bucket.skew += timedelta(hours=self._hours)


@pytest.mark.parametrize("hours", [3, -3])
def test_a_manifest_that_comes_nobody_knows_how_long_after_the_last_look_is_taken_back(
    hours: int,
) -> None:
    place = Place()
    vault = Vault(Slow(place, hours), place.key, place.vault.keyring, None)
    with pytest.raises(YuiError) as refused:
        back_up(vault, DISK)
    assert refused.value.type == "backup-overtaken"
    assert place.keys("points") == []


def test_what_can_not_be_taken_back_under_its_retention_is_told_as_what_overtook_it() -> None:
    place = Place()
    vault = Vault(Slow(place, 3), place.key, place.vault.keyring, None)
    until = place.objects.now() + timedelta(days=30)
    with vault.begin("web", "residents", locked_until=until) as writer:
        writer.disk("root", CHUNK, chunk_bytes=CHUNK).close()
        with pytest.raises(YuiError) as refused:
            writer.commit(consistency="crash", details=DETAILS)
    assert refused.value.type == "backup-overtaken"


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400)])
def test_a_jump_of_the_stores_clock_loses_nothing(jump: timedelta) -> None:
    place = Place()
    base = back_up(place.vault, DISK)
    place.bucket.skew = jump
    changed = DISK.with_chunks(0, {0: noise(9000)})
    point = committed(begun(place.again(), base, changed))
    assert_reads_as(place.again().read(point, "root"), changed)
    assert {facts.id for facts in place.again().points()} == {base.id, point.id}


def facts_by(place: Place, of: Callable[[str], bool]) -> list[ObjectFacts]:
    return [facts for facts in place.objects.list("tenants/") if of(facts.key)]


def test_all_that_a_point_writes_is_under_its_retention() -> None:
    place = Place()
    until = place.objects.now() + timedelta(days=30)
    with place.vault.begin("web", "residents", locked_until=until) as writer:
        taken = writer.disk("root", CHUNK, chunk_bytes=CHUNK)
        taken.put(0, noise(1))
        taken.close()
        writer.commit(consistency="crash", details=DETAILS)
    written = facts_by(place, lambda key: "/keyring/" not in key)
    assert len(written) == 4
    assert {place.objects.stat(facts.key).locked_until for facts in written} == {until}
