"""Power, lease, watchdog, fences and channels of simulated hosts."""

from __future__ import annotations

import pytest

from control_plane.drivers.protocol import HostUnreachable
from control_plane.drivers.simulated import Running, SimulatedWorld
from control_plane.drivers.world import FenceFailed, Sign
from control_plane.model.fence import FenceKind
from control_plane.model.ids import HostId, ServerId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from tests.drivers.simulated.samples import POOL, A, B, C, bring_up, spec, world

WEB = ServerId("web")


def signs(where: SimulatedWorld, host: Host) -> dict[str, Sign]:
    return {channel.name: channel.listen(host) for channel in where.channels()}


def watch(where: SimulatedWorld, host: Host, seconds: int) -> dict[str, Sign]:
    """Listen once a second, as a control plane does; what was heard last."""
    for _ in range(seconds):
        signs(where, host)
        where.clock.sleep(Seconds(1))
    return signs(where, host)


def fence_by(where: SimulatedWorld, name: str, host: Host) -> FenceKind:
    return next(f for f in where.fencers(host) if f.name == name).fence(host).kind


def test_a_healthy_host_is_alive_on_both_channels() -> None:
    assert watch(world(), A, 10) == {
        "management-network": Sign.ALIVE,
        "storage-heartbeat": Sign.ALIVE,
    }


def test_a_process_that_has_just_begun_to_watch_does_not_know_the_heartbeat() -> None:
    assert signs(world(), A)["storage-heartbeat"] is Sign.UNKNOWN


def test_a_host_without_power_falls_silent_on_both_channels() -> None:
    where = world()
    watch(where, A, 10)
    where.cut_power(A.id)
    assert watch(where, A, 25) == {
        "management-network": Sign.SILENT,
        "storage-heartbeat": Sign.SILENT,
    }


def test_a_cut_network_silences_one_channel_alone() -> None:
    where = world()
    where.cut_network(A.id)
    assert watch(where, A, 60) == {
        "management-network": Sign.SILENT,
        "storage-heartbeat": Sign.ALIVE,
    }
    assert where.machines[A.id].running is Running.ON


def test_storage_that_answers_nobody_is_not_taken_for_silence() -> None:
    where = world()
    watch(where, A, 10)
    where.lose_storage(POOL)
    assert watch(where, A, 30)["storage-heartbeat"] is Sign.UNKNOWN


def test_a_host_that_cannot_renew_its_lease_resets_itself_and_boots() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(30))
    where.cut_storage(A.id)
    where.clock.sleep(Seconds(39))
    assert where.hosts_running(WEB) == ("a",)
    where.clock.sleep(Seconds(2))
    assert where.hosts_running(WEB) == ()
    assert where.machines[A.id].running is Running.BOOTING
    where.clock.sleep(Seconds(90))
    assert where.machines[A.id].running is Running.ON


def test_a_host_whose_storage_comes_back_in_time_is_not_reset() -> None:
    where = world()
    bring_up(where, A, spec())
    where.cut_storage(A.id)
    where.clock.sleep(Seconds(35))
    where.restore_storage(A.id)
    where.clock.sleep(Seconds(200))
    assert where.hosts_running(WEB) == ("a",)


def test_a_frozen_host_is_reset_before_its_lease_counts_as_proof() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(30))
    where.freeze(A.id)
    while True:
        where.clock.sleep(Seconds(1))
        try:
            fence_by(where, "storage-lease", A)
            break
        except FenceFailed:
            continue
    assert where.hosts_running(WEB) == ()
    where.thaw(A.id)
    assert where.hosts_running(WEB) == ()


def test_a_frozen_host_without_watchdog_goes_on_when_it_thaws() -> None:
    where = world()
    where.remove_watchdog(A.id)
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(30))
    where.freeze(A.id)
    where.clock.sleep(Seconds(300))
    assert not where.answering(WEB)
    where.thaw(A.id)
    assert where.answering(WEB)


def test_the_bmc_cuts_power_and_reads_it_back_as_off() -> None:
    where = world()
    bring_up(where, A, spec())
    assert fence_by(where, "redfish", A) is FenceKind.REDFISH_POWER_OFF
    assert where.machines[A.id].running is Running.OFF
    assert where.hosts_running(WEB) == ()


def test_a_fence_can_be_repeated() -> None:
    where = world()
    fence_by(where, "redfish", A)
    assert fence_by(where, "redfish", A) is FenceKind.REDFISH_POWER_OFF


def test_a_bmc_without_current_does_not_fence() -> None:
    where = world()
    where.cut_power(A.id)
    with pytest.raises(FenceFailed, match="did not answer"):
        fence_by(where, "redfish", A)


@pytest.mark.parametrize("fault", ["kill_bmc", "hang_bmc", "make_bmc_ignore_orders"])
def test_a_bmc_that_does_not_prove_power_off_does_not_fence(fault: str) -> None:
    where = world()
    getattr(where, fault)(A.id)
    with pytest.raises(FenceFailed):
        fence_by(where, "redfish", A)
    assert where.machines[A.id].running is Running.ON


