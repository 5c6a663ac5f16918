"""What the demonstration measured, as the file it leaves behind."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds: from the cut to the confirmed death, from there to the fence, from there to the first
    server running again, and from the cut until every server answers."""

    detect: float
    fence: float
    first_restart: float
    all_answering: float


@dataclass(frozen=True, slots=True)
class Report:
    """`lost_servers` did not answer again; `double_started` had two running copies at some moment;
    `records_intact` is true when every record that a guest had acknowledged was read back.
    `members_planned` were admitted into the simulated pool of three data centres, where the promise
    cost as much as `n_plus_1_hosts` hosts."""

    hypervisor: str
    hosts: int
    servers: int
    lost_servers: int
    double_started: int
    records_intact: bool
    seconds: Durations
    certificate_valid: bool
    certificate_reason: str | None
    members_planned: int
    servers_planned: int
    hosts_planned: int
    n_plus_1_hosts: float
    total_seconds: float

    @property
    def kept_its_promise(self) -> bool:
        return self.lost_servers == 0 and self.double_started == 0 and self.records_intact

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2)
        path.write_text(text + "\n", encoding="utf-8")
