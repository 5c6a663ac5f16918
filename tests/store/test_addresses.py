"""Every server of a site has an address of its own."""

from __future__ import annotations

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.ids import ServerId
from control_plane.store import LostRace, Store
from tests.store import samples
from tests.store.samples import SITE


def test_addresses_skip_the_network_the_gateway_and_the_broadcast_until_none_is_left(
    store: Store,
) -> None:
    with store.write() as tx:
        samples.describe(tx, network="10.77.16.0/29")
        given_out = [tx.allocate_address(SITE) for _ in range(5)]
    assert given_out == [f"10.77.16.{last}/29" for last in (2, 3, 4, 5, 6)]
    with pytest.raises(YuiError) as refusal:
        samples.attempt(store, *[lambda tx: tx.allocate_address(SITE)] * 6)
    assert refusal.value.type == "addresses-exhausted"
    assert refusal.value.status == 409


def test_without_a_gateway_its_place_is_free(store: Store) -> None:
    with store.write() as tx:
        samples.describe(tx)
        tx.put_site(samples.site(guest_gateway=None))
        assert tx.allocate_address(SITE) == "10.77.16.1/24"


def test_an_address_is_given_again_once_its_server_is_removed(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        addresses = [tx.allocate_address(SITE) for _ in range(3)]
        for number, address in enumerate(addresses):
            tx.add_server(samples.server(number, address=address))
    with store.write() as tx:
        tx.remove_server(samples.server_id(1))
    with store.write() as tx:
        assert tx.allocate_address(SITE) == addresses[1]
        assert tx.allocate_address(SITE) == "10.77.16.5/24"


def test_no_two_servers_of_a_site_share_an_address(store: Store) -> None:
    samples.furnish(store)
    twin = samples.server(1, id=ServerId("twin"))
    with pytest.raises(LostRace):
        samples.attempt(
            store, lambda tx: tx.add_server(samples.server(1)), lambda tx: tx.add_server(twin)
        )
    with store.read() as tx:
        assert tx.servers() == ()