def test_a_lying_bmc_is_believed_and_only_the_disk_lock_is_left() -> None:
    where = world()
    bring_up(where, A, spec())
    where.make_bmc_lie(A.id)
    assert fence_by(where, "redfish", A) is FenceKind.REDFISH_POWER_OFF
    assert where.hosts_running(WEB) == ("a",)


def test_the_lease_proves_nothing_before_the_control_plane_itself_watched_long_enough() -> None:
    where = world()
    where.cut_power(A.id)
    where.clock.sleep(Seconds(1000))
    with pytest.raises(FenceFailed, match="unchanged for 0 s of 50 s"):
        fence_by(where, "storage-lease", A)
    where.clock.sleep(Seconds(49))
    with pytest.raises(FenceFailed, match="49 s of 50 s"):
        fence_by(where, "storage-lease", A)
    where.clock.sleep(Seconds(1))
    assert fence_by(where, "storage-lease", A) is FenceKind.LEASE_EXPIRED


def test_time_in_which_the_lease_could_not_be_read_does_not_count() -> None:
    where = world()
    where.cut_power(A.id)
    watch(where, A, 50)
    where.lose_storage(POOL)
    watch(where, A, 50)
    with pytest.raises(FenceFailed, match="cannot be read"):
        fence_by(where, "storage-lease", A)
    where.return_storage(POOL)
    with pytest.raises(FenceFailed, match="unchanged for 0 s"):
        fence_by(where, "storage-lease", A)


def test_another_process_has_to_watch_the_lease_for_itself() -> None:
    where = world()
    where.cut_power(A.id)
    watch(where, A, 70)
    other = where.seen_by_another_process()
    lease = next(f for f in other.fencers(A) if f.name == "storage-lease")
    with pytest.raises(FenceFailed, match="unchanged for 0 s"):
        lease.fence(A)


def test_fences_that_a_host_does_not_have_are_not_offered() -> None:
    where = world()
    assert [f.name for f in where.fencers(A)] == ["redfish", "storage-lease"]
    where.remove_bmc(A.id)
    assert [f.name for f in where.fencers(A)] == ["storage-lease"]


def test_a_lease_without_a_watchdog_is_heard_and_proves_nothing() -> None:
    where = world()
    where.remove_watchdog(A.id)
    assert watch(where, A, 10)["storage-heartbeat"] is Sign.ALIVE
    where.cut_power(A.id)
    assert watch(where, A, 100)["storage-heartbeat"] is Sign.UNKNOWN
    with pytest.raises(FenceFailed, match="no watchdog is armed"):
        fence_by(where, "storage-lease", A)


def test_a_host_that_outlives_its_lease_has_disproved_it() -> None:
    where = world()
    where.break_watchdog(A.id)
    watch(where, A, 10)
    where.cut_storage(A.id)
    watch(where, A, 60)
    with pytest.raises(FenceFailed, match="proves nothing"):
        fence_by(where, "storage-lease", A)


def test_power_that_comes_back_boots_the_host_with_its_definitions_and_no_guest() -> None:
    where = world()
    bring_up(where, A, spec())
    where.cut_power(A.id)
    with pytest.raises(HostUnreachable):
        where.driver(A).list_servers()
    where.restore_power(A.id)
    where.clock.sleep(Seconds(91))
    (seen,) = where.driver(A).list_servers()
    assert (seen.id, seen.state.value) == (WEB, "stopped")


def test_a_site_without_power_has_neither_bmc_nor_storage() -> None:
    where = world()
    watch(where, A, 10)
    where.cut_site_power(A.site)
    assert watch(where, A, 30) == {
        "management-network": Sign.SILENT,
        "storage-heartbeat": Sign.UNKNOWN,
    }
    for name in ("redfish", "storage-lease"):
        with pytest.raises(FenceFailed):
            fence_by(where, name, A)


def test_a_flapping_link_goes_and_comes_as_often_as_asked() -> None:
    where = world()
    where.flap(A.id, times=2, down=Seconds(3), up=Seconds(7))
    heard = []
    for _ in range(22):
        where.clock.sleep(Seconds(1))
        heard.append(signs(where, A)["management-network"] is Sign.ALIVE)
    assert heard == [False] * 2 + [True] * 7 + [False] * 3 + [True] * 10


def test_twenty_unreachable_hosts_cost_one_time_out_when_asked_side_by_side() -> None:
    where = world()
    for machine in (A, B, C):
        where.cut_power(machine.id)
    answers = where.run_all([where.driver(h).list_servers for h in (A, B, C)])
    assert all(isinstance(answer, HostUnreachable) for answer in answers)
    assert where.clock.monotonic() == where.timing.call_timeout


def test_a_host_that_was_never_described_exists_once_it_is_spoken_to() -> None:
    where = SimulatedWorld()
    assert where.driver(A).list_servers() == []
    assert set(where.machines) == {HostId("a")}
