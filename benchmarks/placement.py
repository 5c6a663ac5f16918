"""Times placement on pools of two sizes: `python -m benchmarks.placement`.

The pools are filled by the planner itself, several sizes of servers in pairs that keep apart, with
hosts and racks promised.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from random import Random
from time import perf_counter
from typing import TypeVar

from control_plane.model.ids import (
    Generation,
    GroupId,
    HostId,
    RegionId,
    ServerId,
    SiteId,
    StoragePoolId,
)
from control_plane.model.ledger import (
    Certificate,
    Ledger,
    LedgerHost,
    LedgerStoragePool,
    LedgerWorkload,
    Standing,
)
from control_plane.model.pool import DomainKind, FailureDomain, Policy, Zone
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.placement import (
    Plan,
    apply,
    check,
    plan_admission,
    plan_move,
    recertify,
    reserve,
)

T = TypeVar("T")

SIZES = ((1, 2), (2, 4), (2, 8), (4, 8), (4, 16), (8, 16))
POOL = StoragePoolId("pool")


def hosts(number: int) -> dict[HostId, LedgerHost]:
    found = {}
    for index in range(number):
        name = HostId(f"h{index:03}")
        found[name] = LedgerHost(
            id=name,
            site=SiteId("site"),
            capacity=Resources(VCpu(128), MiB(256 * 1024)),
            zones=frozenset(Zone),
            storage=frozenset({POOL}),
            traits=frozenset(),
            domains=frozenset(
                {
                    FailureDomain(DomainKind.HOST, name),
                    FailureDomain(DomainKind.RACK, f"r{index // 10:02}"),
                }
            ),
            standing=Standing.OPEN,
            generation=Generation(1),
        )
    return found


def servers(first: int, number: int, random: Random) -> list[LedgerWorkload]:
    found = []
    for index in range(first, first + number):
        vcpus, memory = random.choice(SIZES)
        found.append(
            LedgerWorkload(
                id=ServerId(f"s{index:05}"),
                owner="012220",
                size=Resources(VCpu(vcpus), MiB(memory * 1024)),
                disk=GiB(20),
                zone=random.choice(tuple(Zone)),
                tier=index % 3,
                storage=None,
                group=GroupId(f"g{index // 2}") if index % 4 < 2 else None,
            )
        )
    return found


def timed(name: str, work: Callable[[], T]) -> T:
    begin = perf_counter()
    result = work()
    print(f"  {name:<44} {(perf_counter() - begin) * 1000:9.1f} ms", flush=True)
    return result


def measure(host_count: int, server_count: int, promised: frozenset[DomainKind]) -> None:
    print(f"{host_count} hosts, {server_count} servers, promised: {', '.join(sorted(promised))}")
    random = Random(1)  # noqa: S311 - a fixed pool, no secret
    ledger = Ledger(
        region=RegionId("region"),
        policy=Policy.SPREAD,
        promised=promised,
        hosts=hosts(host_count),
        workloads={},
        storage={POOL: LedgerStoragePool(POOL, GiB(10**6), GiB(0))},
        certificate=Certificate({}),
    )
    first = servers(0, server_count, random)
    plan = timed(f"admit {server_count} at once", lambda: plan_admission(ledger, first))
    if not isinstance(plan, Plan):
        sys.exit(plan.explain_en())
    full = timed("apply", lambda: apply(ledger, plan))
    timed("check", lambda: check(full))
    three = servers(server_count, 3, random)
    answer = timed("admit 3 more", lambda: plan_admission(full, three))
    if not isinstance(answer, Plan):
        sys.exit(answer.explain_en())
    many = servers(server_count, 200, random)
    timed("admit 200 more (or refuse)", lambda: plan_admission(full, many, advise=False))
    timed("move one", lambda: plan_move(full, ServerId("s00007")))
    giant = [replace(three[0], size=Resources(VCpu(120), MiB(250 * 1024)))]
    timed("refuse one, with remedies", lambda: plan_admission(full, giant))
    timed("refuse one, without", lambda: plan_admission(full, giant, advise=False))
    timed("recertify, nothing changed", lambda: recertify(full))
    bare = replace(full, certificate=Certificate({}))
    timed("recertify from nothing", lambda: recertify(bare))
    closed = replace(full.hosts[HostId("h001")], standing=Standing.CLOSED)
    draining = replace(full, hosts={**full.hosts, closed.id: closed})
    timed("recertify, one host closed", lambda: recertify(draining))
    cost = timed("reserve", lambda: reserve(full))
    problems = check(full)
    print(f"  violations {len(problems)}, N+1 cost {cost.hosts_worth:.2f} of {cost.hosts} hosts")


if __name__ == "__main__":
    HOST = frozenset({DomainKind.HOST})
    measure(100, 2_000, HOST)
    measure(100, 2_000, HOST | {DomainKind.RACK})
    measure(500, 10_000, HOST)
