"""The real World: this machine's clock and threads, real hosts, real fences, people to be told."""

from control_plane.drivers.real.driver_cache import DriverFactory, NoDriver
from control_plane.drivers.real.notifiers import LogNotifier, WebhookNotifier
from control_plane.drivers.real.settings import Settings, Witness
from control_plane.drivers.real.world import RealWorld

__all__ = [
    "DriverFactory",
    "LogNotifier",
    "NoDriver",
    "RealWorld",
    "Settings",
    "WebhookNotifier",
    "Witness",
]
