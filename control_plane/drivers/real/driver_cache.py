"""One driver object per host, made when it is first spoken to and kept while its endpoint stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from control_plane.drivers.protocol import DriverError, HostDriver
from control_plane.model.ids import HostId
from control_plane.model.pool import Endpoint, Host

DriverFactory = Callable[[Endpoint], HostDriver]
"""Makes a driver without speaking to the host yet."""


class NoDriver(DriverError):
    """This control plane cannot speak to hosts of that kind; it says nothing about the host."""


def libvirt_driver(endpoint: Endpoint) -> HostDriver:
    try:
        # The bindings are compiled against libvirt, which a control plane without such hosts lacks.
        from control_plane.drivers.libvirt import LibvirtDriver  # noqa: PLC0415
    except ImportError as error:
        raise NoDriver(
            "Python's libvirt bindings are not installed here: install this project with its extra 'libvirt'."
        ) from error
    return LibvirtDriver(endpoint)


STANDARD_DRIVERS: Mapping[str, DriverFactory] = {"libvirt": libvirt_driver}


class DriverCache:
    def __init__(self, factories: Mapping[str, DriverFactory]) -> None:
        self._factories = dict(factories)
        self._lock = threading.Lock()
        self._kept: dict[HostId, tuple[Endpoint, HostDriver]] = {}

    def of(self, host: Host) -> HostDriver:
        """Raises NoDriver where no factory is known for the endpoint's `driver`."""
        with self._lock:
            kept = self._kept.get(host.id)
            if kept is not None and kept[0] == host.endpoint:
                return kept[1]
            factory = self._factories.get(host.endpoint.driver)
            if factory is None:
                known = ", ".join(sorted(self._factories))
                raise NoDriver(
                    f"Host {host.id} names the driver '{host.endpoint.driver}', and this control plane has: {known}."
                )
            made = factory(host.endpoint)
            self._kept[host.id] = (host.endpoint, made)
        if kept is not None:
            kept[1].close()
        return made

    def close(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, {}
        for _, driver in kept.values():
            driver.close()
