"""Power-off through a host's BMC, believed only once it was read back and stayed off."""

from __future__ import annotations

from dataclasses import dataclass

import sushy

from control_plane.drivers.fencing.bmc import BmcConversation, BmcError
from control_plane.drivers.fencing.bounded import BoundedCalls
from control_plane.drivers.world import Clock, FenceFailed, PowerFailed
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

_OFF = "Off"
_ON = "On"


@dataclass(frozen=True, slots=True)
class Patience:
    """`answer` bounds every single step, `change` how long the power may take to go off or on,
    `settle` how long it must then have stayed off; `poll` is the time between two looks."""

    answer: Seconds = Seconds(8.0)
    change: Seconds = Seconds(20.0)
    settle: Seconds = Seconds(2.0)
    poll: Seconds = Seconds(0.5)


class Bmcs:
    """The way to every host's BMC; at most one step per host is under way at any time."""

    def __init__(self, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self._calls = BoundedCalls("bmc")

    def speak_to(self, host: Host) -> BmcConversation:
        """Raises BmcError where the host has no BMC."""
        return BmcConversation(host, self._calls, self.patience.answer)


class RedfishFencer:
    """Cuts a host's power. One attempt takes at most a step for each of log-in, look, order, looks
    within `change`, and two more looks; a BMC that is mute costs one `answer`."""

    def __init__(self, clock: Clock, bmcs: Bmcs | None = None) -> None:
        self._clock = clock
        self._bmcs = bmcs or Bmcs()

    @property
    def name(self) -> str:
        return "redfish"

    def fence(self, host: Host) -> FenceEvidence:
        try:
            with self._bmcs.speak_to(host) as bmc:
                was_off = bmc.power() == _OFF
                if not was_off:
                    bmc.reset(sushy.ResetType.FORCE_OFF)
                    self._wait_until(bmc, _OFF, "accepted the power-off")
                self._stays_off(bmc)
                at = self._clock.now()
        except BmcError as error:
            raise FenceFailed(str(error)) from None
        seen = f"PowerState was read as Off, and again {self._bmcs.patience.settle:g} s later"
        how = "The power was off already" if was_off else "Power was cut"
        return FenceEvidence(
            host.id, FenceKind.REDFISH_POWER_OFF, at, f"BMC of {host.id}", f"{how}: {seen}."
        )

    def power_on(self, host: Host) -> None:
        """Switch the host on and wait until it reads as On; success where it is. Raises PowerFailed.

        The caller makes sure that nothing takes the host for fenced on the strength of its being off:
        only a host that is emptied before use may be switched on."""
        try:
            with self._bmcs.speak_to(host) as bmc:
                if bmc.power() != _ON:
                    bmc.reset(sushy.ResetType.ON)
                    self._wait_until(bmc, _ON, "accepted the power-on")
        except BmcError as error:
            raise PowerFailed(str(error)) from None

    def _wait_until(self, bmc: BmcConversation, wanted: str, accepted: str) -> None:
        patience = self._bmcs.patience
        deadline = self._clock.monotonic() + patience.change
        while (state := bmc.power()) != wanted:
            if self._clock.monotonic() >= deadline:
                raise BmcError(
                    f"The {bmc.name} {accepted}, and after {patience.change:g} s its power still reads as {state}."
                )
            self._clock.sleep(patience.poll)

    def _stays_off(self, bmc: BmcConversation) -> None:
        """Some machines are switched on again by a restore policy, a watchdog or a person."""
        self._clock.sleep(self._bmcs.patience.settle)
        state = bmc.power()
        if state != _OFF:
            raise BmcError(
                f"The {bmc.name} read as Off, and {self._bmcs.patience.settle:g} s later its power reads as {state}."
            )
