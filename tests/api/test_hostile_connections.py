"""What no HTTP client would send, over real connections: it ends in time, in a clear refusal, and changes
nothing."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from collections.abc import Callable, Iterator

import pytest

from control_plane.http.tokens import new_token
from control_plane.model.access import Role, Token
from tests.api.conftest import MIKASA, NOW, Prepared
from tests.api.wire import Answer, Wire, answers, received, wired


@pytest.fixture(scope="module")
def served_wire(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wired(prepared, tmp_path_factory.mktemp("wire")) as wire:
        yield wire
        assert "Traceback" not in wire.said.getvalue()


@pytest.fixture
def wire(served_wire: Wire) -> Iterator[Wire]:
    """For tests that change nothing, and after which others are answered as before."""
    before = served_wire.contents()
    yield served_wire
    assert served_wire.contents() == before
    assert served_wire.exchange(served_wire.head("GET /healthz HTTP/1.1"))[0].status == 200


def drip(connection: socket.socket, piece: bytes) -> bytes:
    """Send it again and again, slowly, until the other end closes; what it said."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        while True:
            if select.select([connection], [], [], 0.1)[0]:
                part = connection.recv(65536)
                if not part:
                    break
                heard += part
            connection.sendall(piece)
    return heard


def test_whoever_sends_a_byte_at_a_time_is_answered_and_closed(wire: Wire) -> None:
    join = json.dumps({"code": MIKASA, "blueprints": ["facility-booking"]}).encode()
    post = ("Content-Type: application/json", f"Content-Length: {len(join)}")
    begun: dict[str, tuple[bytes, bytes, list[int]]] = {
        "a head": (wire.head(end=False), b"X-Slow: yes\r\n", [408]),
        "nothing": (b"", b"", []),
        "a body": (wire.head("POST /v1/members HTTP/1.1", *post) + join[:5], b"", [408]),
        "a second head": (wire.head(last=False) + b"GET /v1/ho", b"x", [200, 408]),
        "a body that nobody wants": (
            b"POST /v1/members HTTP/1.1\r\nHost: yui\r\nContent-Length: 99999\r\n\r\n",
            b"x",
            [401],
        ),
    }
    for what, (beginning, piece, statuses) in begun.items():
        with wire.connect() as connection:
            connection.sendall(beginning)
            heard = drip(connection, piece) if piece else received(connection)
            assert [answer.status for answer in answers(heard)] == statuses, what


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(wire: Wire) -> None:
    post = wire.head(
        "POST /v1/members HTTP/1.1", "Content-Type: application/json", "Content-Length: 90"
    )
    with wire.connect() as connection:
        connection.sendall(post + b'{"code": "012220"')


def test_requests_that_come_at_once_are_answered_in_order(wire: Wire) -> None:
    paths = ["/v1/hosts", "/v1/nothing", "/v1/flavors", "/healthz"]
    at_once = b"".join(wire.head(f"GET {path} HTTP/1.1", last=path == paths[-1]) for path in paths)
    assert [a.status for a in wire.exchange(at_once)] == [200, 404, 200, 200]
    behind = wire.exchange(wire.head(last=False) + b"\x16\x03\x01 no HTTP\r\n\r\n" + wire.head())
    assert [a.status for a in behind] == [200, 400]


