"""Whatever happens to a repository, and whenever: no completed recovery point ever loses a chunk, each
restores byte for byte, and what nothing needs goes in the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backup.repository import PointWriter, RecoveryPoint, Repository, RepositoryKey, Vault
from backup.repository.collector import Collected, Collector, CollectorTimes
from backup.repository.heal import HealOutcome, heal, heal_index
from backup.repository.scrub import scrub
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectStore,
    ObjectStoreError,
    StoreUnavailable,
)
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from tests.backup.repository.copying import replicate_tenant
from tests.backup.repository.dying import Died, DyingStore
from tests.thoroughness import examples

HERE = "s3://kyoto/backups?endpoint=https://kyoto.example&region=kyoto&credentials=env:K"
THERE = "s3://osaka/backups?endpoint=https://osaka.example&region=osaka&credentials=env:O"
TENANTS = ("434311", "261009")
SERVERS = ("web", "db")
CHUNK = 4096
CHUNKS = 300
"""More than one leaf, so that trees have branches to share and to lose."""
LETTERS = b"\0\1\2\3"
"""Few, so that points share what is soon garbage."""
TIMES = CollectorTimes(grace=timedelta(hours=24), young=timedelta(hours=6))

Content = dict[int, int]
"""Which letter fills which chunk; the rest is zeros."""

contents = st.dictionaries(
    st.sampled_from([0, 1, 100, 255, 256, CHUNKS - 1]),
    st.sampled_from(LETTERS),
    max_size=4,
)
tenants = st.sampled_from([TENANTS[0], *TENANTS])
whichever = st.integers(0, 99)
"""Of what there is by then: names in a repository are random, and what is drawn must not depend on them."""
several = st.sampled_from([0, ~0]) | st.integers(0, 255)
"""One bit for each of them, the oldest first."""
moments = st.tuples(st.integers(1, 9), st.booleans())
"""At which change a process dies, and whether the change still happens."""


def bytes_of(content: Content) -> bytes:
    disk = bytearray(CHUNK * CHUNKS)
    for number, letter in content.items():
        disk[number * CHUNK : (number + 1) * CHUNK] = bytes([letter]) * CHUNK
    return bytes(disk)


def expect_overtaken(error: YuiError) -> None:
    """The one reason for which a writer may give up while nothing fails."""
    if error.type != "backup-overtaken":
        raise error


@dataclass
class Writing:
    """A backup that has begun. `told` is what the disk holds at its time."""

    tenant: str
    server: str
    store: DyingStore
    writer: PointWriter
    base: RecoveryPoint | None
    told: Content
    before: Content
    read: bool = False


@dataclass
class Place:
    """A repository and what is known to be in it: each completed point's id and disk."""

    objects: ObjectStore
    key: RepositoryKey
    complete: dict[tuple[str, str], Content] = field(default_factory=dict)

    def vault(self, tenant: str, objects: ObjectStore | None = None) -> Vault:
        repository = Repository.open(objects or self.objects, self.key)
        return repository.vault(MunicipalityCode(tenant))

    def of(self, tenant: str) -> list[str]:
        """The oldest first."""
        return [point for owner, point in self.complete if owner == tenant]


