"""The World as it is. One object for the life of a control-plane process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from control_plane.drivers.container_volumes import ContainerVolumes, NoPlatform
from control_plane.drivers.fencing import LeaseChannel, LeaseFencer, LeaseWatch
from control_plane.drivers.fencing.redfish import Bmcs, RedfishFencer
from control_plane.drivers.nbd import NbdExports
from control_plane.drivers.objects import ObjectStore
from control_plane.drivers.protocol import HostDriver
from control_plane.drivers.real.driver_cache import STANDARD_DRIVERS, DriverCache, DriverFactory
from control_plane.drivers.real.management import ManagementChannel
from control_plane.drivers.real.notifiers import LogNotifier
from control_plane.drivers.real.settings import Settings
from control_plane.drivers.real.workers import Job, Workers
from control_plane.drivers.system_clock import SystemClock
from control_plane.drivers.world import Clock, Fencer, Lane, LivenessChannel, Notifier, PowerFailed
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.model.pool import Host

T = TypeVar("T")


class RealWorld:
    """A World (drivers/world.py). `drivers` makes a driver from an endpoint by the endpoint's
    `driver`; None takes the standard ones. `notifiers` None writes events to standard error.
    `objects` makes a store of objects from its place; without it there are none. `containers` are the
    regions that run any. `disk_exports`: where hosts read
    disks from this control plane, if anywhere.

    The management network comes first among the channels, since drivers reach hosts over it. Redfish
    comes first among the fences, since it takes seconds where a lease takes its full time."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        drivers: Mapping[str, DriverFactory] | None = None,
        notifiers: Sequence[Notifier] | None = None,
        clock: Clock | None = None,
        objects: Callable[[str], ObjectStore] | None = None,
        containers: Mapping[RegionId, ContainerVolumes] | None = None,
        disk_exports: NbdExports | None = None,
    ) -> None:
        settings = settings or Settings()
        self._settings = settings
        self._clock: Clock = clock or SystemClock()
        self._notifiers = (LogNotifier(),) if notifiers is None else tuple(notifiers)
        self._drivers = DriverCache(STANDARD_DRIVERS if drivers is None else drivers)
        self._watch = LeaseWatch(self._clock, read_patience=settings.storage_patience)
        self._management = ManagementChannel(
            self._clock,
            self._drivers.of,
            settings,
            lambda host: self._watch.answered(host.id, settings.lease_margin),
        )
        self._heartbeat = LeaseChannel(self._watch, window=settings.lease_window)
        self._redfish = RedfishFencer(self._clock, Bmcs(settings.bmc))
        self._lease = LeaseFencer(self._clock, self._watch, margin=settings.lease_margin)
        self._objects = objects
        self._containers = dict(containers or {})
        self._disk_exports = disk_exports
        self._workers = Workers("yui", settings.at_once)
        self._lanes = {
            Lane.SLOW: Workers("yui-slow", settings.slow_at_once),
            Lane.CARE: Workers("yui-care", settings.care_at_once),
            Lane.EXPORT: Workers("yui-export", settings.exports_at_once),
            Lane.FENCE: Workers("yui-fence", settings.fences_at_once),
            Lane.BACKUP: Workers("yui-backup", settings.backups_at_once),
            Lane.COPY: Workers("yui-copy", settings.copies_at_once),
            Lane.HOLD: Workers("yui-hold", settings.holds_at_once),
            Lane.DUMP: Workers("yui-dump", settings.dumps_at_once),
            Lane.RESTORE: Workers("yui-restore", settings.restores_at_once),
            Lane.LEAN: Workers("yui-lean", settings.leaning_at_once),
            Lane.FILL: Workers("yui-fill", settings.fills_at_once),
        }

    @property
    def clock(self) -> Clock:
        return self._clock

    def notifiers(self) -> Sequence[Notifier]:
        return self._notifiers

    @property
    def leases(self) -> LeaseWatch:
        """What was seen of the hosts' leases, such as which boot they tell of."""
        return self._watch

    def driver(self, host: Host) -> HostDriver:
        """Raises NoDriver, a DriverError, for a host that this control plane can't speak to."""
        return self._drivers.of(host)

    def channels(self) -> Sequence[LivenessChannel]:
        return (self._management, self._heartbeat)

    def fencers(self, host: Host) -> Sequence[Fencer]:
        fencers: list[Fencer] = []
        if host.endpoint.bmc_url is not None:
            fencers.append(self._redfish)
        if host.endpoint.lease_path is not None:
            fencers.append(self._lease)
        return fencers

    def switch_on(self, host: Host) -> None:
        if host.endpoint.bmc_url is None:
            raise PowerFailed(f"Host {host.id} has no BMC that could switch it on.")
        self._redfish.power_on(host)

    def objects(self, place: str) -> ObjectStore:
        if self._objects is None:
            raise YuiError(
                "no-object-stores",
                en="This control plane was started without object stores, so it cannot reach backups.",
                ja="このコントロールプレーンはオブジェクトストアを使わない設定で起動されたため、バックアップに接続できません。",
                status=503,
            )
        return self._objects(place)

    def disk_exports(self) -> NbdExports:
        if self._disk_exports is None:
            raise YuiError(
                "no-disk-exports",
                en="This control plane has no address at which hosts could read disks, so no server starts before its disks are restored: ask the operators to start it with --disk-address, or restore without starting at once.",
                ja="このコントロールプレーンには、ホストがディスクを読み取るためのアドレスが設定されていません。復元が終わる前にサーバーを起動するには、運用担当者に --disk-address の設定を依頼してください。すぐに起動しない復元は今のままで行えます。",
                status=409,
            )
        return self._disk_exports

    def container_volumes(self, region: RegionId) -> ContainerVolumes:
        found = self._containers.get(region)
        if found is None:
            raise NoPlatform(f"Nothing in region {region} runs containers.")
        return found

    def run_all(self, tasks: Sequence[Callable[[], T]]) -> Sequence[T | BaseException]:
        """A task that hangs is given up after `task_patience`: TimeoutError in its place."""
        return self._workers.run_all(tasks, self._settings.task_patience)

    def submit(self, task: Callable[[], T], lane: Lane = Lane.SLOW) -> Job[T]:
        """Never given up: a task counts as under way until it has truly ended, however long."""
        return self._lanes[lane].begin(task)

    def close(self) -> None:
        """Begin nothing more and let the connections go; what hangs is left behind."""
        self._workers.close()
        for workers in self._lanes.values():
            workers.close()
        if self._disk_exports is not None:
            self._disk_exports.close()
        self._management.close()
        self._drivers.close()