CHUNKED = "Transfer-Encoding: chunked"
UNCLEAR: dict[str, tuple[Callable[[Wire], bytes], int]] = {
    "two lengths": (lambda w: _post(w, "Content-Length: 2", "Content-Length: 3") + b"{}x", 400),
    "a length of two": (lambda w: _post(w, "Content-Length: 2, 3") + b"{}x", 400),
    "a length below nothing": (lambda w: _post(w, "Content-Length: -1") + b"{}", 400),
    "a length with a sign": (lambda w: _post(w, "Content-Length: +2") + b"{}", 400),
    "a length in letters": (lambda w: _post(w, "Content-Length: 0x2") + b"{}", 400),
    "an endless length": (lambda w: _post(w, f"Content-Length: {10**30}") + b"{}", 400),
    "a length and chunks": (
        lambda w: _post(w, "Content-Length: 4", CHUNKED) + b"0\r\n\r\n" + w.head(),
        400,
    ),
    "chunks, twice": (lambda w: _post(w, CHUNKED, CHUNKED) + b"0\r\n\r\n", 501),
    "chunks of something": (lambda w: _post(w, "Transfer-Encoding: gzip, chunked") + b"x", 501),
    "chunks before HTTP/1.1": (
        lambda w: w.head("POST /v1/explain HTTP/1.0", CHUNKED) + b"0\r\n\r\n",
        400,
    ),
    "a chunk without size": (lambda w: _post(w, CHUNKED) + b"zz\r\n{}\r\n0\r\n\r\n", 400),
    "a chunk larger than it says": (lambda w: _post(w, CHUNKED) + b"1\r\n{}\r\n0\r\n\r\n", 400),
    "a name with a blank": (lambda w: _post(w, "Content-Length : 2") + b"{}", 400),
    "a header with a zero": (lambda w: w.head("GET /v1/hosts HTTP/1.1", "X-A: \0"), 400),
    "no host": (lambda _: b"GET /v1/hosts HTTP/1.1\r\n\r\n", 400),
    "two hosts": (lambda w: w.head("GET /v1/hosts HTTP/1.1", "Host: other"), 400),
    "a version to come": (lambda w: w.head("GET /v1/hosts HTTP/9.9"), 505),
    "one endless header": (lambda w: w.head("GET / HTTP/1.1", "X-Long: " + "x" * 10**6), 431),
    "endless headers": (
        lambda w: w.head("GET / HTTP/1.1", *(f"X-{n}: x" for n in range(10_000))),
        431,
    ),
    "an endless path": (lambda w: w.head(f"GET /{'x' * 40_000} HTTP/1.1"), 431),
    "TLS": (lambda _: bytes.fromhex("16030100c8010000c40303") + bytes(100) + b"\r\n\r\n", 400),
}


def _post(wire: Wire, *headers: str) -> bytes:
    return wire.head("POST /v1/explain HTTP/1.1", "Content-Type: application/json", *headers)


@pytest.mark.parametrize("what", UNCLEAR)
def test_a_request_that_could_be_read_in_two_ways_is_refused_and_ends_the_connection(
    wire: Wire, what: str
) -> None:
    make, status = UNCLEAR[what]
    found = wire.exchange(make(wire))
    assert [answer.status for answer in found] == [status]
    assert found[0].problem
    assert found[0].headers["connection"] == "close"


def test_a_body_that_breaks_after_its_answer_only_ends_the_connection(wire: Wire) -> None:
    """Chunks that nobody waits for any more."""
    stranger = b"POST /v1/explain HTTP/1.1\r\nHost: yui\r\nTransfer-Encoding: chunked\r\n\r\n"
    with wire.connect() as connection:
        connection.sendall(stranger)
        first = connection.recv(65536)
        connection.sendall(b"zz\r\n\r\n")
        assert [a.problem for a in answers(first + received(connection))] == ["token-missing"]


def test_a_body_too_large_is_told_so_before_it_has_come(wire: Wire) -> None:
    declared = wire.head("PUT /v1/pool HTTP/1.1", f"Content-Length: {10**12}")
    with wire.connect() as connection:
        connection.sendall(declared)
        assert [a.problem for a in answers(drip(connection, b"x" * 1000))] == ["request-too-large"]


@pytest.mark.long
def test_an_answer_that_nobody_takes_is_given_up(wire: Wire) -> None:
    whole = len(wire.ask("GET", "/openapi.json").content)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", wire.port))
        # More answers than the system keeps for a client that reads none.
        connection.sendall(wire.head("GET /openapi.json HTTP/1.1", last=False) * 50)
        for _ in range(3):
            # Each is closed once it has been as patient with this one.
            with wire.connect() as silent:
                received(silent)
        assert len(received(connection)) < 50 * whole


def test_those_who_send_nothing_do_not_keep_others_out(wire: Wire) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(60):
            held.enter_context(wire.connect())
        assert [a.status for a in wire.exchange(wire.head())] == [200]


