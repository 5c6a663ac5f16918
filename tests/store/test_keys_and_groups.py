"""Key pairs, groups of servers and resizes that wait: each member's own, and gone with what they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, GroupId, KeyPairId
from control_plane.model.keypair import KeyPair, ServerKey
from control_plane.model.server_group import ServerGroup
from control_plane.model.unconfirmed_resize import UnconfirmedResize
from control_plane.store import Store
from control_plane.store.listing import ServerFilter
from tests.store import samples
from tests.store.samples import FUKUCHIYAMA, KYOTO, NOON, UJI

KEY = KeyPair(KeyPairId("key-1"), FUKUCHIYAMA, "窓口", "ssh-ed25519 AAAA", "00:11", "a", NOON)
GROUP = ServerGroup(GroupId("grp-1"), FUKUCHIYAMA, "apart", "a", NOON)
WAITS = UnconfirmedResize(FlavorId("m1.before"), samples.later(3600))


def refused(store: Store, step: Callable[..., object], type: str) -> None:
    with pytest.raises(YuiError) as refusal, store.write() as tx:
        step(tx)
    assert refusal.value.type == type


def test_names_are_each_members_own_and_others_things_are_not_found(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_tenant(samples.tenant(UJI, "宇治市"))
        tx.add_keypair(KEY)
        tx.add_server_group(GROUP)
        tx.add_keypair(replace(KEY, id=KeyPairId("key-2"), tenant=UJI))
        tx.add_server_group(replace(GROUP, id=GroupId("grp-2"), tenant=UJI))
    refused(store, lambda tx: tx.add_keypair(replace(KEY, id="key-3")), "keypair-exists")
    refused(
        store, lambda tx: tx.add_server_group(replace(GROUP, id="grp-3")), "server-group-exists"
    )
    refused(store, lambda tx: tx.keypair(KEY.id, UJI), "keypair-not-found")
    refused(store, lambda tx: tx.server_group(GROUP.id, UJI), "server-group-not-found")
    with store.read() as tx:
        assert tx.keypairs(FUKUCHIYAMA) == tx.keypairs(named="窓口", limit=1) == (KEY,)
        assert [key.id for key in tx.keypairs(after=KEY.id)] == ["key-2"]
        assert tx.keypairs(FUKUCHIYAMA, also=UJI) == ()
        assert tx.server_groups(FUKUCHIYAMA) == (GROUP,)
        assert tx.server_group(GROUP.id, FUKUCHIYAMA) == GROUP


def test_what_a_server_has_is_shown_and_goes_with_it(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        one = tx.add_server(samples.server(1, group=GROUP.id))
        tx.add_server(samples.server(2, group=GROUP.id))
        tx.add_server_group(GROUP)
        tx.put_server_key(one.id, ServerKey("窓口", KEY.public_key))
        tx.set_unconfirmed_resize(one.id, None)
        for _ in range(2):
            tx.set_unconfirmed_resize(one.id, WAITS)
    with store.read() as tx:
        first, second = tx.server_page(ServerFilter(), 10)
        assert (first.keypair, first.server_group) == ("窓口", GROUP.id)
        assert (first.flavor_before, first.resize_until) == (WAITS.flavor, WAITS.until)
        assert (second.keypair, second.flavor_before, second.resize_until) == (None, None, None)
        assert tx.keys_of_servers([one.id, samples.server_id(2)]) == {
            one.id: ServerKey("窓口", KEY.public_key)
        }
        assert tx.unconfirmed_resizes([one.id]) == {one.id: WAITS}
        both = {GROUP.id: (one.id, samples.server_id(2))}
        assert tx.servers_of_groups([GROUP.id]) == tx.servers_of_groups([GROUP.id], KYOTO) == both
    assert WAITS.waits(one, samples.later(3599))
    assert not WAITS.waits(one, WAITS.until)
    assert not WAITS.waits(replace(one, flavor=WAITS.flavor), NOON)
    with store.write() as tx:
        tx.remove_server(one.id)
    with store.read() as tx:
        assert tx.keys_of_servers([one.id]) == tx.unconfirmed_resizes([one.id]) == {}


def test_a_member_that_has_left_leaves_none_behind(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_keypair(KEY)
        tx.add_server_group(GROUP)
        tx.remove_system(samples.SYSTEM)
        tx.remove_tenant(FUKUCHIYAMA)
    with store.read() as tx:
        assert tx.keypairs() == tx.server_groups() == ()
