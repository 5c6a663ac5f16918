"""The API as a process: TLS, plain HTTP at home alone, ports, signals, and the work behind it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.http.listening import Listening
from control_plane.http.local_socket import local_socket
from control_plane.http.serve import serve
from control_plane.model.errors import YuiError
from control_plane.store import Store
from tenants.catalogue import Catalogue
from tests.plain_http import ask


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "yui")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(_pem(key, serialization.NoEncryption()))
    (folder / "locked.pem").write_bytes(
        _pem(key, serialization.BestAvailableEncryption(b"passphrase"))
    )
    return folder / "cert.pem", folder / "key.pem"


def _pem(
    key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption
) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refusal(listening: Listening) -> YuiError:
    try:
        listening.check()
        listening.bind().close()
    except YuiError as error:
        return error
    pytest.fail(f"{listening} is not refused")


def test_without_a_certificate_nothing_is_served() -> None:
    assert refusal(Listening()).type == "tls-missing"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104
def test_plain_http_never_leaves_the_machine(address: str) -> None:
    assert refusal(Listening(address=address, plain_http=True)).type == "plain-http-not-local"


def test_an_address_is_a_number() -> None:
    assert refusal(Listening(address="yui.example", plain_http=True)).type == (
        "listen-address-invalid"
    )


def test_a_certificate_and_key_that_cannot_serve_are_told_in_a_sentence(
    pair: tuple[Path, Path],
) -> None:
    certificate, key = pair
    for wrong in (
        Listening(certificate=certificate, key=key.parent / "absent.pem"),
        Listening(certificate=certificate, key=certificate),
        Listening(certificate=key, key=key),
        Listening(certificate=certificate, key=key.parent / "locked.pem"),
    ):
        assert refusal(wrong).type == "tls-unusable"
    assert (
        "passphrase"
        in refusal(Listening(certificate=certificate, key=key.parent / "locked.pem")).en
    )


def test_a_port_in_use_is_told_with_its_number() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        error = refusal(Listening(port=port, plain_http=True))
    assert error.type == "port-in-use"
    assert f"Port {port} on 127.0.0.1 is in use" in error.en


def test_an_address_of_another_machine_is_told(pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    error = refusal(Listening(address="192.0.2.1", certificate=certificate, key=key))
    assert error.type == "listen-address-unavailable"


def wait_for(condition: threading.Event) -> None:
    assert condition.wait(60)


def test_the_api_speaks_tls_and_its_background_work_stops_with_it(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    app = create_app(store, SimulatedWorld(), Options(Catalogue({})))
    stop, ready, worked = threading.Event(), threading.Event(), threading.Event()

    def work(until: threading.Event) -> None:
        until.wait()
        worked.set()

    listening = Listening(port=free_port(), certificate=pair[0], key=pair[1])
    server = threading.Thread(
        target=serve, args=(app, listening, [work]), kwargs={"stop": stop, "ready": ready.set}
    )
    server.start()
    try:
        wait_for(ready)
        trust = ssl.create_default_context(cafile=str(pair[0]))
        answer = httpx.get(f"{listening.url}/healthz", verify=trust)
        assert answer.json() == {"status": "ok"}
        assert "server" not in answer.headers
    finally:
        stop.set()
        server.join(60)
        store.close()
    assert worked.is_set()
    assert not server.is_alive()


def test_background_work_that_fails_ends_the_api_and_says_why(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    app = create_app(store, SimulatedWorld(), Options(Catalogue({})))

    def work(_: threading.Event) -> None:
        raise YuiError(
            "lease-lost", en="Another leads.", ja="別のコントロールプレーンが担当しています。"
        )

    try:
        with pytest.raises(YuiError, match=r"Another leads\."):
            serve(app, Listening(port=free_port(), plain_http=True), [work])
    finally:
        store.close()


SERVER = """
import sys, threading
from pathlib import Path
from control_plane.access.service import bootstrap_operator_token
from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.http.listening import Listening
from control_plane.http.local_socket import local_socket
from control_plane.http.serve import serve
from control_plane.store import Store
from tenants.catalogue import Catalogue

store = Store.open("sqlite:///" + sys.argv[1])
print(bootstrap_operator_token(store), flush=True)
app = create_app(store, SimulatedWorld(), Options(Catalogue({})))

def work(stop):
    while not app.state.edge.watch.waiting:
        stop.wait(0.05)
    print("somebody waits", flush=True)
    stop.wait()
    print("work ended", flush=True)

serve(app, Listening(port=int(sys.argv[2]), plain_http=True), [work],
      ready=lambda: print("ready", flush=True))
store.close()
print("closed", flush=True)
"""


@pytest.mark.long
def test_sigterm_answers_who_waits_and_ends_everything_in_order(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "state.db"), str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().strip()]
        while "ready" not in lines:
            line = process.stdout.readline()
            assert line, lines
            lines.append(line.strip())
        headers = {"Authorization": f"Bearer {lines[0]}"}
        answers: list[httpx.Response] = []

        def wait() -> None:
            url = f"http://127.0.0.1:{port}/v1/events?after=99&wait=60"
            answers.append(ask("GET", url, headers=headers, timeout=90))

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert process.stdout.readline().strip() == "somebody waits"
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(60) == 0
        waiting.join(60)
    finally:
        process.kill()
        process.wait()
    assert answers[0].json() == {"items": [], "next": 99, "previous": None}
    assert [line for line in rest.splitlines() if line in ("work ended", "closed")] == [
        "work ended",
        "closed",
    ]


def test_a_socket_of_the_same_machine_answers_in_plain_beside_tls_and_goes_with_the_process(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    path = tmp_path / "api.sock"
    stop, ready = threading.Event(), threading.Event()
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    app = create_app(store, SimulatedWorld(), Options(Catalogue({})))
    listening = Listening(port=free_port(), certificate=pair[0], key=pair[1])
    with local_socket(path) as local:
        serving = threading.Thread(
            target=lambda: serve(app, listening, local=local, stop=stop, ready=ready.set)
        )
        serving.start()
        try:
            assert ready.wait(60)
            assert path.stat().st_mode & 0o777 == 0o600
            transport = httpx.HTTPTransport(uds=str(path))
            with httpx.Client(transport=transport, base_url="http://localhost") as client:
                assert client.get("/healthz").status_code == 200
                assert client.get("/v1/hosts").status_code == 401
            with pytest.raises(YuiError) as refused, local_socket(path):
                pass
            assert refused.value.type == "socket-in-use"
        finally:
            stop.set()
            serving.join(60)
            store.close()
    assert not path.exists()


def test_a_socket_that_a_dead_process_left_gives_way_and_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with local_socket(path):
        assert path.is_socket()
    path.write_text("precious")
    for unusable in (path, tmp_path / "absent" / "api.sock", tmp_path / ("x" * 200)):
        with pytest.raises(YuiError) as refused, local_socket(unusable):
            pass
        assert refused.value.type == "socket-unavailable"
    assert path.read_text() == "precious"
