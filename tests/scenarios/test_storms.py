"""Everything goes wrong at once, by dice with a known seed: safety must hold all through, and once
the hardware is whole again the pool must find back to rest by itself."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from control_plane.drivers.simulated import Bmc, Running
from control_plane.model.ids import HostId, ServerId, StoragePoolId
from control_plane.model.pool import Duty
from control_plane.model.units import Seconds
from control_plane.model.workload import Power
from tests.scenarios.setting import read_setting
from tests.scenarios.stage import Stage

HERE = Path(__file__).parent
POOL = StoragePoolId("kyoto-pool")
STORM = Seconds(240)
PATIENCE = Seconds(400)
LATE = Seconds(20)
"""Longer than a lease lasts, so that its answer finds another leader."""
FEWEST = 3
"""Servers that are not deleted."""
SEEDS = range(int(os.environ.get("YUI_STORMS", "4")))


def faults(stage: Stage, dice: random.Random) -> list[tuple[str, Callable[[], object]]]:
    world = stage.world
    host = HostId(dice.choice(sorted(world.machines)))
    other = HostId(dice.choice(sorted(world.machines)))
    with stage.store.read() as tx:
        server = ServerId(dice.choice([s.id for s in tx.servers()]))
    call = dice.choice(["start", "define", "migrate", "list_servers", "undefine", "destroy"])
    slow = dice.choice(["start", "migrate", "undefine", "snapshot", "restore_snapshot"])
    planes = list(stage.control_planes.values())
    plane = dice.choice(planes)
    return [
        (f"{host} crashes", lambda: world.crash(host)),
        (f"power cut {host}", lambda: world.cut_power(host)),
        (f"power back {host}", lambda: world.restore_power(host)),
        (f"{host} is switched on", lambda: world.power_on(host)),
        (f"{host} is switched on", lambda: world.power_on(host)),
        (f"{host} freezes", lambda: world.freeze(host)),
        (f"{host} thaws", lambda: world.thaw(host)),
        (f"network cut {host}", lambda: world.cut_network(host)),
        (f"network back {host}", lambda: world.restore_network(host)),
        (f"storage link cut {host}", lambda: world.cut_storage(host)),
        (f"storage link back {host}", lambda: world.restore_storage(host)),
        ("storage gone", lambda: world.lose_storage(POOL)),
        ("storage back", lambda: world.return_storage(POOL)),
        (f"BMC of {host} dead", lambda: world.kill_bmc(host)),
        (f"BMC of {host} hangs", lambda: world.hang_bmc(host)),
        (f"BMC of {host} lies", lambda: world.make_bmc_lie(host)),
        (f"BMC of {host} ignores orders", lambda: world.make_bmc_ignore_orders(host)),
        (f"watchdog of {host} broken", lambda: world.break_watchdog(host)),
        (f"heartbeat of {host} stops", lambda: world.stop_heartbeat(host)),
        (f"heartbeat of {host} back", lambda: world.resume_heartbeat(host)),
        (f"BMC of {host} works", lambda: world.repair_bmc(host)),
        (f"{server} stops by itself", lambda: world.crash_guest(server)),
        (f"{call} fails on {host}", lambda: world.fail_calls(call, host=host, times=2)),
        (f"answer of {call} lost on {host}", lambda: world.lose_answers(call, host=host)),
        (f"owner deletes {server}", lambda: delete(stage, server)),
        (f"drain {host}", lambda: set_duty(stage, host, Duty.DRAINING)),
        (f"return {host}", lambda: set_duty(stage, host, Duty.IN_SERVICE)),
        (f"copy of {server} on {other}", lambda: copy_by_hand(stage, server, other)),
        (f"copy of {server} started on {other}", lambda: start_copy(stage, server, other)),
        ("clock", lambda: world.jump_wall_clock(Seconds(dice.choice([-40, 40])))),
        (f"{plane.name} killed", lambda: replace_killed(stage, plane.name)),
        (f"{plane.name} paused", plane.pause),
        (f"{plane.name} resumed", plane.resume),
        (f"database of {plane.name} cut", lambda: plane.set_database(up=False)),
        (f"database of {plane.name} back", lambda: plane.set_database(up=True)),
        (f"answers of {slow} late on {host}", lambda: world.delay_answers(slow, LATE, host=host)),
        (f"owner stops {server}", lambda: stage.set_power(server, Power.STOPPED)),
        (f"owner starts {server}", lambda: stage.set_power(server, Power.RUNNING)),
        (f"owner takes a snapshot of {server}", lambda: take(stage, server)),
        (f"owner restores {server}", lambda: restore(stage, server)),
    ]


def take(stage: Stage, server: ServerId) -> None:
    """The only one of it; what is refused, as while it is being moved, is refused."""
    with suppress(ValueError):
        stage.owner.snapshot(f"of-{server}")
        return
    stage.owner.tries(lambda: stage.owner.take(server, f"of-{server}"))


def restore(stage: Stage, server: ServerId) -> None:
    with suppress(ValueError):
        stage.owner.snapshot(f"of-{server}")
        stage.owner.tries(lambda: stage.owner.restore(f"of-{server}"))


def delete(stage: Stage, server: ServerId) -> None:
    with stage.store.read() as tx:
        if len(tx.servers()) <= FEWEST:
            return
    stage.delete(server)


def set_duty(stage: Stage, host: HostId, duty: Duty) -> None:
    stage.set_duty(host, duty)


def copy_by_hand(stage: Stage, server: ServerId, target: HostId) -> None:
    machines = stage.world.machines
    source = next((m for m in machines.values() if server in m.definitions), None)
    if source is not None and server not in machines[target].definitions:
        stage.world.copy_definition_by_hand(source.host.id, target, server)


def start_copy(stage: Stage, server: ServerId, target: HostId) -> None:
    copy_by_hand(stage, server, target)
    stage.world.start_by_hand(target, server)


def replace_killed(stage: Stage, name: str) -> None:
    stage.control_planes[name].kill()
    del stage.control_planes[name]
    stage.start_control_plane(f"{name}'")


def make_whole(stage: Stage) -> None:
    """Everything that people with spare parts would do."""
    world = stage.world
    world.return_storage(POOL)
    for plane in stage.control_planes.values():
        plane.resume()
        plane.set_database(up=True)
    with stage.store.read() as tx:
        stopped = [server.id for server in tx.servers() if server.power is Power.STOPPED]
    for server in stopped:
        stage.set_power(server, Power.RUNNING)
    for host, machine in world.machines.items():
        world.restore_network(host)
        world.restore_storage(host)
        world.resume_heartbeat(host)
        if machine.bmc is not Bmc.WORKS:
            world.repair_bmc(host)
        world.thaw(host)
        if not machine.powered:
            world.restore_power(host)
        set_duty(stage, host, Duty.IN_SERVICE)


def press_buttons(stage: Stage) -> None:
    """A fence may have switched a host off since somebody last looked."""
    for host, machine in stage.world.machines.items():
        if machine.running is Running.OFF:
            stage.world.power_on(host)


def rage(stage: Stage, dice: random.Random) -> float:
    """The storm itself; returns when it ended."""
    stage.start_control_plane("a")
    stage.start_control_plane("b")
    stage.set_up()
    liar = HostId(dice.choice(sorted(stage.world.machines)))
    stage.world.make_bmc_lie(liar)
    stage.world.break_watchdog(liar)
    stage.note(f"every fence of {liar} is a lie, so that its disk locks alone are left")
    at = 0.0
    while at < STORM:
        at += dice.expovariate(1 / 6)
        stage.run_until(Seconds(at))
        what, do = dice.choice(faults(stage, dice))
        stage.note(what)
        do()
    return at


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_storm_nothing_is_doubled_or_lost_and_the_pool_comes_to_rest(
    seed: int, tmp_path: Path
) -> None:
    dice = random.Random(seed)  # noqa: S311
    stage = Stage(read_setting(HERE / "storm.yaml"), tmp_path / "state.db")
    try:
        at = rage(stage, dice)
        make_whole(stage)
        stage.note("whole again")
        while not stage.rests() and at < STORM + PATIENCE:
            at += 20
            stage.run_until(Seconds(at))
            press_buttons(stage)
        history = "\n".join(stage.log)
        with stage.store.read() as tx:
            servers = tx.servers()
        assert stage.world.violations == [], history
        assert stage.world.double_started == 0, history
        assert all(stage.world.records_intact(server.id) for server in servers), history
        assert stage.rests(), history
        defined = {server for m in stage.world.machines.values() for server in m.definitions}
        assert defined == {server.id for server in servers}, history
    finally:
        stage.close()
