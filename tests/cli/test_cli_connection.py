"""Everything that can stand between yui and its API, each told in one sentence with its exit code."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import os
import pty
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.running import CHECKOUT, command, environment_of

TOKEN = "yui_not-a-real-token"  # noqa: S105 — no secret of anything


class SomeServer(http.server.BaseHTTPRequestHandler):
    """A web server that is not Yui, and remembers what it was sent."""

    answers = ((200, "text/html", b"<html>It works!</html>"),)

    def do_GET(self) -> None:
        seen = self.server.seen  # type: ignore[attr-defined]
        seen.append(dict(self.headers))
        answers = self.server.answers  # type: ignore[attr-defined]
        status, kind, body = answers[min(len(seen), len(answers)) - 1]
        if status == 0:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), SomeServer) as running:
        running.seen = []  # type: ignore[attr-defined]
        running.answers = SomeServer.answers  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url_of(server, scheme="http"):
    return f"{scheme}://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return tmp_path / "certificate.pem", tmp_path / "key.pem"


@pytest.fixture
def tls_server(server, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


def one_sentence(result, code):
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert TOKEN not in result.stderr + result.stdout
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_a_port_where_nothing_listens(yui):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    result = yui("host", "list", "--url", f"http://127.0.0.1:{port}")
    assert "Nothing listens at" in one_sentence(result, 5)
    japanese = yui("host", "list", "--url", f"http://127.0.0.1:{port}", "--lang", "ja")
    assert "待ち受けているものがありません" in one_sentence(japanese, 5)


def test_a_name_that_no_name_server_knows(yui):
    result = yui("host", "list", "--url", "https://api.invalid")
    assert result.returncode == 5
    assert "api.invalid" in one_sentence(result, 5)


def test_a_certificate_that_nobody_vouches_for(yui, tls_server):
    sentence = one_sentence(yui("host", "list", "--url", url_of(tls_server, "https")), 5)
    assert "is not trusted" in sentence
    assert "--ca-file" in sentence
    assert tls_server.seen == []


def test_a_certificate_signed_by_the_named_ca_is_trusted(yui, tls_server, certificate):
    result = yui(
        "host", "list", "--url", url_of(tls_server, "https"), "--ca-file", str(certificate[0])
    )
    assert "not Yui's API" in one_sentence(result, 5)
    assert len(tls_server.seen) == 1


def test_https_asked_of_a_port_that_speaks_http(yui, server):
    sentence = one_sentence(yui("host", "list", "--url", url_of(server, "https")), 5)
    assert "No TLS connection" in sentence


def test_a_web_server_that_is_something_else(yui, server):
    sentence = one_sentence(yui("host", "list", "--url", url_of(server)), 5)
    assert "is not Yui's API (HTTP 200)" in sentence


def test_an_answer_of_another_version_is_not_guessed_at(yui, server):
    server.answers = ((200, "application/json", b'{"items": [{"id": 7}], "next": null}'),)
    assert "different versions" in one_sentence(yui("host", "list", "--url", url_of(server)), 5)


def test_a_connection_that_breaks_once_is_tried_again(yui, server):
    good = (200, "application/json", b'{"items": [], "next": null}')
    server.answers = ((0, "", b""), good)
    result = yui("host", "list", "--json", "--url", url_of(server))
    assert (result.returncode, json.loads(result.stdout)) == (0, [])
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("status", "type", "code"),
    [
        (401, "token-invalid", 4),
        (403, "permission-missing", 4),
        (404, "host-not-found", 3),
        (404, "no-such-path", 3),
        (409, "host-exists", 6),
        (412, "host-changed", 6),
        (422, "request-invalid", 1),
        (422, "flavor-not-found", 3),
        (409, "no-room", 1),
        (500, "internal-error", 1),
    ],
)
def test_a_problem_ends_with_the_exit_code_of_its_kind(yui, server, status, type, code):
    document = {
        "type": f"urn:yui:problem:{type}",
        "title": "A title",
        "status": status,
        "detail": "There is no host 'x'.",
        "fields": {"host": "x"},
    }
    server.answers = ((status, "application/problem+json", json.dumps(document).encode()),)
    assert one_sentence(yui("host", "show", "x", "--url", url_of(server)), code) == (
        "There is no host 'x'."
    )
    for_programs = yui("host", "show", "x", "--url", url_of(server), "--json")
    assert (for_programs.returncode, json.loads(for_programs.stderr)) == (code, document)
    assert for_programs.stdout == ""


def test_the_token_comes_from_its_file_and_the_language_goes_along(yui, server, token_file):
    yui("host", "list", "--url", url_of(server), "--token-file", str(token_file), "--lang", "ja")
    assert server.seen[0]["Authorization"] == f"Bearer {TOKEN}"
    assert server.seen[0]["Accept-Language"] == "ja"


def test_a_token_file_that_others_can_read_is_refused(yui, server, token_file):
    token_file.chmod(0o644)
    result = yui("host", "list", "--url", url_of(server), "--token-file", str(token_file))
    assert "chmod 600" in one_sentence(result, 4)
    assert server.seen == []


def test_a_token_file_that_is_missing_or_empty_is_told(yui, server, tmp_path, token_file):
    gone = yui("host", "list", "--url", url_of(server), "--token-file", str(tmp_path / "gone"))
    assert "can't be read" in one_sentence(gone, 4)
    token_file.write_text("\n")
    empty = yui("host", "list", "--url", url_of(server), "--token-file", str(token_file))
    assert "does not hold a token" in one_sentence(empty, 4)


def test_a_token_is_not_sent_unencrypted_to_another_machine(yui, token_file):
    result = yui("host", "list", "--url", "http://10.0.0.1", "--token-file", str(token_file))
    assert "unencrypted" in one_sentence(result, 1)


def profile(home: Path, text: str, mode: int = 0o600) -> None:
    path = home / ".config" / "yui" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_settings_come_from_options_then_the_environment_then_the_profile(
    yui, home, server, token_file
):
    good = f'url = "{url_of(server)}"\ntoken_file = "{token_file}"\n'
    profile(home, 'url = "http://127.0.0.1:1"\n[profile.near]\n' + good)
    assert "127.0.0.1:1" in one_sentence(yui("host", "list"), 5)
    assert "127.0.0.1:2" in one_sentence(
        yui("host", "list", env={"YUI_URL": "http://127.0.0.1:2"}), 5
    )
    yui("host", "list", "--profile", "near")
    assert server.seen[0]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("url = 3\n", 0o600, "wrong type"),
        ('ulr = "http://127.0.0.1"\n', 0o600, "unknown key 'ulr'"),
        ("url = \n", 0o600, "not TOML"),
        ('url = "http://127.0.0.1"\n', 0o644, "chmod 600"),
    ],
)
def test_a_profile_file_that_is_wrong_is_told(yui, home, text, mode, said):
    profile(home, text, mode)
    assert said in one_sentence(yui("host", "list"), 1)


def test_local_commands_need_no_settings(yui, home):
    profile(home, "nonsense")
    assert yui("version").returncode == 0


def test_nobody_is_asked_where_nobody_can_answer(yui, server):
    server.answers = ((200, "application/json", json.dumps(HOST).encode()),)
    result = yui("host", "fence", "kyoto-1", "--method", "word", "--url", url_of(server))
    assert "--yes" in one_sentence(result, 1)
    without = yui("host", "fence", "kyoto-1", "--yes", "--url", url_of(server))
    assert "--statement" in one_sentence(without, 1)


def operation(state):
    document = {
        "id": "op-abc", "kind": "member.join", "subject": "member:012220", "tenant": "012220",
        "state": state, "done": 1, "total": 3, "created_at": "2030-01-01T00:00:00Z",
        "updated_at": "2030-01-01T00:00:00Z", "error": None,
    }  # fmt: skip
    if state == "failed":
        document["error"] = {"type": "superseded", "en": "Overtaken.", "ja": "追い越されました。"}
    return (200, "application/json", json.dumps(document).encode())


BROKEN = (0, "", b"")


def test_following_an_operation_outlasts_an_api_that_is_away_for_a_while(yui, server):
    server.answers = (operation("running"), *[BROKEN] * 6, operation("running"), operation("done"))
    result = yui("operation", "show", "op-abc", "--wait", "--url", url_of(server))
    assert result.returncode == 0, result.stderr
    assert "still trying" in result.stderr
    assert "done" in result.stdout


def test_an_operation_that_failed_says_why_in_the_readers_language(yui, server):
    server.answers = (operation("running"), operation("failed"))
    arguments = ("operation", "show", "op-abc", "--wait", "--url", url_of(server), "--lang", "ja")
    result = yui(*arguments)
    assert result.returncode == 1
    assert result.stderr.strip() == "追い越されました。"


def test_interrupting_a_wait_says_that_the_operation_goes_on(home, server):
    server.answers = (operation("running"),)
    arguments = ("operation", "show", "op-abc", "--wait", "--url", url_of(server))
    process = subprocess.Popen(
        command(*arguments),
        cwd=CHECKOUT,
        env=environment_of(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while len(server.seen) < 3:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""
    assert "yui operation show op-abc --wait" in err
    assert "Traceback" not in err


HOST = {
    "id": "kyoto-1", "region": "kyoto", "site": "kyoto-dc", "health": "confirmed",
    "health_since": "2030-01-01T00:00:00Z", "duty": "in-service", "standing": "closed",
    "capacity": {"vcpus": 16, "memory_mib": 65536}, "used": {"vcpus": 2, "memory_mib": 4096},
    "guaranteed": {"vcpus": 0, "memory_mib": 0}, "reserved": {"vcpus": 0, "memory_mib": 0}, "servers": 2, "zones": ["internet"],
    "storage": ["kyoto-pool"], "traits": [], "domains": ["host:kyoto-1"],
    "driver": "simulated", "generation": 3,
}  # fmt: skip


def typing(home, server, *arguments, types):
    """Runs yui at a terminal, where somebody types an answer to each question; all that it showed."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments, "--url", url_of(server)),
        cwd=CHECKOUT,
        env={**environment_of(home), "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    waiting = list(types)
    try:
        while True:
            try:
                read = os.read(mine, 65536)
            except OSError:
                break
            if not read:
                break
            shown += read
            if waiting and shown.rstrip(b" ").endswith(waiting[0][0].encode()):
                os.write(mine, waiting.pop(0)[1].encode() + b"\n")
        return process.wait(60), shown.decode()
    finally:
        os.close(mine)
        process.kill()
        process.wait()


def test_a_fence_is_given_up_when_the_host_is_not_named_again(home, server):
    server.answers = ((200, "application/json", json.dumps(HOST).encode()),)
    code, shown = typing(
        *(home, server, "host", "fence", "kyoto-1", "--method", "word"),
        types=[("in one sentence:", "I pulled the plug."), ("to go on:", "kyoto-2")],
    )
    assert code == 1, shown
    assert "two machines write to the same disks" in " ".join(shown.split())
    assert "That is not kyoto-1, so nothing was done." in " ".join(shown.split())
    assert len(server.seen) == 1
