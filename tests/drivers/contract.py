"""What every driver of a host promises, as tests that each driver passes unchanged.

A driver's test module derives from `HostDriverContract` and gives a fixture `hosts` of the shape of
`TwoHosts`: two hosts on one shared storage, and the few things that only the surroundings can do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from control_plane.drivers.disks import DiskFile
from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    HostDriver,
    HostUnreachable,
    ImageCorrupt,
    MovedOn,
    NoSuchDisk,
    NoSuchServer,
    RunState,
    ServerSpec,
)
from control_plane.model.ids import Generation, ServerId
from control_plane.model.image import Image
from control_plane.model.pool import Endpoint
from control_plane.model.units import GiB, MiB, Resources, Seconds, VCpu

BRIEFLY = Seconds(1.0)
LONG = Seconds(60.0)


class TwoHosts(Protocol):
    """Two hosts on one shared storage."""

    @property
    def first(self) -> HostDriver: ...

    @property
    def second(self) -> HostDriver: ...

    @property
    def second_endpoint(self) -> Endpoint: ...

    @property
    def greeting(self) -> str:
        """What a guest that boots says on its console once it is up."""
        ...

    def spec(self, *, boots: bool = False) -> ServerSpec:
        """A server that no test has used. With `boots` its guest says the greeting and obeys the
        power button; without, it runs and is deaf. It has 1 vCPU."""
        ...

    def corrupt_image(self) -> Image:
        """An image that reaches a host with other bytes than its sha256 says."""
        ...

    def write_on(self, spec: ServerSpec) -> None:
        """Leave a trace on the volume of a server that does not run."""
        ...

    def is_written_on(self, spec: ServerSpec) -> bool:
        """Whether that trace is still there."""
        ...

    def is_written_in(self, exported: bytes) -> bool:
        """Whether that trace is in a disk that was exported."""
        ...

    def keys_told(self, spec: ServerSpec) -> tuple[str, ...]:
        """The public keys that the guest of a defined server finds on its seed disk."""
        ...

    def disk_size(self, spec: ServerSpec) -> GiB:
        """The virtual size of the volume as it lies on the storage."""
        ...

    def running_size(self, driver: HostDriver, server: ServerId) -> Resources:
        """What the running server has been given."""
        ...

    def silence_first(self) -> None:
        """The first host runs on and does not answer any more."""
        ...

    def hear_first(self) -> None:
        """It answers again."""
        ...

    def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass until the condition holds; fails the test when it takes far too long."""
        ...


def prepare(driver: HostDriver, spec: ServerSpec) -> None:
    driver.ensure_image(spec.image)
    driver.ensure_volume(spec)
    driver.define(spec)


def launch(driver: HostDriver, spec: ServerSpec) -> None:
    prepare(driver, spec)
    driver.start(spec.id)


def seen(driver: HostDriver, spec: ServerSpec) -> tuple[Generation, RunState] | None:
    """How the host lists the server; None where it does not."""
    found = [server for server in driver.list_servers() if server.id == spec.id]
    assert len(found) <= 1
    return (found[0].generation, found[0].state) if found else None


def state(driver: HostDriver, spec: ServerSpec) -> RunState | None:
    found = seen(driver, spec)
    return found[1] if found else None


def booted(driver: HostDriver, spec: ServerSpec) -> Generation:
    return next(server.booted for server in driver.list_servers() if server.id == spec.id)


@dataclass
class Sink:
    """Has `taken` already, and loses patience once it has taken `most`."""

    taken: bytes = b""
    most: float = float("inf")
    disk: DiskFile | None = None

    def expect(self, disk: DiskFile) -> int:
        self.disk = disk
        return len(self.taken)

    def write(self, chunk: bytes) -> None:
        if len(self.taken) >= self.most:
            raise InterruptedError
        self.taken += chunk


