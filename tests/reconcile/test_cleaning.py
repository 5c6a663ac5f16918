"""What is removed from a host before it is used, and what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.drivers.protocol import MovedOn
from control_plane.model.ids import Generation, HostId, ServerId
from control_plane.reconcile.cleaning import clean
from control_plane.reconcile.leftovers import is_leftover
from tests.drivers.simulated.samples import bring_up, host, spec, world

A = host("a")
WEB = ServerId("web")


def test_what_is_left_of_a_deleted_server_is_removed_also_while_it_runs() -> None:
    where = world(A)
    bring_up(where, A, spec(generation=3))
    found = clean(where.driver(A), A.id, {}, lambda: True, {WEB: Generation(4)})
    assert found.deleted == (WEB,)
    assert found.strangers == ()
    assert where.driver(A).list_servers() == []


def test_a_machine_that_was_never_a_server_is_left_alone() -> None:
    where = world(A)
    bring_up(where, A, spec())
    found = clean(where.driver(A), A.id, {}, lambda: True, {ServerId("db"): Generation(4)})
    assert found.strangers == ("web",)
    assert where.hosts_running(WEB) == (HostId("a"),)


def test_a_machine_newer_than_the_deleted_server_ever_was_is_left_alone() -> None:
    where = world(A)
    bring_up(where, A, spec(generation=5))
    found = clean(where.driver(A), A.id, {}, lambda: True, {WEB: Generation(4)})
    assert found.strangers == ("web",)
    assert where.hosts_running(WEB) == (HostId("a"),)


def test_a_control_plane_that_leads_no_more_removes_nothing() -> None:
    where = world(A)
    bring_up(where, A, spec())
    clean(where.driver(A), A.id, {}, lambda: False, {WEB: Generation(1)})
    assert where.hosts_running(WEB) == (HostId("a"),)


def test_one_that_stood_still_after_it_had_asked_cuts_nothing_newer() -> None:
    """Between its last question and the cut, another one takes the host into use."""
    where = world(A)
    bring_up(where, A, spec())

    def leads_and_sleeps() -> bool:
        where.driver(A).define(spec(generation=2))
        return True

    with pytest.raises(MovedOn):
        clean(where.driver(A), A.id, {}, leads_and_sleeps, {WEB: Generation(1)})
    assert where.hosts_running(WEB) == (HostId("a"),)


@given(st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_only_what_yui_made_and_deleted_is_a_leftover(listed: int, last: int, known: bool) -> None:
    deleted = {WEB: Generation(last)} if known else {}
    assert is_leftover(WEB, Generation(listed), deleted) is (known and listed <= last)
