"""Telling people: what arrives, and what is counted when it can't."""

from __future__ import annotations

import io
import json
import logging
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from control_plane.drivers.real import LogNotifier, NotifyAll, WebhookNotifier
from control_plane.drivers.real.clock import SystemClock
from control_plane.model.operation import Event, Severity
from control_plane.model.units import Seconds
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
    working = io.StringIO()
    NotifyAll([broken, LogNotifier(working)]).notify(FENCED)
    assert broken.undeliverable == 1
    assert "host.fenced" in working.getvalue()


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
    def make(url):
        (tmp_path / "hook").write_text(url)
        return WebhookNotifier(SystemClock(), f"file:{tmp_path / 'hook'}", pause=Seconds(0.01))

    return make


def test_a_webhook_gets_every_event_in_order_and_no_log_its_address(make_notifier, caplog):
    caplog.set_level(logging.DEBUG)
    with hook() as (url, received):
        notifier = make_notifier(url)
        notifier.notify(FENCED)
        notifier.notify(Event("host.up", "host:kyoto-1", BEGINNING, Severity.INFO, "Up.", "復旧。"))
        notifier.close(Seconds(60))
    assert [body["kind"] for _, body in received] == ["host.fenced", "host.up"]
    assert received[0][0] == "/hook/s3cret-token"
    assert received[0][1]["ja"] == "kyoto-1 を停止しました。"
    assert notifier.undeliverable == 0
    assert "s3cret-token" not in caplog.text


def test_a_webhook_that_refuses_is_tried_three_times_and_counted(make_notifier):
    with hook(status=500) as (url, received):
        notifier = make_notifier(url)
        notifier.notify(FENCED)
        notifier.close(Seconds(60))
    assert len(received) == 3
    assert notifier.undeliverable == 1


@pytest.mark.parametrize(
    "url", ["http://255.255.255.255/hook", "ftp://127.0.0.1/hook", "nonsense", ""], ids=str
)
def test_events_go_nowhere_unencrypted_or_unknown(make_notifier, url):
    notifier = make_notifier(url)
    notifier.notify(FENCED)
    notifier.close(Seconds(60))
    assert notifier.undeliverable == 1
