"""The power-off through a BMC, against BMCs that obey, lie, hang, break off or are not there."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from control_plane.drivers.fencing.redfish import Bmcs, Patience, RedfishFencer
from control_plane.drivers.system_clock import SystemClock
from control_plane.drivers.world import FenceFailed, PowerFailed
from control_plane.model.fence import FenceKind
from control_plane.model.units import Seconds
from tests.drivers.fencing.samples import a_host

pytest.importorskip("sushy_tools", reason="the Redfish emulator is in the extra 'local'")

from tests.drivers.fencing.machine_room import (
    LIAR,
    OBEDIENT,
    PASSWORD,
    RESTLESS,
    SLOW,
    machine_room,
)

QUICK = Patience(answer=Seconds(20.0), change=Seconds(1.0), settle=Seconds(0.1), poll=Seconds(0.05))
IMPATIENT = Patience(
    answer=Seconds(0.5), change=Seconds(1.0), settle=Seconds(0.1), poll=Seconds(0.05)
)


@pytest.fixture(scope="module")
def running_room(tmp_path_factory):
    with machine_room(tmp_path_factory.mktemp("machine-room")) as room:
        yield room


@pytest.fixture
def room(running_room):
    for place in (*running_room.folder.glob("*.state"), *running_room.folder.glob("*.looks")):
        place.unlink()
    yield running_room
    for mood in (running_room.folder / "moods").iterdir():
        mood.unlink()


@pytest.fixture
def fencer():
    return RedfishFencer(SystemClock(), Bmcs(QUICK))


@pytest.fixture
def impatient():
    return RedfishFencer(SystemClock(), Bmcs(IMPATIENT))


def why_not(fencer, host):
    with pytest.raises(FenceFailed) as failure:
        fencer.fence(host)
    return str(failure.value)


def test_power_that_was_cut_and_read_back_as_off_is_evidence(room, fencer):
    evidence = fencer.fence(room.host(OBEDIENT))
    assert not room.is_on(OBEDIENT)
    assert evidence.kind is FenceKind.REDFISH_POWER_OFF
    assert (evidence.host, evidence.by) == (OBEDIENT, "BMC of obedient")
    assert "Power was cut" in evidence.detail
    assert evidence.at.utcoffset() == timedelta(0)


def test_a_machine_that_was_off_already_is_fenced_and_that_is_told(room, fencer):
    fencer.fence(room.host(OBEDIENT))
    assert "off already" in fencer.fence(room.host(OBEDIENT)).detail


def test_a_machine_that_takes_a_while_to_go_off_is_waited_for(room):
    fencer = RedfishFencer(
        SystemClock(), Bmcs(Patience(Seconds(20), Seconds(60), Seconds(0.1), Seconds(0.05)))
    )
    assert "Power was cut" in fencer.fence(room.host(SLOW)).detail


def test_a_bmc_that_accepts_the_order_and_stays_on_fences_nothing(room, fencer):
    assert "accepted the power-off" in why_not(fencer, room.host(LIAR))
    assert room.is_on(LIAR)


def test_a_machine_that_is_on_again_after_it_was_off_is_not_fenced(room, fencer):
    assert "read as Off, and 0.1 s later its power reads as On" in why_not(
        fencer, room.host(RESTLESS)
    )


def test_a_fenced_host_can_be_switched_on_again(room, fencer):
    fencer.fence(room.host(OBEDIENT))
    fencer.power_on(room.host(OBEDIENT))
    assert room.is_on(OBEDIENT)
    fencer.power_on(room.host(OBEDIENT))
    assert room.is_on(OBEDIENT)


def test_a_machine_that_cannot_be_switched_on_is_told(room, fencer):
    with pytest.raises(PowerFailed, match="has no system"):
        fencer.power_on(room.host("nobody"))


def test_a_system_named_by_its_path_is_found_too(room, fencer):
    named = room.host(OBEDIENT, bmc_system=f"/redfish/v1/Systems/{OBEDIENT}")
    fencer.fence(named)
    assert not room.is_on(OBEDIENT)


def test_a_wrong_password_switches_nothing_and_is_never_repeated(room, fencer, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter2-and-more")
    said = why_not(fencer, room.host(OBEDIENT, bmc_password_ref=f"file:{wrong}"))
    assert "refused the user name or the password" in said
    assert room.is_on(OBEDIENT)
    assert "hunter2" not in said + caplog.text


def test_the_right_password_is_in_no_log_and_no_evidence(room, fencer, caplog):
    caplog.set_level(logging.DEBUG)
    evidence = fencer.fence(room.host(OBEDIENT))
    assert "Systems/obedient" in caplog.text
    assert PASSWORD not in caplog.text + repr(evidence)


def test_a_missing_password_is_told_with_its_place(room, fencer, tmp_path):
    place = tmp_path / "forgotten"
    said = why_not(fencer, room.host(OBEDIENT, bmc_password_ref=f"file:{place}"))
    assert str(place) in said
    assert room.is_on(OBEDIENT)


def test_a_system_that_the_bmc_does_not_have_is_told(room, fencer):
    assert "no system '/redfish/v1/Systems/nobody'" in why_not(fencer, room.host("nobody"))


def test_a_host_without_a_bmc_is_not_fenced_by_one(fencer):
    assert "has no BMC" in why_not(fencer, a_host())


def test_a_password_in_a_bmcs_address_is_refused_and_not_repeated(fencer, caplog):
    caplog.set_level(logging.DEBUG)
    said = why_not(fencer, a_host(bmc_url="http://yui:hunter2@127.0.0.1:1", bmc_system="1"))
    assert "bmc_password_ref" in said
    assert "hunter2" not in said + caplog.text


def test_a_bmc_that_breaks_off_fences_nothing(room, fencer):
    room.in_mood(OBEDIENT, "dead")
    assert "broke the connection off" in why_not(fencer, room.host(OBEDIENT))
    assert room.is_on(OBEDIENT)


def test_a_bmc_that_falls_mute_is_given_up_and_asked_again_later(room, fencer, impatient):
    room.in_mood(OBEDIENT, "mute")
    assert "did not answer" in why_not(impatient, room.host(OBEDIENT))
    assert room.is_on(OBEDIENT)
    (room.folder / "moods" / OBEDIENT).unlink()
    fencer.fence(room.host(OBEDIENT))
    assert not room.is_on(OBEDIENT)


@contextmanager
def listening():
    """A socket on loopback, to be answered by the test or not at all."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server, f"127.0.0.1:{server.getsockname()[1]}"


