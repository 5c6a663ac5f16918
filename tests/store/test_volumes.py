"""Volumes and snapshots in the store: nothing is lost on the way, and two can't decide at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from control_plane.model.allotment import Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId, SnapshotId, VolumeId
from control_plane.model.units import GiB
from control_plane.model.volume import (
    ClosedOnHost,
    Detaching,
    RunsNowhere,
    ServerSnapshot,
    SnapshotDisk,
    SnapshotSource,
    Unattached,
    Volume,
)
from control_plane.model.workload import Placed, Server
from control_plane.store import LostRace, Store
from tests.store import samples

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.fixture
def server(store: Store) -> Server:
    samples.furnish(store)
    with store.write() as tx:
        return tx.add_server(samples.server(1))


def volume(server: Server, region: RegionId, name: str = "data") -> Volume:
    return Volume(VolumeId(f"vol-{name}"), server.tenant, region, name, GiB(7), server.storage, AT)


def snapshot(server: Server, region: RegionId) -> ServerSnapshot:
    disks = (
        SnapshotDisk(None, server.name, server.disk),
        SnapshotDisk(VolumeId("vol-data"), "data", GiB(7)),
    )
    return ServerSnapshot(
        SnapshotId("snap-1"), server.tenant, region, "更新前", server.id, server.name,
        server.image, server.storage, disks, AT,
    )  # fmt: skip


def test_what_is_put_in_comes_out(store: Store, server: Server) -> None:
    with store.write() as tx:
        region = tx.region_of(server.id)
        made = tx.add_volume(
            replace(volume(server, region), source=SnapshotSource(SnapshotId("s")))
        )
        attached = tx.save_volume(
            replace(
                made,
                attachment=Unattached().attach_to(server.id, 3),
                made=True,
                build=2,
                growing=True,
            )
        )
        leaving = tx.save_volume(replace(attached, attachment=attached.attachment.release()))
        taken = tx.add_server_snapshot(snapshot(server, region))
        taken = tx.save_server_snapshot(replace(taken, taken_at=AT, quiesced=True, restoring=True))
    with store.read() as tx:
        assert tx.volume(made.id) == leaving == tx.volumes(server=server.id)[0]
        assert leaving.attachment == Detaching(server.id, 3)
        assert tx.server_snapshots(server.tenant) == (taken,) == tx.unfinished_snapshots()
        with pytest.raises(YuiError, match="no volume"):
            tx.volume(made.id, "262048")


def test_of_two_who_decide_about_a_volume_one_loses(store: Store, server: Server) -> None:
    with store.write() as tx:
        made = tx.add_volume(volume(server, tx.region_of(server.id)))
    with store.write() as tx:
        tx.save_volume(replace(made, attachment=Unattached().attach_to(server.id, 0)))
    with pytest.raises(LostRace), store.write() as tx:
        tx.save_volume(replace(made, deleting=True))


def test_volumes_and_snapshots_count_where_servers_disks_do(store: Store, server: Server) -> None:
    with store.write() as tx:
        region = tx.region_of(server.id)
        before, ledger = tx.used_by(server.tenant, region), tx.ledger(region)
        tx.add_volume(volume(server, region))
        tx.add_server_snapshot(snapshot(server, region))
    more = 7 + 7 + server.disk
    with store.read() as tx:
        assert tx.used_by(server.tenant, region) == before + Capacity(disk=GiB(more))
        after = tx.ledger(region)
    assert after.disks == {server.tenant.text: more}
    pool = server.storage
    assert after.storage[pool].used == ledger.storage[pool].used + more


def test_a_server_that_is_removed_leaves_its_volumes_free(store: Store, server: Server) -> None:
    with store.write() as tx:
        made = tx.add_volume(volume(server, tx.region_of(server.id)))
        tx.save_volume(replace(made, attachment=Unattached().attach_to(server.id, 0)))
        tx.remove_server(server.id)
    with store.read() as tx:
        assert tx.volume(made.id).attachment == Unattached()


def test_a_volume_is_let_go_of_by_its_own_server_alone(server: Server) -> None:
    assert isinstance(server.placement, Placed)
    leaving = Unattached().attach_to(server.id, 0).release()
    other = replace(server, id=samples.server_id(2))
    with pytest.raises(ValueError, match="says nothing"):
        leaving.let_go(ClosedOnHost(other.id, server.placement.host))
    with pytest.raises(ValueError, match="is on a host"):
        RunsNowhere.of(server)
    assert leaving.let_go(ClosedOnHost(server.id, server.placement.host)) == Unattached()
