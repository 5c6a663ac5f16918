"""How patient the real World is, and whom it asks whether its own network works."""

from __future__ import annotations

from dataclasses import dataclass, field

from control_plane.drivers.fencing.lease import DEFAULT_MARGIN
from control_plane.drivers.fencing.redfish import Patience
from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Witness:
    """Something outside the pool that answers as long as this control plane's own network works, such
    as a site's router. A refused TCP connection is an answer too."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """`ask_patience` is how long a host may take to answer on the management network, `ask_moment` how
    long each look then waits for one that did not (see asking), and `storage_patience` how long the storage may take to give a lease. `lease_window` is how long a
    lease may stand still before its host counts as silent (None: see LeaseChannel), `lease_margin`
    what is waited on top of the lease's own times before it is evidence. `task_patience` bounds every
    task of `run_all`, of which `at_once` run side by side; of submitted tasks `slow_at_once`,
    `care_at_once`, `exports_at_once`, `fences_at_once`, `backups_at_once`, `copies_at_once`,
    `holds_at_once`, `dumps_at_once`, `restores_at_once`, `leaning_at_once` and `fills_at_once` of each lane do. A thread begins only when it is needed."""

    ask_patience: Seconds = Seconds(4.0)
    ask_moment: Seconds = Seconds(0.5)
    storage_patience: Seconds = Seconds(2.0)
    lease_window: Seconds | None = None
    lease_margin: Seconds = DEFAULT_MARGIN
    bmc: Patience = field(default_factory=Patience)
    task_patience: Seconds = Seconds(20.0)
    at_once: int = 64
    slow_at_once: int = 64
    care_at_once: int = 256
    exports_at_once: int = 2
    fences_at_once: int = 256
    backups_at_once: int = 8
    copies_at_once: int = 8
    holds_at_once: int = 32
    dumps_at_once: int = 64
    restores_at_once: int = 8
    leaning_at_once: int = 8
    fills_at_once: int = 8
    witnesses: tuple[Witness, ...] = ()
