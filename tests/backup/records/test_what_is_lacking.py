"""What is still to be copied is told from records: exactly where they tell it, and else the most it can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from backup.records.lacking import lacking
from control_plane.model.backup.forecast import Lacking
from control_plane.model.backup.ids import BackupRunId, RecoveryPointId, RepositoryId
from control_plane.model.backup.points import (
    Abandoned,
    Complete,
    Copying,
    CopyStanding,
    DiskFacts,
    Expired,
    Held,
    PointCopy,
    PointStanding,
    RecoveryPointRecord,
    ServerPoint,
)
from control_plane.model.ids import RegionId, ServerId, SystemId
from control_plane.model.tenant import MunicipalityCode

FAR = RepositoryId("far")
GB = 10**9
FIRST = datetime(2026, 4, 1, tzinfo=UTC)


def point(
    day: int,
    stored: int,
    there: CopyStanding | None = None,
    standing: PointStanding | None = None,
) -> RecoveryPointRecord:
    """Of a disk of 500 GB."""
    taken = FIRST + timedelta(days=day)
    disk = DiskFacts("root", 500 * GB, 0, 0, "full")
    return RecoveryPointRecord(
        RecoveryPointId(f"rp-{day:03}"),
        MunicipalityCode("012220"),
        SystemId("records"),
        "住民記録",
        RegionId("kyoto"),
        BackupRunId("br-0"),
        taken,
        standing or Complete(taken),
        (ServerPoint(ServerId("db"), "db", "x", "quiesced", (disk,)),),
        () if there is None else (PointCopy(FAR, there),),
        stored_bytes=stored * GB,
    )


HELD = Held(FIRST, 1)
GONE = Expired(FIRST)


def test_nothing_was_copied_yet_and_all_points_are_wanted() -> None:
    ever = [point(0, 200), point(1, 3), point(2, 4)]
    assert lacking(ever, ever, FAR) == Lacking(207 * GB)


def test_a_copy_that_has_begun_counts_as_far_as_it_came() -> None:
    begun = [point(0, 200, Copying(FIRST, 5 * GB, 200 * GB))]
    assert lacking(begun, begun, FAR) == Lacking(195 * GB, first=True)
    half = [point(0, 200, Copying(FIRST, 100 * GB, 200 * GB))]
    assert lacking(half, half, FAR) == Lacking(100 * GB, first=False)


def test_where_the_one_before_lies_only_what_came_after_is_left() -> None:
    ever = [point(0, 200, HELD), point(1, 3, HELD), point(2, 4), point(3, 5)]
    assert lacking(ever, ever[2:], FAR) == Lacking(9 * GB, first=False)
    assert lacking(ever, [], FAR) == Lacking(0, first=False)
    # What the second added may be in the third as well, or may not.
    assert lacking(ever, ever[3:], FAR) == Lacking(9 * GB, at_most=True, first=False)


def test_what_points_that_are_gone_had_stored_may_be_needed_up_to_the_disks_size() -> None:
    gone = [point(0, 200, standing=GONE), point(1, 3, standing=GONE)]
    left = [point(2, 4)]
    assert lacking([*gone, *left], left, FAR) == Lacking(207 * GB, at_most=True)
    more = [point(day, 90, standing=GONE) for day in range(20)]
    assert lacking([*more, point(30, 4)], [point(30, 4)], FAR) == Lacking(500 * GB, at_most=True)
    never = point(1, 99, standing=Abandoned(FIRST, "It broke off."))
    assert lacking([never, *left], left, FAR) == Lacking(4 * GB)


def test_of_an_older_point_than_lies_there_some_may_lie_there() -> None:
    ever = [point(0, 200), point(1, 3, HELD)]
    assert lacking(ever, ever[:1], FAR) == Lacking(200 * GB, at_most=True, first=False)
