"""What is done about a difference between the disks that servers are to have and those that are seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from control_plane.drivers.protocol import ObservedServer, RunState
from control_plane.model.backing import Backing
from control_plane.model.ids import Generation, RegionId, SnapshotId, VolumeId
from control_plane.model.units import GiB
from control_plane.model.volume import (
    Attached,
    Attachment,
    ServerSnapshot,
    SnapshotDisk,
    Unattached,
    Volume,
    VolumeStatus,
    status_of_volume,
)
from control_plane.model.workload import Power, Seen
from control_plane.reconcile.convergence import BringUp, Delete, Relabel, Stop, compare, may_go_on
from control_plane.reconcile.disks import (
    Disks,
    FitVolumes,
    GrowVolumes,
    RestoreSnapshot,
    TakeSnapshot,
)
from tests.reconcile.test_convergence import MOVING, REACHED, A, seen, server

AT = datetime(2026, 4, 1, tzinfo=UTC)
S = server()
STOPPED = server(power=Power.STOPPED)
HERE: Attachment = Attached(S.id, 0)


def volume(attachment: Attachment, name: str = "data", **changes) -> Volume:
    whole = Volume(
        VolumeId(name), S.tenant, RegionId("kyoto"), name, GiB(1), S.storage, AT, attachment, made=True
    )  # fmt: skip
    return replace(whole, **changes)


def snapshot(**changes) -> ServerSnapshot:
    disks = (SnapshotDisk(None, "root", GiB(1)),)
    whole = ServerSnapshot(
        SnapshotId("snap"), S.tenant, RegionId("kyoto"), "snap", S.id, S.name, S.image, S.storage,
        disks, AT,
    )  # fmt: skip
    return replace(whole, **changes)


def machine(*volumes: str, state=RunState.RUNNING, generation=3) -> ObservedServer:
    had = frozenset(VolumeId(name) for name in volumes)
    return ObservedServer(S.id, Generation(generation), state, Generation(generation), had)


def fit(give=(), take=(), *, of=S, runs=True, listed=3) -> FitVolumes:
    generation = None if listed is None else Generation(listed)
    return FitVolumes(of, A, generation, runs, frozenset(give), frozenset(take))


def grow(*, of=S) -> GrowVolumes:
    return GrowVolumes(of, A, Generation(3), frozenset({VolumeId("data")}))


ATTACHED = Disks.of([volume(HERE)], [])
LEAVING = Disks.of([volume(Attached(S.id, 0).release())], [])
UNMADE = Disks.of([volume(HERE, made=False)], [])
GROWING = Disks.of([volume(HERE, growing=True)], [snapshot()])
GROWING_AND_LEANING = Disks.of(
    [
        volume(HERE, growing=True),
        volume(Attached(S.id, 1), "old", backing=Backing(0, "nbd://yui/old")),
    ],
    [],
)
TO_TAKE = Disks.of([], [snapshot()])
TO_RESTORE = Disks.of([], [snapshot(taken_at=AT, restoring=True)])

CASES = {
    "one that has what it is to have is left alone": (S, seen(a=[machine("data")]), ATTACHED, []),
    "what is missing is given": (S, seen(a=[machine()]), ATTACHED, [fit(["data"])]),
    "what is not made yet is not": (S, seen(a=[machine()]), UNMADE, []),
    "what is not its own is taken": (S, seen(a=[machine("x")]), Disks(), [fit(take=["x"])]),
    "what it is to let go of is asked for": (
        S,
        seen(a=[machine("data")]),
        LEAVING,
        [fit(take=["data"])],
    ),
    "also where the listing shows it no longer, since only the driver looks at the file": (
        S,
        seen(a=[machine()]),
        LEAVING,
        [fit(take=["data"])],
    ),
    "also of a server that its host has no definition of": (
        STOPPED,
        seen(),
        LEAVING,
        [fit(take=["data"], of=STOPPED, runs=False, listed=None)],
    ),
    "a stopped one is told before it starts": (
        S,
        seen(a=[machine("data", state=RunState.STOPPED)]),
        LEAVING,
        [fit(take=["data"], runs=False)],
    ),
    "a copy of an older decision learns of the newer one first": (
        S,
        seen(a=[machine(generation=2)]),
        ATTACHED,
        [Relabel(S, A)],
    ),
    "nothing is known of a host that does not answer": (S, {}, LEAVING, []),
    "one on its way is not touched": (
        server(placement=MOVING),
        seen(a=[], b=[machine("data")]),
        LEAVING,
        None,
    ),
    "a server that is removed keeps nothing back": (
        server(deleting=True),
        seen(a=[machine("data")]),
        ATTACHED,
        [Delete(server(deleting=True), A, Generation(3))],
    ),
    "one that is to stop stops first": (
        STOPPED,
        seen(a=[machine()]),
        ATTACHED,
        [Stop(STOPPED, A, Generation(3))],
    ),
    "a snapshot is taken of one that is as it should be": (
        S,
        seen(a=[machine()]),
        TO_TAKE,
        [TakeSnapshot(S, A, snapshot(), defined=True)],
    ),
    "and of a stopped one that has never been on its host": (
        STOPPED,
        seen(),
        TO_TAKE,
        [TakeSnapshot(STOPPED, A, snapshot(), defined=False)],
    ),
    "one whose disk is to be larger grows it before it is copied": (
        S,
        seen(a=[machine("data")]),
        GROWING,
        [grow()],
    ),
    "a stopped one too": (
        STOPPED,
        seen(a=[machine("data", state=RunState.STOPPED)]),
        GROWING,
        [grow(of=STOPPED)],
    ),
    "it gets the disk first": (S, seen(a=[machine()]), GROWING, [fit(["data"])]),
    "and starts first": (S, seen(), GROWING, [BringUp(S, A)]),
    "none grows while another leans on what it was restored from": (
        S,
        seen(a=[machine("data", "old")]),
        GROWING_AND_LEANING,
        [],
    ),
    "one that is not up yet comes up first": (S, seen(), TO_TAKE, [BringUp(S, A)]),
    "one whose disks are to be restored does not start before they are": (
        S,
        seen(),
        TO_RESTORE,
        [RestoreSnapshot(S, A, snapshot(taken_at=AT, restoring=True))],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_next_thing_is_done_about_a_servers_disks(case: str) -> None:
    given, observed, disks, expected = CASES[case]
    actions = compare([given], observed, REACHED, disks)
    if expected is None:
        assert not [action for action in actions if isinstance(action, FitVolumes)]
    else:
        assert actions == expected


def test_nothing_is_given_to_a_doubtful_host_and_what_is_to_go_goes() -> None:
    assert not may_go_on(fit(["data"]), {A})
    assert may_go_on(fit(take=["data"]), {A})
    assert not may_go_on(TakeSnapshot(S, A, snapshot(), defined=True), {A})
    assert not may_go_on(grow(), {A})


@pytest.mark.parametrize(
    ("of", "at", "status"),
    [
        (volume(Unattached(), made=False), None, VolumeStatus.CREATING),
        (volume(Unattached()), None, VolumeStatus.AVAILABLE),
        (volume(HERE), S, VolumeStatus.ATTACHING),
        (volume(HERE, plugged=True), server(seen=Seen.RUNNING), VolumeStatus.IN_USE),
        (volume(HERE), server(power=Power.STOPPED), VolumeStatus.IN_USE),
        (volume(Attached(S.id, 0).release()), S, VolumeStatus.DETACHING),
        (volume(HERE, plugged=True), server(seen=Seen.UNKNOWN), VolumeStatus.UNKNOWN),
        (
            volume(Attached(S.id, 0).release()),
            server(seen=Seen.UNKNOWN),
            VolumeStatus.UNKNOWN,
        ),
        (volume(Unattached(), growing=True), None, VolumeStatus.GROWING),
        (volume(HERE, plugged=True, growing=True), server(seen=Seen.RUNNING), VolumeStatus.GROWING),
        (volume(HERE, growing=True), S, VolumeStatus.ATTACHING),
        (volume(Unattached(), deleting=True), None, VolumeStatus.DELETING),
        (volume(Unattached(), trouble="no room"), None, VolumeStatus.ERROR),
    ],
)
def test_what_a_member_is_told_of_a_volume(of: Volume, at, status: VolumeStatus) -> None:
    assert status_of_volume(of, at) is status
