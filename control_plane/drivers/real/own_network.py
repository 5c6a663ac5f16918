"""Whether a host's silence is the host's, or this control plane has lost its own network.

When its cable is pulled, a control plane hears no host at all, and to believe that they all died would
be the greatest mistake it can make. So silence counts only while something else answers after the
silence began: another host, asked again if need be, or a configured witness outside the pool. Where
nothing answers, nobody can know. A pool whose every host is silent therefore stays unjudged without
a witness; there would be no host left to restart anything on.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from control_plane.drivers.real.settings import Witness
from control_plane.drivers.real.workers import Workers
from control_plane.drivers.world import Clock
from control_plane.model.ids import HostId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

_PEERS_ASKED = 4


@dataclass(frozen=True, slots=True)
class _Probe:
    began: Seconds
    answered: bool


class OwnNetwork:
    """`answers` asks one host anew and says whether it answered. Safe to use from several threads."""

    def __init__(
        self,
        clock: Clock,
        answers: Callable[[Host], bool],
        witnesses: Sequence[Witness],
        patience: Seconds,
    ) -> None:
        self._clock = clock
        self._answers = answers
        self._witnesses = tuple(witnesses)
        self._patience = patience
        self._workers = Workers("own-network", at_once=2 * _PEERS_ASKED)
        self._lock = threading.Lock()
        self._probing = threading.Lock()
        self._heard: dict[HostId, tuple[Seconds, Host]] = {}
        self._probe = _Probe(Seconds(float("-inf")), False)

    def heard(self, host: Host) -> None:
        """The host answered just now."""
        with self._lock:
            self._heard[host.id] = (self._clock.monotonic(), host)

    def works(self, silent: Host, since: Seconds) -> bool:
        """Whether anything but the silent host has answered after `since`."""
        if self._anybody(silent.id, since):
            return True
        # Many hosts may be silent at once; one of them asks for all.
        with self._probing:
            if self._anybody(silent.id, since):
                return True
            if self._probe.began < since:
                began = self._clock.monotonic()
                self._probe = _Probe(began, self._ask(silent.id))
            return self._probe.answered or self._anybody(silent.id, since)

    def close(self) -> None:
        self._workers.close()

    def _anybody(self, besides: HostId, since: Seconds) -> bool:
        with self._lock:
            return any(at >= since for host, (at, _) in self._heard.items() if host != besides)

    def _ask(self, besides: HostId) -> bool:
        """Those heard last are the likeliest to answer."""
        with self._lock:
            known = [entry for host, entry in self._heard.items() if host != besides]
        known.sort(key=lambda entry: entry[0], reverse=True)
        tasks: list[Callable[[], bool]] = [
            _asking(self._answers, host) for _, host in known[:_PEERS_ASKED]
        ]
        tasks += [_connecting(witness, self._patience) for witness in self._witnesses]
        return any(answer is True for answer in self._workers.run_all(tasks, self._patience))


def _asking(answers: Callable[[Host], bool], host: Host) -> Callable[[], bool]:
    return lambda: answers(host)


def _connecting(witness: Witness, patience: Seconds) -> Callable[[], bool]:
    def connect() -> bool:
        try:
            socket.create_connection((witness.address, witness.port), timeout=patience).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return True

    return connect
