"""How fast the API answers: `python -m benchmarks.api` writes `var/bench/api.json`.

Everything is as users have it: `yui serve` with its reconciler on a state of its own, a load generator in
a process of its own on the same machine. The hosts alone are simulated.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.served_pool import (
    FLAVOR,
    IMAGE,
    REGION,
    Served,
    describe,
    fill,
    first_token,
    serving,
    vcpus_for,
)
from control_plane.model.ids import HostId
from control_plane.model.ledger import Ledger
from control_plane.placement import check
from control_plane.store import Store
from tests.postgresql import running_postgresql

HOSTS, SERVERS = 100, 2000
LIST_RATE, LIST_SECONDS = 200, 15
CREATE_HOSTS, CREATES, TOGETHER = 40, 600, 20
CHECKOUT = Path(__file__).resolve().parent.parent


def load(
    served: Served,
    requests: Sequence[tuple[str, str, Any]],
    *,
    rate: float | None,
    connections: int = 16,
    session: str | None = None,
) -> dict[str, Any]:
    """What `benchmarks.load` measured; with `session` as a client of OpenStack's."""
    orders = {
        "port": served.port,
        "token": session or served.token,
        "openstack": session is not None,
        "connections": connections,
        "rate": rate,
        "requests": list(requests),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(orders),
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def percentile(figures: Sequence[float], part: float) -> float:
    """The smallest figure that at least `part` of all do not exceed (nearest rank)."""
    return sorted(figures)[max(0, math.ceil(part * len(figures)) - 1)]


def measure_list(folder: Path) -> dict[str, Any]:
    url = f"sqlite:///{folder / 'list.db'}"
    store = Store.open(url)
    try:
        describe(store, HOSTS, vcpus_for(SERVERS, HOSTS))
        fill(store, SERVERS)
        token = first_token(store)
    finally:
        store.close()
    with serving(url, folder, token) as served:
        until_all_run(served)
        asked = ("GET", "/v1/servers?limit=100", None)
        load(served, [asked] * 400, rate=LIST_RATE)
        idle = served.cpu_seconds
        time.sleep(5)
        idle = (served.cpu_seconds - idle) / 5
        before = served.cpu_seconds
        found = load(served, [asked] * LIST_RATE * LIST_SECONDS, rate=LIST_RATE)
        spent = served.cpu_seconds - before - idle * found["seconds"]
        most = load(served, [asked] * 2000, rate=None, connections=4)
    times = found["milliseconds"]
    return {
        "list_p50_ms": round(percentile(times, 0.50), 2),
        "list_p99_ms": round(percentile(times, 0.99), 2),
        "list_max_ms": round(max(times), 2),
        "list_rps": round(found["sent"] / found["seconds"], 1),
        "list_most_rps": round(most["sent"] / most["seconds"], 1),
        "list_cpu_ms": round(spent / found["sent"] * 1000, 2),
        "list_idle_cpu_share": round(idle, 3),
        "list_statuses": found["statuses"],
        "list_late": found["late"],
    }


def until_all_run(served: Served, patience: float = 300, look_every: float = 1) -> None:
    """Until no server is being built."""
    give_up = time.monotonic() + patience
    while served.get("/v1/servers?limit=1&status=building")["items"]:
        if time.monotonic() > give_up:
            raise TimeoutError("the servers never came up")
        time.sleep(look_every)


def measure_creates(folder: Path) -> dict[str, Any]:
    """How long one request for one server takes to be accepted, and how many servers a second are made
    and run: in requests for twenty, as a system is made, and one by one from eight clients."""
    url = f"sqlite:///{folder / 'creates.db'}"
    store = Store.open(url)
    try:
        describe(store, CREATE_HOSTS, 64)
        fill(store, 1)
        token = first_token(store)
    finally:
        store.close()
    with serving(url, folder, token) as served:
        until_all_run(served)
        load(served, creates("warm", 10), rate=None, connections=1)
        alone = load(served, creates("alone", 50), rate=None, connections=1)
        together = _made(served, creates("together", CREATES, each=TOGETHER), connections=2)
        singly = _made(served, creates("singly", CREATES // 2), connections=8)
    if set(alone["statuses"]) != {"202"}:
        raise RuntimeError(f"not everything was accepted: {alone['statuses']}")
    return {
        "accept_p50_ms": round(percentile(alone["milliseconds"], 0.50), 2),
        "accept_p99_ms": round(percentile(alone["milliseconds"], 0.99), 2),
        "creates_per_s": round(CREATES / together, 1),
        "single_creates_per_s": round(CREATES // 2 / singly, 1),
    }


def _made(served: Served, wanted: list[tuple[str, str, Any]], *, connections: int) -> float:
    """Seconds from the first request until the last of the servers runs."""
    until_all_run(served)
    began = time.monotonic()
    found = load(served, wanted, rate=None, connections=connections)
    if set(found["statuses"]) != {"202"}:
        raise RuntimeError(f"not everything was accepted: {found['statuses']}")
    until_all_run(served, look_every=0.1)
    return time.monotonic() - began


def creates(prefix: str, count: int, each: int = 1) -> list[tuple[str, str, Any]]:
    """Requests for `count` servers in all, `each` of them in one."""
    asked = [
        {"name": f"{prefix}-{n}", "system": "system-0", "flavor": FLAVOR, "image": IMAGE}
        for n in range(count)
    ]
    return [
        ("POST", "/v1/servers", {"servers": asked[first : first + each]})
        for first in range(0, count, each)
    ]


def measure_race(folder: Path) -> dict[str, Any]:
    """Two API processes on one PostgreSQL take more than there is room for, at the same time."""
    with running_postgresql() as postgresql:
        url = postgresql.url()
        store = Store.open(url)
        try:
            describe(store, 6, 8)
            fill(store, 1)
            token = first_token(store)
            with (
                serving(url, folder, token) as one,
                serving(url, folder, token) as other,
                ThreadPoolExecutor(2) as both,
            ):
                found = list(
                    both.map(
                        lambda asked: load(asked[0], asked[1], rate=None, connections=4),
                        ((one, creates("one", 60)), (other, creates("other", 60))),
                    )
                )
            with store.read() as tx:
                ledger, stored = tx.ledger(REGION), len(tx.servers()) - 1
        finally:
            store.close()
    statuses: Counter[str] = sum((Counter(part["statuses"]) for part in found), Counter())
    if not statuses["202"] or statuses["202"] == 120:
        raise RuntimeError(f"nothing was raced for: {statuses}")
    return {
        "over_admissions": len(check(ledger)) + _overfull(ledger),
        "lost_updates": abs(statuses["202"] - stored),
        "race_statuses": dict(statuses),
    }


def _overfull(ledger: Ledger) -> int:
    """How many hosts carry more than they have: counted here by hand, apart from the checker."""
    carried: Counter[HostId] = Counter()
    for workload in ledger.workloads.values():
        carried.update(dict.fromkeys(workload.hosts, workload.size.vcpu))
    return sum(vcpus > ledger.hosts[host].capacity.vcpu for host, vcpus in carried.items())


PARTS = {"list": measure_list, "creates": measure_creates, "race": measure_race}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all of them by default")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "var" / "bench" / "api.json")
    asked = parser.parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    for name in asked.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.out.parent) as folder:
            figures |= PARTS[name](Path(folder))
        print(json.dumps(figures, indent=2), flush=True)
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