def test_a_bmc_that_takes_the_connection_and_says_nothing_is_given_up(impatient):
    with listening() as (_, address):
        host = a_host(bmc_url=f"http://{address}", bmc_system="1")
        assert "did not answer" in why_not(impatient, host)


def test_a_bmc_that_answers_a_byte_at_a_time_is_given_up_too(impatient):
    over = threading.Event()

    def drip(server):
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not over.wait(0.1):
                connection.sendall(b" ")

    with listening() as (server, address):
        dripping = threading.Thread(target=drip, args=(server,))
        dripping.start()
        try:
            host = a_host(bmc_url=f"http://{address}", bmc_system="1")
            assert "no answer within 0.5 s" in why_not(impatient, host)
            assert "still hangs" in why_not(impatient, host)
        finally:
            over.set()
            dripping.join(30)


def test_a_bmc_that_is_not_there_is_told(fencer):
    with listening() as (_, address):
        pass
    host = a_host(bmc_url=f"http://{address}", bmc_system="1")
    assert "cannot be reached" in why_not(fencer, host)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b"null"], ids=["html", "list", "empty", "null"]
)
def test_something_else_than_a_bmc_is_told(fencer, body):
    def answer(server):
        with closing(server.accept()[0]) as connection:
            connection.recv(4096)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )

    with listening() as (server, address):
        answering = threading.Thread(target=answer, args=(server,))
        answering.start()
        said = why_not(fencer, a_host(bmc_url=f"http://{address}", bmc_system="1"))
        answering.join(30)
    assert said.startswith("The BMC of kyoto-1")
    assert said.endswith(".")


@pytest.mark.long
def test_a_bmc_whose_certificate_nobody_vouches_for_is_not_spoken_to(fencer, tmp_path):
    heard = []

    def answer(server, context):
        with closing(server.accept()[0]) as connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    heard.append(secure.recv(4096))
            except OSError:
                pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "bmc.pem"))
    with listening() as (server, address):
        answering = threading.Thread(target=answer, args=(server, context))
        answering.start()
        said = why_not(fencer, a_host(bmc_url=f"https://{address}", bmc_system="1"))
        answering.join(30)
    assert "TLS certificate that this machine does not trust" in said
    assert heard == []


def self_signed(path):
    from tests.drivers.fencing.samples import BEGINNING

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINNING - timedelta(days=3650))
        .not_valid_after(BEGINNING + timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