PATHS = [
    "/v1/%2e%2e/metrics",
    "/v1/../metrics",
    "/v1/hosts/..%2f..%2fetc%2fpasswd",
    "/v1/hosts/kyoto-1%2Frefuges",
    "/v1/hosts/%00",
    "/v1/hosts/kyoto-1%00",
    "/v1/hosts/kyoto-1%0d%0aX-Injected:%20yes",
    "/v1/hosts/%1b%5b31m",
    "/v1/hosts/%c2%9b31m",
    "/v1/hosts/%E2%80%AE1-otoyk",
    "//v1/hosts",
    "/v1//hosts",
    "/v1/hosts;session=1",
    "/v1/hosts/kyoto-1;",
    "/v1/hosts/%252e%252e",
    "/v1\\hosts",
    "http://elsewhere/v1/hosts",
    "*",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_could_be_taken_for_another_is_refused(wire: Wire, path: str) -> None:
    for method in ("GET", "POST"):
        found = wire.exchange(wire.head(f"{method} {path} HTTP/1.1", "Content-Length: 0"))
        assert [answer.problem for answer in found] == ["path-unclear"], (method, found)


@pytest.mark.parametrize("path", ["/v1/hosts/", "/V1/hosts", "/v1/hosts/%ff", "/v1/hosts/KYOTO-1"])
def test_a_path_that_names_nothing_is_not_made_to_fit(wire: Wire, path: str) -> None:
    (found,) = wire.exchange(wire.head(f"GET {path} HTTP/1.1"))
    assert found.problem in ("no-such-path", "request-invalid")


def test_a_host_or_method_of_the_clients_own_is_no_fault(wire: Wire) -> None:
    for host in ("[", "a/b?c#d", "x" * 300, "yui:99999", "\xff"):
        head = f"POST /v1/nothing HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {wire.token}\r\nConnection: close\r\n"
        found = wire.exchange(head.encode("latin-1") + b"Content-Length: 0\r\n\r\n")
        assert [answer.status for answer in found] in ([404], [400]), host
    for number in range(3):
        (found_one,) = wire.exchange(wire.head(f"BREW-{number} /v1/hosts HTTP/1.1"))
        assert found_one.problem == "method-not-allowed"
    metrics = wire.ask("GET", "/metrics").text
    assert "BREW" not in metrics
    assert 'method="other"' in metrics


BODIES: dict[str, bytes] = {
    "too deep": b'{"region": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a huge number": b'{"region": "kyoto", "flavor": "m1.small", "count": 1' + b"0" * 4000 + b"}",
    "a number without end": b'{"region": "kyoto", "flavor": "m1.small", "count": 1e999}',
    "no number": b'{"region": "kyoto", "flavor": "m1.small", "count": NaN}',
    "half a character": b'{"region": "\\ud800", "flavor": "m1.small"}',
    "another encoding": '{"region": "kyoto", "flavor": "m1.small"}'.encode("utf-32"),
    "compressed": b"\x1f\x8b\x08" + bytes(50),
    "two values": b'{"region": "kyoto", "flavor": "m1.small"} {}',
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_is_no_plain_json_is_refused(wire: Wire, what: str) -> None:
    body = BODIES[what]
    (found,) = wire.exchange(_post(wire, f"Content-Length: {len(body)}") + body)
    assert found.problem in ("request-unreadable", "request-invalid"), found
    assert found.status in (400, 422)


NAMES = {
    "a control": "night\u0007shift",
    "a line break": "night\nshift",
    "text turned round": "night \u202etfihs",
    "an isolate": "night\u2066shift",
    "nothing to see": "\u3164",
    "only marks": "\u0301\ufe0f",
    "an invisible joiner": "night\u200dshift",
    "a private character": "\ue000",
    "a tag": "\U000e0041night",
    "blanks": "\u3000\u00a0 ",
}


@pytest.mark.parametrize("what", NAMES)
def test_a_name_that_people_could_not_read_is_refused(wire: Wire, what: str) -> None:
    answer = wire.ask("POST", "/v1/tokens", json={"role": "operator", "label": NAMES[what]})
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "urn:yui:problem:request-invalid"


def test_names_are_kept_in_one_form_and_people_may_write_from_right_to_left(
    served_wire: Wire,
) -> None:
    kept = {
        "か\u3099くせい": "がくせい",
        "משמרת לילה": "משמרת לילה",
        "葛\U000e0100城市": "葛\U000e0100城市",
    }
    for sent, expected in kept.items():
        answer = served_wire.ask("POST", "/v1/tokens", json={"role": "operator", "label": sent})
        assert answer.status_code == 201
        assert answer.json()["label"] == expected
    long = served_wire.ask("POST", "/v1/tokens", json={"role": "operator", "label": "\ufb2c" * 100})
    assert long.status_code == 422


def test_another_key_of_the_same_name_is_another_persons(served_wire: Wire) -> None:
    """What was answered under a key is answered again to nobody but who asked."""
    key = {"Idempotency-Key": "the-same-for-all"}
    asked = {"role": "operator", "label": "second"}
    first = served_wire.ask("POST", "/v1/tokens", json=asked, headers=key)
    assert first.status_code == 201
    over = _token(served_wire, expired=True)
    refused = {
        "expired": {**key, "Authorization": f"Bearer {over}"},
        "nobody's": {**key, "Authorization": f"Bearer {new_token().text}"},
        "none": {**key, "Authorization": ""},
    }
    for headers in refused.values():
        answer = served_wire.ask("POST", "/v1/tokens", json=asked, headers=headers)
        assert answer.status_code == 401
        assert first.json()["id"] not in answer.text
    other = served_wire.ask(
        "POST",
        "/v1/tokens",
        json=asked,
        headers={**key, "Authorization": f"Bearer {first.json()['token']}"},
    )
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]


def _token(wire: Wire, *, expired: bool = False) -> str:
    fresh = new_token()
    with wire.store.write() as tx:
        end = NOW.replace(year=2001) if expired else None
        tx.add_token(Token(fresh.id, fresh.hash, Role.OPERATOR, None, "made for a test", end))
    return fresh.text


def test_a_token_in_the_wrong_place_is_refused_and_nowhere_repeated(served_wire: Wire) -> None:
    tokens = [_token(served_wire), _token(served_wire, expired=True), new_token().text]
    signed = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJob25kYSJ9." + "c2lnbmVkLXdpdGgtYS1rZXk" * 2
    told: list[Answer] = []
    for bearer in tokens:
        for token in (*tokens, signed):
            told += _misplaced(served_wire, bearer, token)
    for token in (*tokens, signed):
        assert _in_bodies(served_wire, token)[:2] == [
            (400, "token-misplaced"),
            (400, "request-unreadable"),
        ]
    assert _in_bodies(served_wire, tokens[0])[2] == (422, "request-invalid")
    # However the bearer stands with us, a token elsewhere is told of first.
    assert {answer.problem for answer in told} == {"token-misplaced"}
    assert {answer.status for answer in told} == {400}
    assert served_wire.exchange(served_wire.head("GET /healthz HTTP/1.1"))
    shown = b"".join(answer.body + repr(answer.headers).encode() for answer in told).decode()
    state = b"".join(
        path.read_bytes() for path in served_wire.state_file.parent.iterdir() if path.is_file()
    ).decode("latin-1")
    listed = "".join(
        served_wire.ask("GET", path).text
        for path in ("/v1/audit?limit=1000", "/v1/events?limit=1000", "/v1/tokens", "/metrics")
    )
    for token in (*tokens, signed):
        secret = token[-20:]
        for place in (shown, state, listed, served_wire.said.getvalue()):
            assert secret not in place


def _misplaced(wire: Wire, bearer: str, token: str) -> list[Answer]:
    escaped = token.replace("_", "%5F")
    heads = [
        f"GET /v1/servers/{token} HTTP/1.1",
        f"GET /v1/nothing/{escaped} HTTP/1.1",
        f"DELETE /v1/tokens/{token} HTTP/1.1",
        f"GET /v1/hosts?access_token={token} HTTP/1.1",
        f"GET /v1/hosts?cursor={escaped} HTTP/1.1",
        f"{token.replace('=', '')} /v1/hosts HTTP/1.1",
    ]
    kept = [f"X-Request-Id: {token}", f"Idempotency-Key: {token}", f"If-Match: {token}"]
    own = f"Host: yui\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json\r\n"
    with wire.connect() as connection:
        for head in heads:
            connection.sendall(f"{head}\r\n{own}\r\n".encode())
        for header in kept:
            connection.sendall(
                f"POST /v1/tokens HTTP/1.1\r\n{own}{header}\r\nContent-Length: 0\r\n\r\n".encode()
            )
        connection.sendall(f"GET /healthz HTTP/1.1\r\n{own}Connection: close\r\n\r\n".encode())
        found = answers(received(connection))
    assert found.pop().status == 200
    assert len(found) == len(heads) + len(kept)
    return found


def _in_bodies(wire: Wire, token: str) -> list[tuple[int, str]]:
    """Also where it is written so that only whoever reads the JSON finds it."""
    body = json.dumps({"role": "operator", "label": token})
    bodies = (body.encode(), body.encode("utf-16"), body.replace("y", "\\u0079").encode())
    head = ("POST /v1/tokens HTTP/1.1", "Content-Type: application/json")
    sent = [wire.head(*head, f"Content-Length: {len(each)}") + each for each in bodies]
    found = [wire.exchange(each)[0] for each in sent]
    secret = token[-20:].encode()
    assert [answer for answer in found if secret in answer.body] == []
    return [(answer.status, answer.problem) for answer in found]
