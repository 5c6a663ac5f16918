"""What is done about a difference between what is wanted and what is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.drivers.protocol import ObservedServer, RunState
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.ids import (
    FlavorId,
    Generation,
    HostId,
    ImageId,
    ServerId,
    StoragePoolId,
    SystemId,
)
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Moving, Placed, Power, Server, Shelved, Stranded
from control_plane.reconcile.convergence import (
    Arrived,
    BringUp,
    Delete,
    Migrate,
    PutAway,
    Relabel,
    RemoveStale,
    Stop,
    Undefine,
    Unknown,
    compare,
    may_go_on,
)
from control_plane.reconcile.order import may_begin

A, B, C = HostId("a"), HostId("b"), HostId("c")
HOSTS = (A, B, C)


def server(name="s1", **changes) -> Server:
    return replace(
        Server(
            id=ServerId(name),
            tenant=MunicipalityCode("012220"),
            system=SystemId("records"),
            name=name,
            role="database",
            flavor=FlavorId("small"),
            size=Resources(VCpu(1), MiB(128)),
            disk=GiB(1),
            image=ImageId("tiny"),
            zone=Zone.MYNUMBER,
            tier=0,
            start_order=0,
            storage=StoragePoolId("pool"),
            address="10.77.1.5/24",
            placement=Placed(A),
            generation=Generation(3),
        ),
        **changes,
    )


def machine(state=RunState.RUNNING, generation=3, name="s1") -> ObservedServer:
    return ObservedServer(ServerId(name), Generation(generation), state)


def seen(**hosts) -> dict[HostId, list[ObservedServer]]:
    """Listings of hosts a, b and c; a host that is not named answers with an empty list."""
    return {HostId(h): hosts.get(h, []) for h in "abc"}


MOVING = Moving(A, B)
REACHED = {StoragePoolId("pool"): B}
FENCED = FenceEvidence(A, FenceKind.OPERATOR_WORD, datetime(2026, 4, 1, tzinfo=UTC), "Sato", "off")

CASES = {
    "a server that runs as wanted is left alone": (server(), seen(a=[machine()]), []),
    "a server that runs nowhere is brought up": (server(), seen(), [BringUp(server(), A)]),
    "a stopped one is brought up": (
        server(),
        seen(a=[machine(RunState.STOPPED)]),
        [BringUp(server(), A)],
    ),
    "a paused one goes on": (server(), seen(a=[machine(RunState.PAUSED)]), [BringUp(server(), A)]),
    "a suspended one goes on": (
        server(),
        seen(a=[machine(RunState.SUSPENDED)]),
        [BringUp(server(), A)],
    ),
    "a suspended one that has changed is no remnant of a move": (
        server(),
        seen(a=[machine(RunState.SUSPENDED, 2)]),
        [Relabel(server(), A)],
    ),
    "an older label is renewed": (
        server(),
        seen(a=[machine(generation=2)]),
        [Relabel(server(), A)],
    ),
    "one that was started before it was to be restarted is stopped": (
        server(boot_since=Generation(3)),
        seen(a=[machine(generation=2)]),
        [Stop(server(boot_since=Generation(3)), A, Generation(2))],
    ),
    "one that is to be restarted hard is cut": (
        server(boot_since=Generation(3), boot_hard=True),
        seen(a=[machine()]),
        [Stop(server(boot_since=Generation(3), boot_hard=True), A, Generation(3), hard=True)],
    ),
    "one that was restarted is left alone": (
        server(boot_since=Generation(3)),
        seen(a=[ObservedServer(ServerId("s1"), Generation(3), RunState.RUNNING, Generation(3))]),
        [],
    ),
    "a remnant of a broken move is removed first": (
        server(),
        seen(a=[machine(RunState.PAUSED, 2)]),
        [RemoveStale(server(), A, True, Generation(2))],
    ),
    "one that its owner stopped stays stopped": (server(power=Power.STOPPED), seen(), []),
    "one that its owner wants stopped is stopped": (
        server(power=Power.STOPPED),
        seen(a=[machine()]),
        [Stop(server(power=Power.STOPPED), A, Generation(3))],
    ),
    "a copy elsewhere is removed before anything is started": (
        server(),
        seen(b=[machine(generation=1)]),
        [RemoveStale(server(), B, True, Generation(1))],
    ),
    "a moving server is told its generation first": (
        server(placement=MOVING),
        seen(a=[machine(generation=2)]),
        [Relabel(server(placement=MOVING), A)],
    ),
    "then it is moved": (
        server(placement=MOVING),
        seen(a=[machine()]),
        [Migrate(server(placement=MOVING), A, B, at_target=False)],
    ),
    "a move whose source lets go has arrived": (
        server(placement=MOVING),
        seen(b=[machine(generation=2)]),
        [Arrived(server(placement=MOVING))],
    ),
    "a move's stopped source is forgotten": (
        server(placement=MOVING),
        seen(a=[machine(RunState.STOPPED)]),
        [RemoveStale(server(placement=MOVING), A, False, Generation(3))],
    ),
    "a server being deleted is removed from its host": (
        server(deleting=True),
        seen(a=[machine()]),
        [Delete(server(deleting=True), A, Generation(3))],
    ),
    "one being deleted that was never built leaves a volume at most": (
        server(deleting=True),
        seen(),
        [Delete(server(deleting=True), A, None)],
    ),
    "a stranded server is not started anywhere": (
        server(placement=Stranded(FENCED)),
        seen(),
        [],
    ),
    "a stranded server that is deleted loses its volume from a host that reaches it": (
        server(placement=Stranded(FENCED), deleting=True),
        seen(),
        [Delete(server(placement=Stranded(FENCED), deleting=True), B, None)],
    ),
    "not before a copy elsewhere is gone": (
        server(placement=Stranded(FENCED), deleting=True),
        seen(c=[machine()]),
        [RemoveStale(server(placement=Stranded(FENCED), deleting=True), C, True, Generation(3))],
    ),
    "nor where no host reaches it": (
        server(placement=Stranded(FENCED), deleting=True, storage=StoragePoolId("far")),
        seen(),
        [],
    ),
    "a shelved server is stopped where it runs": (
        server(power=Power.SHELVED),
        seen(a=[machine()]),
        [Stop(server(power=Power.SHELVED), A, Generation(3))],
    ),
    "then its definition goes": (
        server(power=Power.SHELVED),
        seen(a=[machine(RunState.STOPPED)]),
        [Undefine(server(power=Power.SHELVED), A, Generation(3))],
    ),
    "and its room is given back once its host has it no more": (
        server(power=Power.SHELVED),
        seen(),
        [PutAway(server(power=Power.SHELVED))],
    ),
    "a shelved server's copy that somebody started is removed": (
        server(power=Power.SHELVED, placement=Shelved()),
        seen(b=[machine()]),
        [RemoveStale(server(power=Power.SHELVED, placement=Shelved()), B, True, Generation(3))],
    ),
    "a shelved server is not started anywhere": (
        server(power=Power.SHELVED, placement=Shelved()),
        seen(),
        [],
    ),
    "a shelved server that is deleted loses its disk": (
        server(placement=Shelved(), deleting=True),
        seen(),
        [Delete(server(placement=Shelved(), deleting=True), B, None)],
    ),
    "a machine without a record is told and left alone": (
        server(),
        seen(a=[machine(), machine(name="stranger")]),
        [Unknown(ServerId("stranger"), A, Generation(3))],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_action(case):
    wanted, observed, expected = case
    assert compare([wanted], observed, REACHED) == expected


def test_nothing_is_done_to_a_server_whose_host_does_not_answer():
    assert compare([server()], {B: [], C: []}, REACHED) == []
    assert compare([server(placement=MOVING)], {A: [machine()], C: []}, REACHED) == []


states = st.sampled_from(RunState)
placements = st.one_of(
    st.sampled_from(HOSTS).map(Placed),
    st.permutations(HOSTS).map(lambda p: Moving(p[0], p[1])),
    st.just(Stranded(FENCED)),
    st.just(Shelved()),
)
listings = st.dictionaries(
    st.sampled_from(HOSTS),
    st.lists(st.builds(machine, states, st.integers(1, 3)), max_size=1),
)


@given(placements, st.sampled_from(Power), listings)
def test_a_server_is_never_started_while_another_host_shows_a_copy(placement, power, observed):
    wanted = server(placement=placement, power=power)
    for action in compare([wanted], observed, REACHED):
        if isinstance(action, BringUp):
            assert wanted.placement == Placed(action.host)
            assert power is Power.RUNNING
            assert not any(observed[host] for host in observed if host != action.host)


@given(placements, listings)
def test_at_most_one_action_concerns_a_server_at_a_time(placement, observed):
    assert len(compare([server(placement=placement)], observed, REACHED)) <= 1


class Region:
    """The one fact of a host that the order looks at."""

    region = "kyoto"


WHERE = dict.fromkeys(HOSTS, Region())


def _names(actions):
    return [action.server.name for action in actions]


def test_lower_tiers_restart_before_higher_ones_and_databases_before_applications():
    database = BringUp(server("db"), A)
    application = BringUp(server("app", start_order=1), B)
    booking = BringUp(server("booking", tier=2, system=SystemId("booking")), C)
    waiting = [booking, application, database]
    order = []
    while waiting:
        turn = may_begin(waiting, [], WHERE)
        order.append(_names(turn))
        waiting = [a for a in waiting if a not in turn]
    assert order == [["db"], ["app"], ["booking"]]


def test_a_higher_tier_waits_while_a_lower_one_is_still_starting():
    booking = BringUp(server("booking", tier=2, system=SystemId("booking")), C)
    assert may_begin([booking], [BringUp(server("db"), A)], WHERE) == []


def test_a_first_build_neither_waits_for_other_systems_nor_delays_them():
    new = BringUp(server("new", system=SystemId("n"), generation=Generation(1), tier=0), A)
    booking = BringUp(server("booking", tier=2, system=SystemId("booking")), C)
    assert _names(may_begin([new, booking], [], WHERE)) == ["booking", "new"]


DOUBTFUL = {
    "a start waits": (BringUp(server(), A), False),
    "a stop goes on": (Stop(server(), A, Generation(3)), True),
    "a deletion goes on": (Delete(server(), A, Generation(3)), True),
    "a new label is written": (Relabel(server(), A), True),
    "a server is moved away": (Migrate(server(placement=MOVING), A, B, False), True),
    "none is moved there": (Migrate(server(placement=Moving(B, A)), B, A, False), False),
    "a copy that does not belong there goes": (
        RemoveStale(server(placement=Placed(B)), A, True, Generation(2)),
        True,
    ),
    "what a broken move left of the server itself stays": (
        RemoveStale(server(), A, True, Generation(2)),
        False,
    ),
}


@pytest.mark.parametrize("case", DOUBTFUL.values(), ids=DOUBTFUL)
def test_on_a_suspect_host_that_answers(case):
    action, goes_on = case
    assert may_go_on(action, {A}) is goes_on
    assert may_go_on(action, set())
