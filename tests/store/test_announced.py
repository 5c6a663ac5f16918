"""How far people were told of events is part of the state, and written by the leader alone."""

from __future__ import annotations

import pytest

from control_plane.model.units import Seconds
from control_plane.store import LeaseLost, Store
from tests.store.samples import NOON, later


def test_each_way_of_telling_people_has_a_place_of_its_own(store: Store) -> None:
    with store.read() as tx:
        assert tx.announced() == {}
    with store.write() as tx:
        tx.set_announced("log", 7)
        tx.set_announced("webhook", 0)
    with store.write() as tx:
        tx.set_announced("log", 9)
    with store.read() as tx:
        assert tx.announced() == {"log": 9, "webhook": 0}


def test_who_lost_the_lead_moves_no_place(store: Store) -> None:
    before = store.acquire_lease("leader", "a", Seconds(10), NOON)
    assert before is not None
    assert store.acquire_lease("leader", "b", Seconds(10), later(60)) is not None
    with pytest.raises(LeaseLost), store.write(before) as tx:
        tx.set_announced("log", 7)
    with store.read() as tx:
        assert tx.announced() == {}
