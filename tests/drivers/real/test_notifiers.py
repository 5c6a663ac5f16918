"""Telling people: what arrives, and what is counted when it can't."""

from __future__ import annotations

import io
import json
import logging
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from control_plane.drivers.real import LogNotifier, WebhookNotifier
from control_plane.drivers.world import NotTold
from control_plane.model.operation import Event, Severity
from tests.drivers.fencing.samples import BEGINNING

FENCED = Event(
    "host.fenced",
    "host:kyoto-1",
    BEGINNING,
    Severity.CRITICAL,
    "kyoto-1 is fenced.",
    "kyoto-1 を停止しました。",
    fields={"servers": 3},
    sequence=17,
)


def test_an_event_is_one_line_of_json_in_both_languages():
    stream = io.StringIO()
    LogNotifier(stream).notify(FENCED)
    (line,) = stream.getvalue().splitlines()
    assert "kyoto-1 を停止しました。" in line
    assert json.loads(line) == {
        "event": "host.fenced",
        "subject": "host:kyoto-1",
        "at": "2026-04-01T00:00:00+00:00",
        "severity": "critical",
        "en": "kyoto-1 is fenced.",
        "ja": "kyoto-1 を停止しました。",
        "tenant": None,
        "fields": {"servers": 3},
        "sequence": 17,
    }


def test_an_event_that_cannot_be_written_is_counted_and_harms_nobody():
    stream = io.StringIO()
    broken = LogNotifier(stream)
    stream.close()
    broken.notify(FENCED)
    assert broken.undeliverable == 1


@contextmanager
def hook(status=204):
    """A webhook on loopback; what it was sent, and where."""
    received = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook/s3cret-token", received
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


@pytest.fixture
def make_notifier(tmp_path):
    made = []

    def make(url):
        (tmp_path / "hook").write_text(url)
        made.append(WebhookNotifier(f"file:{tmp_path / 'hook'}"))
        return made[-1]

    yield make
    for notifier in made:
        notifier.close()


def test_a_webhook_gets_every_event_in_order_and_no_log_its_address(make_notifier, caplog):
    caplog.set_level(logging.DEBUG)
    with hook() as (url, received):
        notifier = make_notifier(url)
        notifier.notify(FENCED)
        notifier.notify(Event("host.up", "host:kyoto-1", BEGINNING, Severity.INFO, "Up.", "復旧。"))
    assert [body["kind"] for _, body in received] == ["host.fenced", "host.up"]
    assert received[0][0] == "/hook/s3cret-token"
    assert received[0][1]["ja"] == "kyoto-1 を停止しました。"
    assert notifier.undeliverable == 0
    assert "s3cret-token" not in caplog.text


def test_an_event_that_comes_twice_can_be_told_by_its_sequence(make_notifier):
    with hook() as (url, received):
        make_notifier(url).notify(FENCED)
        make_notifier(url).notify(FENCED)
    assert [body["sequence"] for _, body in received] == [17, 17]


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
def test_a_webhook_that_does_not_take_an_event_is_to_get_it_again(make_notifier, status):
    with hook(status) as (url, received):
        notifier = make_notifier(url)
        with pytest.raises(NotTold, match=str(status)):
            notifier.notify(FENCED)
    assert len(received) == 1
    assert notifier.undeliverable == 0


def test_an_event_that_a_webhook_refuses_for_its_own_sake_is_counted_and_passed_over(make_notifier):
    with hook(status=422) as (url, _):
        notifier = make_notifier(url)
        notifier.notify(FENCED)
    assert notifier.undeliverable == 1


def test_a_webhook_that_is_gone_is_no_secret_but_its_address_is(make_notifier):
    with hook() as (url, _):
        pass
    with pytest.raises(NotTold) as trouble:
        make_notifier(url).notify(FENCED)
    assert "s3cret-token" not in str(trouble.value)


@pytest.mark.parametrize(
    "url", ["http://255.255.255.255/hook", "ftp://127.0.0.1/hook", "nonsense", ""], ids=str
)
def test_events_go_nowhere_unencrypted_or_unknown(make_notifier, url):
    with pytest.raises(NotTold) as trouble:
        make_notifier(url).notify(FENCED)
    assert not url or url not in str(trouble.value)
