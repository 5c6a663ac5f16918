"""Hearing hosts over the management network, and not mistaking our own deafness for their death."""

from __future__ import annotations

import threading

import pytest

from control_plane.drivers.real import RealWorld, Settings, Witness
from control_plane.drivers.real.asking import Asking
from control_plane.drivers.world import Sign
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from tests.drivers.fencing.samples import a_host
from tests.drivers.real.socket_hosts import SocketHost, socket_driver, socket_hosts

PATIENT = Seconds(30.0)


@pytest.fixture
def make_world():
    made = []

    def make(*witnesses: Witness, ask_patience: Seconds = PATIENT) -> RealWorld:
        settings = Settings(ask_patience=ask_patience, witnesses=witnesses)
        made.append(RealWorld(settings, drivers={"socket": socket_driver}))
        return made[-1]

    yield make
    for world in made:
        world.close()


def hear(world, hosts):
    management = world.channels()[0]
    return world.run_all([lambda h=each.host: management.listen(h) for each in hosts])


def test_hosts_that_answer_are_alive_and_one_that_does_not_is_silent(make_world):
    with socket_hosts(5) as hosts:
        world = make_world()
        # A host that has never been heard says nothing about our own network.
        assert hear(world, hosts) == [Sign.ALIVE] * 5
        hosts[2].switch_off()
        for _ in range(3):
            heard = hear(world, hosts)
            assert heard == [Sign.ALIVE, Sign.ALIVE, Sign.SILENT, Sign.ALIVE, Sign.ALIVE]


def test_of_two_hosts_one_can_still_fall_silent(make_world):
    with socket_hosts(2) as hosts:
        world = make_world()
        assert hear(world, hosts) == [Sign.ALIVE, Sign.ALIVE]
        hosts[0].switch_off()
        for _ in range(20):
            assert hear(world, hosts) == [Sign.SILENT, Sign.ALIVE]


def test_a_silent_host_asked_alone_has_the_others_asked_again(make_world):
    with socket_hosts(3) as hosts:
        world = make_world()
        hear(world, hosts)
        hosts[0].switch_off()
        assert hear(world, hosts[:1]) == [Sign.SILENT]


def test_when_all_hosts_fall_silent_at_once_nothing_is_known_of_any(make_world):
    with socket_hosts(6) as hosts:
        world = make_world()
        hear(world, hosts)
        for host in hosts:
            host.switch_off()
        for _ in range(3):
            assert hear(world, hosts) == [Sign.UNKNOWN] * 6


def test_when_half_of_the_hosts_die_together_they_are_all_silent(make_world):
    with socket_hosts(12) as hosts:
        world = make_world()
        hear(world, hosts)
        for host in hosts[:6]:
            host.switch_off()
        for _ in range(5):
            assert hear(world, hosts) == [Sign.SILENT] * 6 + [Sign.ALIVE] * 6


def test_the_last_host_can_fall_silent_where_a_witness_answers(make_world):
    with socket_hosts(2) as (host, router):
        world = make_world(Witness("127.0.0.1", router.port))
        host.switch_off()
        assert hear(world, [host]) == [Sign.SILENT]


def test_a_witness_that_refuses_has_answered(make_world):
    with socket_hosts(2) as (host, router):
        world = make_world(Witness("127.0.0.1", router.port))
        host.switch_off()
        router.switch_off()
        assert hear(world, [host]) == [Sign.SILENT]


def test_witnesses_out_of_reach_leave_it_unknown(make_world):
    with socket_hosts(1) as (host,):
        # No TCP connection to the broadcast address ever leaves this machine.
        world = make_world(Witness("255.255.255.255", 9), ask_patience=Seconds(0.5))
        host.switch_off()
        assert hear(world, [host]) == [Sign.UNKNOWN]


def test_a_host_that_refuses_what_is_asked_has_answered(make_world):
    grumpy = SocketHost("kyoto-9", grumpy=True)
    try:
        assert hear(make_world(), [grumpy]) == [Sign.ALIVE]
    finally:
        grumpy.close()


def test_a_host_comes_back_as_soon_as_it_answers(make_world):
    with socket_hosts(2) as hosts:
        world = make_world()
        hear(world, hosts)
        hosts[0].switch_off()
        hear(world, hosts)
        hosts[0].switch_on()
        assert hear(world, hosts) == [Sign.ALIVE, Sign.ALIVE]


def test_a_host_that_is_merely_slow_is_heard_again():
    """Slower than a moment, quicker than its patience."""
    asking = Asking(PATIENT, moment=Seconds(0.01))
    kyoto_1 = HostId("kyoto-1")
    assert not asking.answers(kyoto_1, lambda: False)
    slow = threading.Event()
    assert not asking.answers(kyoto_1, lambda: slow.wait(60))
    assert not asking.answers(kyoto_1, lambda: pytest.fail("it is being asked already"))
    slow.set()
    steady = threading.Timer(0.2, lambda: None)
    steady.start()

    def answer_slowly():
        steady.join()
        return True

    heard = False
    for _ in range(1000):
        heard = heard or asking.answers(kyoto_1, answer_slowly)
    assert heard


def test_an_answer_that_came_before_the_look_does_not_count():
    asking = Asking(Seconds(0.01), moment=Seconds(0.01))
    kyoto_1 = HostId("kyoto-1")
    late = threading.Event()
    assert not asking.answers(kyoto_1, lambda: late.wait(60))
    (asker,) = [thread for thread in threading.enumerate() if thread.name == "ask-kyoto-1"]
    late.set()
    asker.join(60)
    assert not asking.answers(kyoto_1, lambda: False)


def test_a_host_that_this_control_plane_cannot_speak_to_is_unknown(make_world):
    world = make_world()
    assert world.channels()[0].listen(a_host(driver="abacus")) is Sign.UNKNOWN