class HostDriverContract:
    def test_a_host_tells_what_it_is(self, hosts: TwoHosts) -> None:
        facts = hosts.first.facts()
        assert facts.hypervisor
        assert facts.version
        assert facts.capacity.vcpu >= 1
        assert facts.capacity.memory >= 128

    def test_a_server_is_listed_with_its_generation_from_definition_on(
        self, hosts: TwoHosts
    ) -> None:
        spec = replace(hosts.spec(), generation=Generation(7))
        prepare(hosts.first, spec)
        assert seen(hosts.first, spec) == (7, RunState.STOPPED)
        hosts.first.start(spec.id)
        assert seen(hosts.first, spec) == (7, RunState.RUNNING)

    def test_every_step_of_a_start_may_be_repeated(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        launch(hosts.first, spec)
        assert seen(hosts.first, spec) == (spec.generation, RunState.RUNNING)

    def test_defining_a_running_server_again_moves_its_generation_on_while_it_runs(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        hosts.first.define(replace(spec, generation=Generation(9), name="renamed"))
        assert seen(hosts.first, spec) == (9, RunState.RUNNING)
        hosts.first.destroy(spec.id, Generation(9))
        assert seen(hosts.first, spec) == (9, RunState.STOPPED)

    def test_a_guest_is_heard_on_its_console_and_stops_when_asked(self, hosts: TwoHosts) -> None:
        spec = hosts.spec(boots=True)
        launch(hosts.first, spec)
        hosts.until(lambda: hosts.greeting in hosts.first.console(spec.id, 64 * 1024))
        said = hosts.first.console(spec.id, 64 * 1024)
        short = hosts.first.console(spec.id, 10)
        assert len(short) <= 10 < len(said)
        assert hosts.first.shut_down(spec.id, LONG, spec.generation)
        assert state(hosts.first, spec) is RunState.STOPPED
        assert hosts.first.shut_down(spec.id, BRIEFLY, spec.generation)

    def test_a_guest_that_does_not_obey_is_not_said_to_have_stopped(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        assert not hosts.first.shut_down(spec.id, BRIEFLY, spec.generation)
        assert state(hosts.first, spec) is RunState.RUNNING

    def test_a_destroyed_server_stays_defined_and_can_start_again(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        hosts.first.destroy(spec.id, spec.generation)
        assert state(hosts.first, spec) is RunState.STOPPED
        hosts.first.destroy(spec.id, spec.generation)
        hosts.first.start(spec.id)
        assert state(hosts.first, spec) is RunState.RUNNING

    def test_a_running_server_is_not_forgotten(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        with pytest.raises(DriverError):
            hosts.first.undefine(spec.id, spec.generation)
        assert state(hosts.first, spec) is RunState.RUNNING

    def test_what_is_gone_can_be_destroyed_and_forgotten_again(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        hosts.first.undefine(spec.id, spec.generation)
        assert seen(hosts.first, spec) is None
        hosts.first.undefine(spec.id, spec.generation)
        hosts.first.destroy(spec.id, spec.generation)

    def test_a_running_server_that_was_relabelled_since_it_was_listed_is_left_alone(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        later = Generation(spec.generation + 1)
        hosts.first.define(replace(spec, generation=later))
        with pytest.raises(MovedOn):
            hosts.first.shut_down(spec.id, BRIEFLY, spec.generation)
        with pytest.raises(MovedOn):
            hosts.first.destroy(spec.id, spec.generation)
        with pytest.raises(MovedOn):
            hosts.first.undefine(spec.id, spec.generation)
        assert seen(hosts.first, spec) == (later, RunState.RUNNING)

    def test_a_server_that_was_defined_anew_since_it_was_listed_is_left_alone(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        hosts.first.destroy(spec.id, spec.generation)
        later = Generation(spec.generation + 1)
        hosts.first.define(replace(spec, generation=later))
        with pytest.raises(MovedOn):
            hosts.first.undefine(spec.id, spec.generation)
        assert seen(hosts.first, spec) == (later, RunState.STOPPED)
        hosts.first.start(spec.id)
        with pytest.raises(MovedOn):
            hosts.first.destroy(spec.id, spec.generation)
        assert seen(hosts.first, spec) == (later, RunState.RUNNING)

    def test_a_server_that_arrived_where_a_copy_had_been_listed_is_left_alone(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        prepare(hosts.second, spec)
        launch(hosts.first, spec)
        later = Generation(spec.generation + 1)
        hosts.first.define(replace(spec, generation=later))
        hosts.first.migrate(spec.id, hosts.second_endpoint)
        with pytest.raises(MovedOn):
            hosts.second.destroy(spec.id, spec.generation)
        assert seen(hosts.second, spec) == (later, RunState.RUNNING)

    def test_an_unknown_server_is_named_as_such(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        with pytest.raises(NoSuchServer):
            hosts.first.start(spec.id)
        with pytest.raises(NoSuchServer):
            hosts.first.console(spec.id, 100)
        with pytest.raises(NoSuchServer):
            hosts.first.resize(spec.id, spec.size)
        with pytest.raises(NoSuchServer):
            hosts.first.migrate(spec.id, hosts.second_endpoint)

    def test_an_image_with_wrong_bytes_is_refused_each_time(self, hosts: TwoHosts) -> None:
        image = hosts.corrupt_image()
        for _ in range(2):
            with pytest.raises(ImageCorrupt):
                hosts.first.ensure_image(image)

    def test_a_volume_that_exists_is_never_touched(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        assert not hosts.is_written_on(spec)
        hosts.write_on(spec)
        hosts.first.ensure_volume(spec)
        hosts.second.ensure_image(spec.image)
        hosts.second.ensure_volume(spec)
        assert hosts.is_written_on(spec)

    def test_a_volume_of_another_build_is_made_anew_from_the_image(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        hosts.write_on(spec)
        anew = replace(spec, volume=replace(spec.volume, build=1))
        prepare(hosts.first, anew)
        assert not hosts.is_written_on(anew)
        hosts.first.start(spec.id)
        hosts.first.destroy(spec.id, spec.generation)
        hosts.write_on(anew)
        hosts.second.ensure_volume(anew)
        assert hosts.is_written_on(anew)

    def test_who_wants_an_earlier_build_takes_nothing_of_a_later_one(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        later = replace(spec, volume=replace(spec.volume, build=2))
        prepare(hosts.first, later)
        hosts.write_on(later)
        for build in (0, 1):
            with pytest.raises(MovedOn):
                hosts.second.ensure_volume(replace(spec, volume=replace(spec.volume, build=build)))
        hosts.second.ensure_volume(later)
        assert hosts.is_written_on(later)

    def test_a_volume_that_a_running_server_holds_is_not_made_anew(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        with pytest.raises(DiskLocked):
            hosts.second.ensure_volume(replace(spec, volume=replace(spec.volume, build=1)))
        hosts.first.destroy(spec.id, spec.generation)
        launch(hosts.first, spec)

    @pytest.mark.parametrize("running", [True, False])
    def test_a_volume_grows_and_keeps_what_is_on_it(self, hosts: TwoHosts, running: bool) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        hosts.write_on(spec)
        if running:
            hosts.first.start(spec.id)
        larger = replace(spec, volume=replace(spec.volume, size=GiB(spec.volume.size + 1)))
        for _ in range(2):
            hosts.first.grow_volume(larger)
        hosts.first.define(larger)
        hosts.first.destroy(spec.id, spec.generation)
        hosts.second.ensure_volume(larger)
        assert hosts.disk_size(larger) == spec.volume.size + 1
        assert hosts.is_written_on(larger)

    def test_a_server_is_listed_with_the_generation_of_its_last_start(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        later = replace(spec, generation=Generation(2))
        hosts.first.define(later)
        assert booted(hosts.first, spec) == 1
        hosts.first.migrate(spec.id, hosts.second_endpoint)
        assert booted(hosts.second, spec) == 1
        hosts.second.destroy(spec.id, Generation(2))
        launch(hosts.second, later)
        assert booted(hosts.second, spec) == 2

    def test_a_volume_outlives_its_definition_and_goes_when_it_is_removed(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        hosts.write_on(spec)
        hosts.first.undefine(spec.id, spec.generation)
        prepare(hosts.first, spec)
        assert hosts.is_written_on(spec)
        hosts.first.undefine(spec.id, spec.generation)
        hosts.first.remove_volume(spec.id, spec.volume)
        hosts.first.remove_volume(spec.id, spec.volume)
        prepare(hosts.first, spec)
        assert not hosts.is_written_on(spec)

    def test_an_exported_disk_is_all_of_it_and_may_be_fetched_in_parts(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        hosts.write_on(spec)
        whole, part = Sink(), Sink(most=1)
        hosts.first.export_disk(spec.id, spec.volume, whole)
        assert whole.disk == DiskFile(len(whole.taken), spec.volume.size * 2**30)
        assert whole.taken.startswith(b"QFI\xfb")
        assert hosts.is_written_in(whole.taken)
        with contextlib.suppress(InterruptedError):
            hosts.second.export_disk(spec.id, spec.volume, part)
        part.taken, part.most = part.taken[:70_000], float("inf")
        hosts.second.export_disk(spec.id, spec.volume, part)
        assert part.taken == whole.taken
        hosts.first.start(spec.id)
        assert state(hosts.first, spec) is RunState.RUNNING

    def test_the_disk_of_a_running_server_is_not_exported(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        for driver in (hosts.first, hosts.second):
            sink = Sink()
            with pytest.raises(DiskLocked):
                driver.export_disk(spec.id, spec.volume, sink)
            assert sink.taken == b""
        assert state(hosts.first, spec) is RunState.RUNNING

    def test_a_disk_that_was_never_made_or_is_gone_is_named_as_such(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        with pytest.raises(NoSuchDisk):
            hosts.first.export_disk(spec.id, spec.volume, Sink())
        prepare(hosts.first, spec)
        hosts.first.undefine(spec.id, spec.generation)
        hosts.first.remove_volume(spec.id, spec.volume)
        with pytest.raises(NoSuchDisk):
            hosts.first.export_disk(spec.id, spec.volume, Sink())

    def test_a_disk_has_one_writer(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        prepare(hosts.second, spec)
        with pytest.raises(DiskLocked):
            hosts.second.start(spec.id)
        assert state(hosts.second, spec) is RunState.STOPPED
        with pytest.raises(DiskLocked):
            hosts.second.remove_volume(spec.id, spec.volume)
        assert state(hosts.first, spec) is RunState.RUNNING
        hosts.first.destroy(spec.id, spec.generation)
        hosts.second.start(spec.id)
        assert state(hosts.second, spec) is RunState.RUNNING

    def test_a_disk_keeps_its_one_writer_while_that_host_does_not_answer(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        prepare(hosts.second, spec)
        hosts.silence_first()
        try:
            with pytest.raises(DiskLocked):
                hosts.second.start(spec.id)
        finally:
            hosts.hear_first()
        assert state(hosts.first, spec) is RunState.RUNNING

    def test_a_migrated_server_runs_at_the_target_and_the_source_has_forgotten_it(
        self, hosts: TwoHosts
    ) -> None:
        spec = replace(hosts.spec(), generation=Generation(4))
        launch(hosts.first, spec)
        hosts.first.migrate(spec.id, hosts.second_endpoint)
        assert seen(hosts.first, spec) is None
        assert seen(hosts.second, spec) == (4, RunState.RUNNING)

    def test_the_disk_lock_goes_along_with_a_migration(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        hosts.first.migrate(spec.id, hosts.second_endpoint)
        prepare(hosts.first, spec)
        with pytest.raises(DiskLocked):
            hosts.first.start(spec.id)
        hosts.second.destroy(spec.id, spec.generation)
        hosts.first.start(spec.id)
        assert state(hosts.first, spec) is RunState.RUNNING

    def test_a_migration_to_a_host_that_is_not_there_leaves_the_server_running(
        self, hosts: TwoHosts
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        nowhere = replace(
            hosts.second_endpoint,
            uri=f"{hosts.second_endpoint.uri}".replace("://", "://absent.", 1),
        )
        with pytest.raises(DriverError):
            hosts.first.migrate(spec.id, nowhere)
        assert state(hosts.first, spec) is RunState.RUNNING

    def test_a_guest_finds_the_keys_of_those_who_may_get_in(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        assert hosts.keys_told(spec) == ()
        keys = ("ssh-ed25519 AAAA alice: at home", "ssh-rsa BBBB 鈴木")
        keyed = replace(spec, public_keys=keys, generation=Generation(spec.generation + 1))
        hosts.first.define(keyed)
        assert hosts.keys_told(keyed) == keys

    def test_a_new_size_holds_at_the_latest_from_the_next_start(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        larger = Resources(VCpu(2), MiB(spec.size.memory + 32))
        hosts.first.resize(spec.id, larger)
        hosts.first.destroy(spec.id, spec.generation)
        hosts.first.start(spec.id)
        assert hosts.running_size(hosts.first, spec.id) == larger

    def test_a_host_that_does_not_answer_is_called_unreachable_until_it_does(
        self, hosts: TwoHosts
    ) -> None:
        hosts.first.list_servers()
        hosts.silence_first()
        try:
            for _ in range(2):
                with pytest.raises(HostUnreachable):
                    hosts.first.list_servers()
        finally:
            hosts.hear_first()
        hosts.until(lambda: _answers(hosts.first))


def _answers(driver: HostDriver) -> bool:
    try:
        driver.list_servers()
    except HostUnreachable:
        return False
    return True
