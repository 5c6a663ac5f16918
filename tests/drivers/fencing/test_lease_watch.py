"""The lease as channel and fence, in time that the tests themselves let pass."""

from __future__ import annotations

import os
import threading

import pytest

from control_plane.drivers.fencing import LeaseChannel, LeaseFencer, LeaseWatch
from control_plane.drivers.world import FenceFailed, Sign
from control_plane.model.fence import FenceKind
from control_plane.model.units import Seconds
from tests.drivers.fencing.samples import HandClock, LeaseFile, a_host

TTL, WATCHDOG, MARGIN = 20.0, 15.0, 5.0
PROOF = TTL + WATCHDOG + MARGIN


class ControlPlane:
    """One control-plane process with its own memory of one host's lease."""

    def __init__(self, clock: HandClock, path: object, name: str = "kyoto-1") -> None:
        self.host = a_host(name, lease_path=None if path is None else str(path))
        self.watch = LeaseWatch(clock)
        self.channel = LeaseChannel(self.watch)
        self.fencer = LeaseFencer(clock, self.watch, margin=Seconds(MARGIN))

    def hears(self) -> Sign:
        return self.channel.listen(self.host)

    def why_not(self) -> str:
        with pytest.raises(FenceFailed) as failure:
            self.fencer.fence(self.host)
        return str(failure.value)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def lease(tmp_path):
    file = LeaseFile(tmp_path / "kyoto-1")
    file.renew()
    return file


@pytest.fixture
def control_plane(clock, lease):
    return ControlPlane(clock, lease.path)


def test_a_lease_seen_once_tells_nothing_yet(control_plane):
    assert control_plane.hears() is Sign.UNKNOWN


def test_a_host_is_alive_from_the_first_renewal_that_was_watched(control_plane, clock, lease):
    control_plane.hears()
    clock.advance(5)
    lease.renew()
    assert control_plane.hears() is Sign.ALIVE


def test_a_renewal_of_a_time_when_nobody_looked_is_no_sign_of_life(control_plane, clock, lease):
    control_plane.hears()
    clock.advance(1)
    lease.renew()
    assert control_plane.hears() is Sign.ALIVE
    clock.advance(5)
    lease.renew()
    clock.advance(TTL)
    assert control_plane.hears() is Sign.UNKNOWN
    clock.advance(1)
    assert control_plane.hears() is Sign.UNKNOWN
    lease.renew()
    assert control_plane.hears() is Sign.ALIVE


def test_a_host_that_died_while_nobody_looked_falls_silent_without_having_been_heard(
    control_plane, clock, lease
):
    control_plane.hears()
    lease.renew()
    clock.advance(10 * TTL)
    heard = {control_plane.hears()}
    clock.advance(TTL - 0.1)
    heard.add(control_plane.hears())
    assert heard == {Sign.UNKNOWN}
    clock.advance(0.1)
    assert control_plane.hears() is Sign.SILENT


def test_a_lease_that_stands_still_for_its_lifetime_is_silence(control_plane, clock, lease):
    control_plane.hears()
    lease.renew()
    control_plane.hears()
    clock.advance(TTL - 0.1)
    assert control_plane.hears() is Sign.ALIVE
    clock.advance(0.1)
    assert control_plane.hears() is Sign.SILENT


@pytest.mark.parametrize(
    ("interval", "silent_after"),
    [(2.0, 8.0), (0.1, 3.0), (10.0, TTL)],
    ids=["four-renewals", "at-least-3-s", "at-most-the-ttl"],
)
def test_a_lease_that_tells_its_interval_falls_silent_after_a_few_missed_renewals(
    control_plane, clock, lease, interval, silent_after
):
    lease.renew(interval=interval)
    control_plane.hears()
    lease.renew(interval=interval)
    control_plane.hears()
    clock.advance(silent_after - 0.1)
    assert control_plane.hears() is Sign.ALIVE
    clock.advance(0.1)
    assert control_plane.hears() is Sign.SILENT
    assert "of 40 s" in control_plane.why_not()


def test_a_host_that_was_dead_before_anybody_watched_falls_silent_too(control_plane, clock):
    control_plane.hears()
    clock.advance(TTL)
    assert control_plane.hears() is Sign.SILENT


def test_evidence_comes_only_when_lease_watchdog_and_margin_are_over(control_plane, clock):
    assert "0 s of 40 s" in control_plane.why_not()
    clock.advance(PROOF - 0.1)
    control_plane.why_not()
    clock.advance(0.1)
    evidence = control_plane.fencer.fence(control_plane.host)
    assert evidence.kind is FenceKind.LEASE_EXPIRED
    assert evidence.host == "kyoto-1"
    assert evidence.at == clock.now()
    assert "boot 8d2f" in evidence.detail


def test_every_renewal_starts_the_wait_anew(control_plane, clock, lease):
    control_plane.why_not()
    for _ in range(20):
        clock.advance(PROOF - 1)
        lease.renew()
        control_plane.why_not()
    clock.advance(PROOF)
    control_plane.fencer.fence(control_plane.host)


