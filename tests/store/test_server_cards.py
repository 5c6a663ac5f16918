"""What is shown of a member's servers at once is what the store says of each by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, RegionId, SecurityGroupId, ServerId, VolumeId
from control_plane.model.keypair import ServerKey
from control_plane.model.network import SecurityGroup
from control_plane.model.operation import Event, OperationState, Severity
from control_plane.model.server_notes import ServerNotes
from control_plane.model.unconfirmed_resize import UnconfirmedResize
from control_plane.model.units import GiB
from control_plane.model.volume import Attached, Volume
from control_plane.model.workload import status_of
from control_plane.store import Store
from tests.store import samples

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def test_a_card_says_what_stands_in_all_the_tables(store: Store) -> None:
    samples.furnish(store)
    notes = ServerNotes(AT, "account-1", "窓口", {"k": "値"}, ("b", "a"))
    later = AT + timedelta(hours=1, microseconds=5)
    with store.write() as tx:
        plain, noted = (tx.add_server(samples.server(number)) for number in (1, 2))
        network = tx.ensure_network(plain.tenant, tx.region_of(plain.id), plain.zone)
        tx.add_notes({noted.id: replace(notes, description=None)})
        tx.put_notes(noted.id, notes)
        tx.put_server_key(noted.id, ServerKey("mine", "ssh-ed25519 AAAA"))
        group = SecurityGroup(SecurityGroupId("sg-1"), plain.tenant, "web", ())
        tx.set_groups_of(noted.id, {tx.add_security_group(group).id})
        region = tx.region_of(plain.id)
        for order, name in ((1, "vol-a"), (0, "vol-b")):
            tx.add_volume(
                Volume(
                    VolumeId(name), noted.tenant, region, name, GiB(1), noted.storage, AT,
                    Attached(noted.id, order),
                )
            )  # fmt: skip
        before = UnconfirmedResize(FlavorId("m1.before"), later)
        tx.set_unconfirmed_resize(noted.id, before)
        rebuild = replace(
            samples.operation(1),
            kind="server.rebuild",
            subject=f"server:{noted.id}",
            state=OperationState.RUNNING,
        )
        tx.put_operation(rebuild)
        tx.add_event(Event("a", f"server:{noted.id}", later, Severity.INFO, "a", "a"))
        tx.add_event(Event("a", f"server:{noted.id}", AT, Severity.INFO, "a", "a"))
    with store.read() as tx:
        first, second = tx.server_cards(plain.tenant, region)
        belongings = tx.belongings(plain.tenant)
        assert tx.server_card(noted.id, plain.tenant, region) == second
        assert tx.server_count(plain.tenant, region) == 2
        assert tx.notes_of(noted.id) == notes
        assert tx.notes_of(plain.id) == ServerNotes()
        system = tx.system(plain.system)
        for wrong in ((noted.id, "012220", region), (noted.id, plain.tenant, RegionId("none"))):
            with pytest.raises(YuiError, match="There is no server"):
                tx.server_card(ServerId(wrong[0]), *wrong[1:])
    assert (first.id, first.status, first.made_at) == (
        plain.id,
        status_of(plain),
        system.created_at,
    )
    assert (first.made_by, first.labels, first.tags, first.rebuilt) == (None, {}, (), False)
    assert first.changed_at == first.made_at
    assert (second.made_at, second.made_by, second.description) == (AT, "account-1", "窓口")
    assert (second.labels, second.tags) == ({"k": "値"}, ("b", "a"))
    assert (second.changed_at, second.resize_until) == (later, later)
    assert (second.flavor_before, second.rebuilt) == ("m1.before", True)
    assert (second.network, second.network_name) == (network.id, network.name)
    assert second.address == noted.address
    assert belongings.security_groups == {noted.id: ("web",)}
    assert belongings.volumes == {noted.id: ("vol-b", "vol-a")}
    assert belongings.keys == {noted.id: "mine"}
    with store.write() as tx:
        tx.remove_server(noted.id)
    with store.read() as tx:
        assert tx.notes_of(noted.id) == ServerNotes()