class Survival(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = SimulatedWorld()
        self.here = self._place(HERE)
        self.there = self._place(THERE)
        self.disks: dict[tuple[str, str], Content] = {}
        self.writing: list[Writing] = []
        self.maybe: dict[tuple[str, str], Content] = {}
        """Points whose writer does not know whether they were completed."""

    def _place(self, place: str) -> Place:
        objects = self.world.objects(place)
        key = RepositoryKey.generate()
        Repository.create(objects, key)
        return Place(objects, key)

    # Backups

    @initialize()
    def keys(self) -> None:
        for tenant in TENANTS:
            repository = Repository.open(self.here.objects, self.here.key)
            keyring = repository.vault(MunicipalityCode(tenant), create=True).keyring
            Repository.open(self.there.objects, self.there.key).receive_keyring(keyring)

    @precondition(lambda self: len(self.writing) < 3)
    @rule(tenant=tenants, server=st.sampled_from(SERVERS), written=contents, based=st.booleans())
    def backup_begins(self, tenant: str, server: str, written: Content, based: bool) -> None:
        self.disks[tenant, server] = {**self.disks.get((tenant, server), {}), **written}
        store = DyingStore(self.here.objects)
        vault = self.here.vault(tenant, store)
        base = None
        if based:
            mine = {facts.id: facts for facts in vault.points(server)}
            complete = [id for id in self.here.of(tenant) if id in mine]
            base = vault.point(mine[complete[-1]]) if complete else None
        content = dict(self.disks[tenant, server])
        before = self.here.complete[tenant, base.id] if base else {}
        writer = vault.begin(server, "records", base=base)
        self.writing.append(Writing(tenant, server, store, writer, base, content, before))

    def _write(self, writing: Writing) -> None:
        self._read_the_disk(writing)
        writing.writer.commit(consistency="crash", details={"server": writing.server})

    @staticmethod
    def _read_the_disk(writing: Writing) -> None:
        if writing.read:
            return
        writing.read = True
        disk = writing.writer.disk(
            "root",
            CHUNK * CHUNKS,
            base_disk="root" if writing.base else None,
            chunk_bytes=None if writing.base else CHUNK,
        )
        for number in sorted(writing.told.keys() | writing.before.keys()):
            letter = writing.told.get(number, 0)
            if letter != writing.before.get(number, 0):
                disk.put(number * CHUNK, bytes([letter]) * CHUNK)
        disk.close()

    @precondition(lambda self: self.writing)
    @rule(which=whichever)
    def backup_goes_on(self, which: int) -> None:
        writing = self.writing[which % len(self.writing)]
        try:
            self._read_the_disk(writing)
        except YuiError as error:
            expect_overtaken(error)
            self.writing.remove(writing)
            writing.writer.abandon()

    @precondition(lambda self: self.writing)
    @rule(which=whichever)
    def backup_ends(self, which: int) -> None:
        writing = self.writing[which % len(self.writing)]
        self.writing.remove(writing)
        try:
            self._write(writing)
        except YuiError as error:
            expect_overtaken(error)
            return
        finally:
            writing.writer.abandon()
        self.here.complete[writing.tenant, writing.writer.id] = writing.told

    @precondition(lambda self: self.writing)
    @rule(which=whichever, moment=moments)
    def backup_is_killed(self, which: int, moment: tuple[int, bool]) -> None:
        writing = self.writing[which % len(self.writing)]
        self.writing.remove(writing)
        writing.store.fatal, writing.store.before = moment
        known = (writing.tenant, writing.writer.id)
        try:
            self._write(writing)
            self.here.complete[known] = writing.told
        except YuiError as error:
            expect_overtaken(error)
        except Died:
            self.maybe[known] = writing.told
        finally:
            writing.writer.abandon()
        self._learn()

    @precondition(lambda self: self.writing)
    @rule(
        which=whichever,
        times=st.integers(1, 3),
        call=st.sampled_from(["put", "get", "list", None]),
        lost_answer=st.booleans(),
    )
    def backup_meets_a_store_that_fails(
        self, which: int, times: int, call: str | None, lost_answer: bool
    ) -> None:
        writing = self.writing[which % len(self.writing)]
        self.writing.remove(writing)
        bucket = self.world.bucket(HERE)
        if lost_answer:
            bucket.lose_answers(call=call, times=times)
        else:
            bucket.fail(call=call, times=times)
        known = (writing.tenant, writing.writer.id)
        try:
            self._write(writing)
            self.here.complete[known] = writing.told
        except YuiError as error:
            expect_overtaken(error)
        except ObjectStoreError:
            self.maybe[known] = writing.told
        finally:
            writing.writer.abandon()
        for _ in range(times):
            with contextlib.suppress(StoreUnavailable):
                self._touch(call)
        self._learn()

    def _touch(self, call: str | None) -> None:
        """Use up what was arranged and did not happen."""
        if call == "put":
            self.here.objects.put("touched", b"")
        elif call == "list":
            list(self.here.objects.list("touched"))
        else:
            self.here.objects.get("repository.json")

    @precondition(lambda self: self.writing)
    @rule(expired=several, which=whichever, at=st.integers(1, 3), hours=st.sampled_from([0, 25]))
    def backup_with_a_collector_in_its_midst(
        self, expired: int, which: int, at: int, hours: int
    ) -> None:
        """Collectors run right before one of the writer's puts, such as that of its manifest."""
        writing = self.writing[which % len(self.writing)]
        forgotten = self._some_expired(expired, writing.tenant)
        self.writing.remove(writing)
        left = at

        def interrupt(key: str) -> None:
            nonlocal left
            left -= 1
            if left == 0 or (left > 0 and "/points/" in key):
                left = 0
                for each in (forgotten, []):
                    self.world.clock.sleep(Seconds(hours * 3600.0))
                    self._collect(self.here, writing.tenant, each)

        writing.store.interrupt = interrupt
        try:
            self._write(writing)
        except YuiError as error:
            expect_overtaken(error)
            return
        finally:
            writing.writer.abandon()
        self.here.complete[writing.tenant, writing.writer.id] = writing.told

    def _learn(self) -> None:
        """What a dead writer may have completed is completed where its manifest is there."""
        for (tenant, point), content in self.maybe.items():
            if any(facts.id == point for facts in self.here.vault(tenant).points()):
                self.here.complete[tenant, point] = content
        self.maybe.clear()

    # Collecting

    def _some_expired(self, bits: int, tenant: str, place: Place | None = None) -> list[str]:
        points = (place or self.here).of(tenant)
        return [point for at, point in enumerate(points) if bits >> at & 1]

    def _collect(
        self,
        place: Place,
        tenant: str,
        expired: list[str],
        objects: ObjectStore | None = None,
        still_mine: Callable[[], bool] = lambda: True,
    ) -> Collected:
        # Forgotten from the first moment on: whether a dying collector got so far is not known.
        kept = {point: place.complete.pop((tenant, point)) for point in expired}
        vault = place.vault(tenant, objects)
        try:
            told = Collector(vault.objects, vault.index, still_mine=still_mine, times=TIMES).run(
                expired
            )
        except (Died, ObjectStoreError):
            there = {facts.id for facts in place.vault(tenant).points()}
            place.complete |= {
                (tenant, point): content for point, content in kept.items() if point in there
            }
            raise
        if told.stopped:
            there = {facts.id for facts in place.vault(tenant).points()}
            place.complete |= {
                (tenant, point): content for point, content in kept.items() if point in there
            }
        assert told.lacking == ()
        return told

    @rule(expired=several, tenant=tenants, hours=st.sampled_from([0, 7, 25]))
    def collector_runs(self, expired: int, tenant: str, hours: int) -> None:
        self.world.clock.sleep(Seconds(hours * 3600.0))
        note(str(self._collect(self.here, tenant, self._some_expired(expired, tenant))))

    @rule(expired=several, tenant=tenants, moment=moments)
    def collector_dies(self, expired: int, tenant: str, moment: tuple[int, bool]) -> None:
        store = DyingStore(self.here.objects, *moment)
        with contextlib.suppress(Died):
            self._collect(self.here, tenant, self._some_expired(expired, tenant), store)

    @rule(expired=several, tenant=tenants, steps=st.integers(0, 20))
    def collector_loses_its_lease(self, expired: int, tenant: str, steps: int) -> None:
        left = iter(range(steps))
        mine = lambda: next(left, None) is not None  # noqa: E731
        self._collect(self.here, tenant, self._some_expired(expired, tenant), still_mine=mine)

    # Copies

    @rule(tenant=tenants, moment=st.none() | moments)
    def copy_goes_to_the_other_region(self, tenant: str, moment: tuple[int, bool] | None) -> None:
        store = DyingStore(self.there.objects, *(moment or ()))
        with contextlib.suppress(Died):
            replicate_tenant(
                self.here.vault(tenant), Repository.open(store, self.there.key), tenant
            )
        for facts in self.there.vault(tenant).points():
            if (tenant, facts.id) in self.here.complete:
                content = self.here.complete[tenant, facts.id]
                self.there.complete.setdefault((tenant, facts.id), content)

    @rule(expired=several, tenant=tenants)
    def collector_runs_there(self, expired: int, tenant: str) -> None:
        self._collect(self.there, tenant, self._some_expired(expired, tenant, self.there))

    def _is_there(self, key: str) -> bool:
        with contextlib.suppress(NoSuchObject):
            return bool(self.there.objects.stat(key))
        return False

    @rule(which=whichever, tenant=tenants, at=st.integers(-200, 200))
    def an_object_rots_and_is_healed(self, which: int, tenant: str, at: int) -> None:
        objects = self.here.objects.list(f"tenants/{tenant}/")
        both = [
            facts.key
            for facts in sorted(objects, key=lambda facts: (facts.modified, facts.size))
            if "/index/" in facts.key
            or ("/keyring/" not in facts.key and self._is_there(facts.key))
        ]
        if not both:
            return
        key = both[which % len(both)]
        self.world.bucket(HERE).flip(key, at % self.here.objects.stat(key).size)
        found = scrub(self.here.objects, tenant, budget=1 << 40).findings
        assert [each.object for each in found] == [key]
        if "/index/" in key:
            assert heal_index(self.here.vault(tenant), key).outcome == HealOutcome.REMADE
        else:
            healed = heal(self.here.objects, key, [self.there.objects])
            assert healed.outcome == HealOutcome.HEALED

    @rule(tenant=tenants)
    def keys_are_rotated(self, tenant: str) -> None:
        self.here.vault(tenant).rotate()

    # Time

    @rule(hours=st.sampled_from([1, 7, 25]))
    def time_passes(self, hours: int) -> None:
        self.world.clock.sleep(Seconds(hours * 3600.0))

    @rule(days=st.integers(-400, 400))
    def our_clock_jumps(self, days: int) -> None:
        self.world.jump_wall_clock(Seconds(days * 86400.0))

    # What must be

    @invariant()
    def every_completed_point_restores(self) -> None:
        for place in (self.here, self.there):
            for tenant in TENANTS:
                points = place.of(tenant)
                if not points:
                    continue
                with place.vault(tenant) as vault:
                    for point in points:
                        disk = vault.read(vault.point(point), "root")
                        restored = bytearray(disk.size)
                        for offset, data in disk.stream():
                            restored[offset : offset + len(data)] = data
                        assert restored == bytes_of(place.complete[tenant, point])

    def teardown(self) -> None:
        for writing in self.writing:
            writing.writer.abandon()
        for place in (self.here, self.there):
            for tenant in TENANTS:
                expired = place.of(tenant)
                for _ in range(4):
                    self.world.clock.sleep(Seconds(25 * 3600.0))
                    self._collect(place, tenant, expired)
                    expired = []
        for place in (self.here, self.there):
            for facts in place.objects.list("tenants/"):
                assert "/keyring/" in facts.key, facts.key
            assert list(place.objects.list("condemned/")) == []


@pytest.mark.long
def test_no_referenced_chunk_is_ever_missing_and_nothing_else_stays() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Survival,
        settings=settings(
            max_examples=examples(15),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