def test_a_control_plane_that_just_started_trusts_nobodys_watching_but_its_own(
    control_plane, clock, lease
):
    control_plane.why_not()
    clock.advance(PROOF)
    successor = ControlPlane(clock, lease.path)
    successor.why_not()
    control_plane.fencer.fence(control_plane.host)
    clock.advance(PROOF)
    successor.fencer.fence(successor.host)


def test_a_host_whose_clock_is_wrong_by_years_is_not_taken_for_long_dead(control_plane, lease):
    os.utime(lease.path, (0, 0))
    assert "0 s of 40 s" in control_plane.why_not()


def test_a_missing_lease_is_never_evidence(control_plane, clock, lease):
    lease.path.unlink()
    for _ in range(5):
        assert "no lease of kyoto-1" in control_plane.why_not()
        assert control_plane.hears() is Sign.UNKNOWN
        clock.advance(PROOF)


def test_a_host_without_a_lease_is_never_fenced_by_one(clock):
    without = ControlPlane(clock, None)
    assert without.hears() is Sign.UNKNOWN
    assert "has no lease" in without.why_not()


def test_storage_that_goes_away_starts_the_wait_anew(control_plane, clock, lease):
    control_plane.why_not()
    clock.advance(PROOF - 1)
    content = lease.path.read_bytes()
    lease.path.unlink()
    control_plane.why_not()
    lease.path.write_bytes(content)
    clock.advance(PROOF)
    assert "0 s of 40 s" in control_plane.why_not()
    clock.advance(PROOF)
    control_plane.fencer.fence(control_plane.host)


@pytest.mark.parametrize(
    "content", [b"", b"garbage\n", b"\0" * 4096], ids=["empty", "garbage", "zeros"]
)
def test_a_malformed_lease_is_never_evidence(control_plane, clock, lease, content):
    control_plane.hears()
    lease.path.write_bytes(content)
    for _ in range(3):
        clock.advance(PROOF)
        assert control_plane.hears() is Sign.UNKNOWN
        assert "is no lease" in control_plane.why_not()


def test_another_hosts_lease_is_never_evidence(clock, lease):
    mistaken = ControlPlane(clock, lease.path, name="kyoto-2")
    clock.advance(PROOF)
    assert "not of kyoto-2 but of kyoto-1" in mistaken.why_not()
    assert mistaken.hears() is Sign.UNKNOWN


def test_a_lease_without_a_watchdog_behind_it_is_never_evidence(control_plane, clock, lease):
    lease.renew(armed=False)
    assert control_plane.hears() is Sign.UNKNOWN
    clock.advance(PROOF)
    assert control_plane.hears() is Sign.UNKNOWN
    assert "no watchdog is armed" in control_plane.why_not()


def test_a_host_that_answers_when_it_should_have_been_reset_disproves_its_lease(
    control_plane, clock, lease
):
    control_plane.why_not()
    clock.advance(PROOF)
    control_plane.hears()
    control_plane.watch.answered(control_plane.host.id, Seconds(MARGIN))
    clock.advance(PROOF)
    assert "answered after its watchdog should have reset it" in control_plane.why_not()
    lease.renew()
    control_plane.why_not()
    clock.advance(PROOF)
    control_plane.fencer.fence(control_plane.host)


def test_a_host_that_answers_in_time_disproves_nothing(control_plane, clock):
    control_plane.why_not()
    clock.advance(PROOF - 1)
    control_plane.hears()
    control_plane.watch.answered(control_plane.host.id, Seconds(MARGIN))
    clock.advance(1)
    control_plane.fencer.fence(control_plane.host)


def test_a_host_that_comes_back_tells_of_another_boot(control_plane, lease):
    assert control_plane.watch.boot_id(control_plane.host.id) is None
    control_plane.hears()
    assert control_plane.watch.boot_id(control_plane.host.id) == "8d2f"
    lease.renew(boot="77aa")
    control_plane.hears()
    assert control_plane.watch.boot_id(control_plane.host.id) == "77aa"


def test_a_read_that_hangs_leaves_the_host_unknown_and_is_not_piled_up(clock):
    thaw = threading.Event()
    begun = []

    def hang(path: str) -> bytes:
        begun.append(path)
        thaw.wait()
        raise OSError(0, "thawed")

    host = a_host(lease_path="/srv/leases/kyoto-1")
    watch = LeaseWatch(clock, read=hang, read_patience=Seconds(0.05))
    channel, fencer = LeaseChannel(watch), LeaseFencer(clock, watch)
    try:
        for _ in range(20):
            assert channel.listen(host) is Sign.UNKNOWN
            with pytest.raises(FenceFailed, match="cannot be read"):
                fencer.fence(host)
        assert begun == ["/srv/leases/kyoto-1"]
    finally:
        thaw.set()
