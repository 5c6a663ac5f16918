"""The words of stories: each command a person can write, and what it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from control_plane.model.allotment import Capacity
from control_plane.model.fence import FenceMethod
from control_plane.model.ids import HostId, ImageId, ServerId, SiteId, StoragePoolId
from control_plane.model.pool import Duty
from control_plane.model.units import MiB, Seconds
from control_plane.model.workload import Power
from tests.scenarios.joining import OTHER

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

Words = dict[str, str]
Deed = Callable[["Stage", Words], None]


@dataclass(frozen=True, slots=True)
class Phrase:
    pattern: re.Pattern[str]
    deed: Deed


_HOST = r"(?P<{0}>the host of [\w-]+|[\w-]+)"


def _phrase(text: str, deed: Deed) -> Phrase:
    """`<host>` in the text stands for a host's name or `the host of <server>`, `<n>` for a number,
    `"…"` for a quoted sentence, any other `<word>` for one name."""

    def field(found: re.Match[str]) -> str:
        name = found[1]
        if name in ("host", "other"):
            return _HOST.format(name)
        if name == "n" or name.startswith("n_"):
            return rf"(?P<{name}>[+-]?\d+(?:\.\d+)?)"
        if name == "text":
            return '"(?P<text>[^"]*)"'
        return rf"(?P<{name}>[\w-]+)"

    return Phrase(re.compile(re.sub(r"<(\w+)>", field, text)), deed)


def _on_host(fault: str) -> Deed:
    return lambda stage, w: getattr(stage.world, fault)(stage.host(w["host"]))


def _on_storage(fault: str) -> Deed:
    return lambda stage, w: getattr(stage.world, fault)(StoragePoolId(w["pool"]))


def _on_site(fault: str) -> Deed:
    return lambda stage, w: getattr(stage.world, fault)(SiteId(w["site"]))


def _on_server(fault: str) -> Deed:
    return lambda stage, w: getattr(stage.world, fault)(ServerId(w["server"]))


def _flap(stage: Stage, w: Words) -> None:
    stage.world.flap(
        stage.host(w["host"]),
        times=int(w["n"]),
        down=Seconds(float(w["n_down"])),
        up=Seconds(float(w["n_up"])),
    )


def _fail(stage: Stage, w: Words) -> None:
    where = stage.host(w["host"]) if w.get("host") else None
    which = ServerId(w["server"]) if w.get("server") else None
    stage.world.fail_calls(w["call"], host=where, server=which, times=int(w["n"]))


def _lose(stage: Stage, w: Words) -> None:
    stage.world.lose_answers(w["call"], host=stage.host(w["host"]), times=int(w["n"]))


def _delay(stage: Stage, w: Words) -> None:
    late = Seconds(float(w["n"]))
    stage.world.delay_answers(w["call"], late, host=stage.host(w["host"]))


def _say_off(stage: Stage, w: Words) -> None:
    stage.operator_says(stage.host(w["host"]), w["text"], FenceMethod.WORD)


def _ask_power_off(stage: Stage, w: Words) -> None:
    stage.operator_says(stage.host(w["host"]), "asked for by an operator", FenceMethod.POWER_OFF)


PHRASES: tuple[Phrase, ...] = (
    # Hosts
    _phrase("power cut <host>", _on_host("cut_power")),
    _phrase("power back <host>", _on_host("restore_power")),
    _phrase("<host> crashes", _on_host("crash")),
    _phrase("<host> is switched on", _on_host("power_on")),
    _phrase("<host> freezes", _on_host("freeze")),
    _phrase("<host> thaws", _on_host("thaw")),
    _phrase(
        "<host> boots in <n>s",
        lambda s, w: s.world.boots_in(s.host(w["host"]), Seconds(float(w["n"]))),
    ),
    _phrase("network cut <host>", _on_host("cut_network")),
    _phrase("network back <host>", _on_host("restore_network")),
    _phrase("<host> flaps <n> times, <n_down>s down, <n_up>s up", _flap),
    _phrase("storage link cut <host>", _on_host("cut_storage")),
    _phrase("storage link back <host>", _on_host("restore_storage")),
    _phrase("BMC of <host> dead", _on_host("kill_bmc")),
    _phrase("BMC of <host> hangs", _on_host("hang_bmc")),
    _phrase("BMC of <host> ignores orders", _on_host("make_bmc_ignore_orders")),
    _phrase("BMC of <host> lies", _on_host("make_bmc_lie")),
    _phrase("BMC of <host> works", _on_host("repair_bmc")),
    _phrase("<host> has no BMC", _on_host("remove_bmc")),
    _phrase("<host> has no watchdog", _on_host("remove_watchdog")),
    _phrase("watchdog of <host> broken", _on_host("break_watchdog")),
    _phrase("heartbeat of <host> stops", _on_host("stop_heartbeat")),
    _phrase("heartbeat of <host> back", _on_host("resume_heartbeat")),
    _phrase("images of <host> forgotten", _on_host("forget_images")),
    _phrase("image cache full <host>", _on_host("fill_image_cache")),
    _phrase("image cache has room <host>", _on_host("empty_image_cache")),
    _phrase(
        "guests of <host> boot in <n>s",
        lambda s, w: s.world.slow_starts(s.host(w["host"]), Seconds(float(w["n"]))),
    ),
    _phrase(
        "foreign machine <name> on <host>",
        lambda s, w: s.world.add_foreign_machine(s.host(w["host"]), w["name"]),
    ),
    _phrase(
        "foreign machine <name> gone from <host>",
        lambda s, w: s.world.remove_foreign_machine(s.host(w["host"]), w["name"]),
    ),
    # Sites and storage
    _phrase("site power cut <site>", _on_site("cut_site_power")),
    _phrase("site power back <site>", _on_site("restore_site_power")),
    _phrase("storage gone <pool>", _on_storage("lose_storage")),
    _phrase("storage back <pool>", _on_storage("return_storage")),
    _phrase("storage full <pool>", _on_storage("fill_storage")),
    _phrase("storage has room <pool>", _on_storage("empty_storage")),
    # Driver calls and images
    _phrase("<call> fails <n> times on <host>", _fail),
    _phrase("<call> of <server> fails <n> times", _fail),
    _phrase("answer of <call> lost <n> times on <host>", _lose),
    _phrase("answer of <call> comes <n>s late once on <host>", _delay),
    _phrase(
        "image <image> arrives corrupt <n> times",
        lambda s, w: s.world.corrupt_image(ImageId(w["image"]), times=int(w["n"])),
    ),
    # Servers, and hands
    _phrase("<server> stops by itself", _on_server("crash_guest")),
    _phrase("<server> is deaf", _on_server("make_guest_deaf")),
    _phrase("somebody destroys <server>", _on_server("destroy_by_hand")),
    _phrase(
        "somebody starts <server> on <host>",
        lambda s, w: (s.world.start_by_hand(s.host(w["host"]), ServerId(w["server"])), None)[1],
    ),
    _phrase(
        "somebody copies <server> from <host> to <other>",
        lambda s, w: s.world.copy_definition_by_hand(
            s.host(w["host"]), s.host(w["other"]), ServerId(w["server"])
        ),
    ),
    _phrase("wall clock jumps <n>s", lambda s, w: s.world.jump_wall_clock(Seconds(float(w["n"])))),
    # What people ask of the control plane
    _phrase("drain <host>", lambda s, w: s.set_duty(s.host(w["host"]), Duty.DRAINING)),
    _phrase("return <host>", lambda s, w: s.set_duty(s.host(w["host"]), Duty.IN_SERVICE)),
    _phrase("operator says <host> is off <text>", _say_off),
    _phrase("operator has <host> powered off", _ask_power_off),
    _phrase("owner stops <server>", lambda s, w: s.set_power(ServerId(w["server"]), Power.STOPPED)),
    _phrase(
        "owner starts <server>", lambda s, w: s.set_power(ServerId(w["server"]), Power.RUNNING)
    ),
    _phrase("owner deletes <server>", lambda s, w: s.delete(ServerId(w["server"]))),
    _phrase(
        "owner makes volume <volume> for <server>",
        lambda s, w: s.asks(lambda: s.owner.make(w["volume"], w["server"])),
    ),
    _phrase(
        "owner attaches <volume> to <server>",
        lambda s, w: s.asks(lambda: s.owner.attach(w["volume"], w["server"])),
    ),
    _phrase("owner detaches <volume>", lambda s, w: s.asks(lambda: s.owner.detach(w["volume"]))),
    _phrase(
        "owner deletes volume <volume>", lambda s, w: s.asks(lambda: s.owner.delete(w["volume"]))
    ),
    _phrase(
        "owner takes snapshot <snapshot> of <server>",
        lambda s, w: s.asks(lambda: s.owner.take(w["server"], w["snapshot"])),
    ),
    _phrase(
        "owner restores <snapshot>", lambda s, w: s.asks(lambda: s.owner.restore(w["snapshot"]))
    ),
    _phrase("owner looks at his disks", lambda s, _: s.show_disks()),
    _phrase("<server> holds on to its volumes", _on_server("make_guest_hold_its_volumes")),
    _phrase("<server> lets its volumes go", _on_server("let_guest_release_volumes")),
    _phrase(
        "owner resizes <server> to <flavor>",
        lambda s, w: s.asks(lambda: s.lending.resize(ServerId(w["server"]), w["flavor"])),
    ),
    _phrase("owner shelves <server>", lambda s, w: s.lending.shelve(ServerId(w["server"]))),
    _phrase(
        "owner unshelves <server>",
        lambda s, w: s.asks(lambda: s.lending.unshelve(ServerId(w["server"]))),
    ),
    _phrase(
        "the other member is guaranteed <n> GiB, and the first may borrow",
        lambda s, w: s.lending.allot(int(w["n"])),
    ),
    _phrase(
        "room for the other member is asked back within <n>s",
        lambda s, w: s.lending.ask(Capacity(), OTHER.code, float(w["n"])),
    ),
    _phrase(
        "<n_gib> GiB are asked back within <n>s",
        lambda s, w: s.lending.ask(
            Capacity(memory=MiB(int(w["n_gib"]) * 1024)), None, float(w["n"])
        ),
    ),
    _phrase("an approver has it carried out", lambda s, _: s.lending.carry_out()),
    _phrase("system <system> joins", lambda s, w: s.admit(w["system"])),
    _phrase("the other member leaves", lambda s, _: s.departure.begin()),
    _phrase("the other member stays", lambda s, _: s.departure.stay()),
    _phrase("the other member has its export", lambda s, _: s.departure.confirm()),
    _phrase("host <name> joins", lambda s, w: s.add_host(HostId(w["name"]))),
    # Control planes
    _phrase("control plane <name> starts", lambda s, w: s.start_control_plane(w["name"])),
    _phrase(
        "control plane <name> loses its network",
        lambda s, w: s.control_planes[w["name"]].set_network(up=False),
    ),
    _phrase(
        "control plane <name> has its network back",
        lambda s, w: s.control_planes[w["name"]].set_network(up=True),
    ),
    _phrase(
        "database of control plane <name> cut",
        lambda s, w: s.control_planes[w["name"]].set_database(up=False),
    ),
    _phrase(
        "database of control plane <name> back",
        lambda s, w: s.control_planes[w["name"]].set_database(up=True),
    ),
    _phrase(
        "database of control plane <name> cut right after <text>",
        lambda s, w: s.right_after(
            w["text"], lambda: s.control_planes[w["name"]].set_database(up=False)
        ),
    ),
    _phrase("control plane <name> killed", lambda s, w: s.control_planes[w["name"]].kill()),
    _phrase("control plane <name> paused", lambda s, w: s.control_planes[w["name"]].pause()),
    _phrase("control plane <name> resumed", lambda s, w: s.control_planes[w["name"]].resume()),
    _phrase(
        "control plane <name> killed right after <text>",
        lambda s, w: s.right_after(w["text"], s.control_planes[w["name"]].kill),
    ),
    _phrase(
        "control plane <name> paused right before its next <call>",
        lambda s, w: s.right_before(
            s.control_planes[w["name"]], w["call"], s.control_planes[w["name"]].pause
        ),
    ),
    _phrase(
        "control plane <name> paused right after <text>",
        lambda s, w: s.right_after(w["text"], s.control_planes[w["name"]].pause),
    ),
)


def perform(stage: Stage, what: str) -> None:
    """Raises ValueError for words that no phrase knows."""
    for phrase in PHRASES:
        found = phrase.pattern.fullmatch(what)
        if found is not None:
            phrase.deed(stage, {k: v for k, v in found.groupdict().items() if v is not None})
            return
    raise ValueError(f"no phrase knows '{what}'")
