"""Driver calls that were arranged to go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from control_plane.drivers.protocol import DriverError
from control_plane.model.ids import HostId, ServerId
from control_plane.model.units import Seconds


@dataclass(slots=True)
class _Arranged:
    """The next `times` calls named `call` on `host` fail; None stands for any host, any server."""

    call: str
    host: HostId | None
    server: ServerId | None
    times: int
    error: DriverError | None
    """None: the call takes effect, and its answer is lost, or comes `late`."""
    late: Seconds | None = None

    def meets(self, host: HostId, call: str, server: ServerId | None) -> bool:
        return (
            self.times > 0
            and self.call == call
            and self.host in (None, host)
            and self.server in (None, server)
        )


@dataclass(slots=True)
class Trouble:
    _arranged: list[_Arranged] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self._arranged)

    def fail(
        self,
        call: str,
        host: HostId | None,
        server: ServerId | None,
        times: int,
        error: DriverError | None,
        *,
        late: Seconds | None = None,
    ) -> None:
        self._arranged.append(_Arranged(call, host, server, times, error, late))

    def before(self, host: HostId, call: str, server: ServerId | None) -> DriverError | None:
        """The error with which this call fails without effect, if one was arranged."""
        for arranged in self._arranged:
            if arranged.error is not None and arranged.meets(host, call, server):
                self._use(arranged)
                return arranged.error
        return None

    def loses_answer(self, host: HostId, call: str, server: ServerId | None) -> bool:
        for arranged in self._arranged:
            lost = arranged.error is None and arranged.late is None
            if lost and arranged.meets(host, call, server):
                self._use(arranged)
                return True
        return False

    def holds_answer(self, host: HostId, call: str, server: ServerId | None) -> Seconds:
        """How long after its effect this call's answer comes."""
        for arranged in self._arranged:
            if arranged.late is not None and arranged.meets(host, call, server):
                self._use(arranged)
                return arranged.late
        return Seconds(0)

    def _use(self, arranged: _Arranged) -> None:
        arranged.times -= 1
        if not arranged.times:
            self._arranged.remove(arranged)
