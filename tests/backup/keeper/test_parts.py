"""What the keeper is made of, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from backup.keeper.copying import copy_disk
from backup.keeper.load import Load
from backup.keeper.outages import Outages
from backup.keeper.pace import Pace
from backup.keeper.sources import Readable
from backup.keeper.timings import Timings
from backup.keeper.trouble import setback_of
from control_plane.drivers.backup_source import Extent
from control_plane.drivers.extents import aligned, pieces
from control_plane.drivers.objects import NoSuchObject, StoreRefused
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.full_read import WhyFull
from control_plane.model.units import Seconds

BLOCK = 512


class Disk:
    """One in memory, of which `changed` blocks are told, or all."""

    name = "root"
    why: WhyFull | None = None

    def __init__(self, data: bytes, changed: frozenset[int] | None) -> None:
        self.data = data
        self.size = len(data)
        self.changed = changed
        self.changed_only = changed is not None

    def extents(self, align: int = 1) -> Iterator[Extent]:
        return aligned(self._extents(), align, self.size)

    def _extents(self) -> Iterator[Extent]:
        for offset in range(0, self.size, BLOCK):
            block = self.data[offset : offset + BLOCK]
            if self.changed is None or offset // BLOCK in self.changed:
                yield Extent(offset, len(block), any(block))

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def stream(self, extents: Iterable[Extent]) -> Iterator[tuple[int, bytes]]:
        # Asked for well ahead, as real ones are.
        asked = list(pieces(extents))
        for offset, length in asked:
            yield offset, self.read(offset, length)


class Target:
    """Keeps what it is told, and that it is told in order and in whole chunks."""

    def __init__(self, before: bytes, size: int, chunk_bytes: int) -> None:
        self.chunk_bytes = chunk_bytes
        self.data = bytearray(before[:size].ljust(size, b"\0"))
        self.told = 0

    def put(self, offset: int, data: bytes) -> None:
        assert offset >= self.told
        assert offset % self.chunk_bytes == 0
        assert len(data) % self.chunk_bytes == 0 or offset + len(data) == len(self.data)
        self.data[offset : offset + len(data)] = data
        self.told = offset + len(data)

    def zeros(self, offset: int, length: int) -> None:
        self.put(offset, bytes(length))


@given(
    blocks=st.lists(st.sampled_from([b"\0", b"a", b"b"]), max_size=40),
    rest=st.integers(0, BLOCK - 1),
    changes=st.frozensets(st.integers(0, 40), max_size=8),
    chunk=st.sampled_from([BLOCK, 4 * BLOCK, 16 * BLOCK]),
    full=st.booleans(),
)
def test_a_copy_is_the_disk_whether_all_of_it_is_told_or_what_changed(
    blocks: list[bytes], rest: int, changes: frozenset[int], chunk: int, full: bool
) -> None:
    now = b"".join(each * BLOCK for each in blocks) + b"c" * rest
    before = bytearray(now)
    for number in changes:
        if number * BLOCK < len(now):
            before[number * BLOCK] ^= 0xFF
    target = Target(b"" if full else bytes(before), len(now), chunk)
    behind: list[int] = []
    copy_disk(Disk(now, None if full else changes), target, behind.append)
    assert bytes(target.data) == now
    assert behind == sorted(behind)
    assert behind[-1] == len(now)


def test_a_copy_keeps_to_its_pace() -> None:
    clock = SimulatedWorld().clock
    sent = 0
    looks: list[float] = []
    pace = Pace(clock, 8, lambda: sent)
    for _ in range(10):
        sent += 1_000_000
        pace.keep(lambda: looks.append(clock.monotonic()))
    # Eight megabits are a megabyte a second.
    assert clock.monotonic() == 10.0
    # Whoever is no longer wanted hears of it at least every second.
    assert len(looks) >= 10
    Pace(clock, None, lambda: 10**12).keep(lambda: None)
    assert clock.monotonic() == 10.0


def test_only_so_many_runs_are_under_way() -> None:
    load = Load(Timings(runs_at_once=2))
    nobody = Readable(())
    load.add(nobody)
    assert load.fits(nobody)
    load.add(nobody)
    assert not load.fits(nobody)


def test_what_failed_is_left_alone_longer_each_time_and_never_for_good() -> None:
    timings = Timings()
    pauses = [timings.pause_after(times) for times in range(1, 40)]
    assert pauses == sorted(pauses)
    assert pauses[0] == timings.retry_first
    assert pauses[-1] == timings.retry_most
    assert timings.pause_after(10_000) == Seconds(timings.retry_most)


def test_one_run_at_a_time_finds_out_whether_a_repository_answers_again() -> None:
    timings = Timings()
    outages = Outages(timings)
    here, there = RepositoryId("here"), RepositoryId("there")
    now = Seconds(0)
    assert outages.failed(here, now)
    # Those that were under way beside it say nothing new.
    assert not outages.failed(here, now)
    assert not outages.may_try(here, now)
    assert outages.may_try(there, now)
    now = timings.retry_first
    assert outages.may_try(here, now)
    outages.trying(here, now)
    assert not outages.may_try(here, now)
    assert outages.answered(here)
    assert outages.may_try(here, now)
    assert not outages.answered(here)


def test_what_a_store_refuses_or_lacks_is_told_as_neither_credentials_nor_silence() -> None:
    for error in (
        StoreRefused("osaka did not lock k: 400 InvalidArgument."),
        NoSuchObject("There is no k in osaka."),
    ):
        why = setback_of(error).full
        assert why.en == str(error)
        assert str(error) in why.ja
        assert "認証情報" not in why.ja
        assert "応答しません" not in why.ja
