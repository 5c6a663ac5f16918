"""A server that was deleted is remembered, since some host may still have a copy of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, ServerId
from control_plane.model.workload import Power
from control_plane.store import Store
from tests.store import samples


def test_the_last_generation_of_a_deleted_server_is_remembered(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_server(samples.server(1))
        tx.add_server(samples.server(2))
    with store.write() as tx:
        saved = tx.save_server(replace(tx.server(samples.server_id(1)), power=Power.STOPPED))
        tx.remove_server(saved.id)
    with store.read() as tx:
        assert tx.deleted_servers() == {samples.server_id(1): saved.generation}
        assert saved.generation > Generation(1)
        assert tx.deleted_servers({samples.server_id(2), ServerId("nobody")}) == {}
        assert tx.deleted_servers({samples.server_id(1), samples.server_id(2)}) == {
            samples.server_id(1): saved.generation
        }


def test_the_id_of_a_deleted_server_is_not_given_to_another(store: Store) -> None:
    """Its generation would begin anew, and a copy left on a host would look newer than it."""
    samples.furnish(store)
    with store.write() as tx:
        tx.add_server(samples.server(1))
        tx.remove_server(samples.server_id(1))
    with pytest.raises(YuiError) as refusal, store.write() as tx:
        tx.add_server(samples.server(1))
    assert refusal.value.type == "server-exists"
