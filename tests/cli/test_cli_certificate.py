"""What `yui certificate` says while a failure is under way."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_plane.pool.models import (
    CertificateOut,
    Holdings,
    RefuseOut,
    Reserve,
    Size,
    UnderWayOut,
)
from tests.cli.running import Ended, environment_of, run_here

NOTHING = Size(vcpus=0, memory_mib=0)
CALM = CertificateOut(
    region="kyoto",
    valid=True,
    promised=["host"],
    servers=3,
    refuges=3,
    violations=[],
    uncovered=[],
    reserve=Reserve(total=NOTHING, hosts_worth=1.0, by_host=[]),
    holdings=Holdings(count=0, total=NOTHING, unproved=[]),
    checked_at=datetime(2026, 4, 1, tzinfo=UTC),
)
COVERED = UnderWayOut(hosts=["kyoto-1", "kyoto-2"], servers=2, survives_next=True)
OPEN = COVERED.model_copy(
    update={"survives_next": False, "en": "It is not proved yet.", "ja": "まだ確認できていません。"}
)
REFUSAL = RefuseOut(
    failure="host:kyoto-3",
    server="tax-db",
    resource="memory",
    nearest="kyoto-2",
    shortfall=4096,
    unit="MiB",
    proof="proved-impossible",
    en="If host 'kyoto-3' failed, server 'tax-db' could not be restarted.",
    ja="ホスト「kyoto-3」が停止すると、サーバー「tax-db」を再起動できません。",
)


class Answering(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = self.server.answer.model_dump_json().encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def yui(api, home: Path, command: str, answer: CertificateOut, language: str = "en") -> Ended:
    api.answer = answer
    environment = environment_of(home) | {
        "YUI_URL": f"http://127.0.0.1:{api.server_address[1]}",
        "YUI_TOKEN": "yui_not-a-real-token",
        "YUI_LANG": language,
    }
    return run_here(("certificate", command, "kyoto"), environment)


def test_a_promise_that_holds_also_meanwhile_is_told_as_ever(api, tmp_path):
    told = yui(api, tmp_path, "check", CALM)
    assert told.returncode == 0, told.stderr
    assert "survives the loss of any one host" in told.stdout
    assert yui(api, tmp_path, "check", CALM.model_copy(update={"under_way": COVERED})) == told


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("uncovered", [[], [REFUSAL]], ids=["unproved", "uncovered"])
def test_while_a_failure_is_under_way_nothing_unproved_is_promised(
    api, tmp_path, command, language, uncovered
):
    answer = CALM.model_copy(update={"valid": False, "under_way": OPEN, "uncovered": uncovered})
    told = yui(api, tmp_path, command, answer, language)
    assert told.returncode == (1 if command == "check" else 0), told.stderr
    header, why = {
        "en": ("one failure is under way (kyoto-1, kyoto-2)", OPEN.en),
        "ja": ("障害に対応中です(kyoto-1、kyoto-2)", OPEN.ja),
    }[language]
    reason = getattr(REFUSAL, language) if uncovered else why
    assert header in told.stdout
    assert reason in told.stdout
    for promise in ("survives the loss", "持ちこたえます", "0 mistakes", "0 件の誤り"):
        assert promise not in told.stdout
