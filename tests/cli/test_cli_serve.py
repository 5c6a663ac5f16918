"""What `yui serve` refuses before it starts, and that it starts and ends in good order."""

import json
import signal
import socket
import subprocess

import pytest

from tests.cli import forked
from tests.cli.running import CHECKOUT, command, environment_of, run_apart


def one_sentence(result, code):
    assert result.returncode == code, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def serve(home, *arguments):
    return forked.run(("serve", *arguments), environment_of(home))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://yui:hunter2@127.0.0.1/yui",
        "postgresql+psycopg://127.0.0.1/yui?user=yui&password=hunter2",
    ],
)
def test_a_database_password_on_the_command_line_is_refused_unrepeated(home, url):
    sentence = one_sentence(serve(home, "--plain-http", "--database", url), 1)
    assert "YUI_DATABASE" in sentence
    assert "hunter2" not in sentence


def test_serving_needs_a_place_for_the_state(home):
    assert "YUI_DATABASE" in one_sentence(serve(home, "--plain-http"), 1)


def test_serving_without_encryption_to_other_machines_is_refused(home, tmp_path):
    where = f"sqlite:///{tmp_path / 'state.db'}"
    result = serve(home, "--plain-http", "--address", "0.0.0.0", "--database", where)  # noqa: S104
    assert "certificate" in one_sentence(result, 1)
    assert not (tmp_path / "state.db").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--witness", "router"),
        ("--witness", "192.0.2.1:99999"),
        ("--webhook", "https://x/secret"),
        ("--kubernetes", "kyoto"),
        ("--public-url", "yui.example.jp"),
        ("--public-url", "https://yui/x"),
        ("--public-url", "http://["),
    ],
)
def test_a_mistyped_setting_is_told(home, tmp_path, option, value):
    where = f"sqlite:///{tmp_path / 'state.db'}"
    result = serve(home, "--plain-http", "--database", where, option, value)
    sentence = one_sentence(result, 1)
    assert "secret" not in sentence or "secret," in sentence


@pytest.mark.long
def test_serving_real_hosts_starts_answers_and_ends_on_sigterm(home, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    token = tmp_path / "token"
    process = subprocess.Popen(
        command(
            *("serve", "--plain-http", "--port", port, "--first-token", str(token)),
            *("--database", f"sqlite:///{tmp_path / 'state.db'}"),
        ),
        cwd=CHECKOUT,
        env=environment_of(home),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        log = []
        for line in process.stderr:
            log.append(line)
            if "The API answers at" in line:
                break
        url = f"http://127.0.0.1:{port}"
        asked = ("pool", "show", "--json", "--url", url, "--token-file", str(token))
        shown = run_apart(asked, environment_of(home))
        assert shown.returncode == 0, shown.stderr + "".join(log)
        assert json.loads(shown.stdout)["hosts"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_the_bench_restarts_every_server_of_the_dead_host(home):
    arguments = ("bench", "failover", "--hosts", "6", "--servers", "40", "--json")
    result = forked.run(arguments, environment_of(home))
    assert result.returncode == 0, result.stderr
    measured = json.loads(result.stdout)
    assert measured["restarted_servers"] == measured["affected_servers"] > 0
    assert measured["double_started"] == 0
    assert measured["certificate_valid"] is True
    assert measured["seconds"] > 0
    assert measured["peak_memory_mib"] > 10
