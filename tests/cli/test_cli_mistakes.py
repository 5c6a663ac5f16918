"""What people do wrong before the API is even asked: one sentence, an exit code, never a traceback."""

import json
import re
import shlex
import subprocess

import pytest

from tests.cli.running import CHECKOUT, command, environment_of, run_apart

POOL = """\
regions:
  - {id: kyoto, name: 京都}
sites:
  - {id: kyoto-dc, region: kyoto, name: 京都センター, guest_network: 10.77.16.0/24}
hosts:
  - {id: kyoto-1, site: kyoto-dc, vcpus: 16, memory: 64GB, storage: [kyoto-pool]}
"""


def one_sentence(result, code):
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_a_bad_pool_file_is_told_with_its_line_before_anything_is_sent(yui, tmp_path):
    (tmp_path / "pool.yaml").write_text(POOL)
    result = yui("pool", "apply", str(tmp_path / "pool.yaml"))
    assert result.returncode == 1
    assert result.stdout == ""
    first, second = result.stderr.strip().splitlines()
    assert first.startswith("pool.yaml, line 6: ")
    assert "'64 GiB'" in first
    assert "kyoto-pool" in second


def test_a_bad_pool_file_is_told_in_japanese_too(yui, tmp_path):
    (tmp_path / "pool.yaml").write_text(POOL)
    result = yui("pool", "apply", str(tmp_path / "pool.yaml"), env={"LANG": "ja_JP.UTF-8"})
    assert "pool.yaml の 6 行目: ホスト kyoto-1 の memory が「64GB」です" in result.stderr


def test_a_mistake_ends_the_process_with_its_code_and_no_traceback(home, tmp_path):
    (tmp_path / "pool.yaml").write_text(POOL)
    result = run_apart(
        ("pool", "apply", str(tmp_path / "pool.yaml")),
        {**environment_of(home), "LANG": "ja_JP.UTF-8"},
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "pool.yaml の 6 行目" in result.stderr


def test_a_reader_that_goes_away_ends_the_command_quietly(home):
    script = f"{shlex.join(command('--help'))} | true; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=CHECKOUT,
        env=environment_of(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 141
    assert result.stderr == ""


def test_a_bad_pool_file_is_a_problem_document_for_programs(yui, tmp_path):
    (tmp_path / "pool.yaml").write_text(POOL)
    result = yui("pool", "apply", str(tmp_path / "pool.yaml"), "--json")
    problem = json.loads(result.stderr)
    assert problem["type"] == "urn:yui:problem:pool-file-invalid"
    assert (problem["fields"]["file"], problem["fields"]["line"]) == ("pool.yaml", 6)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"\xff\xfe\x00", "not UTF-8")]
)
def test_a_pool_file_that_can_not_be_read_is_named(yui, tmp_path, content, said):
    path = tmp_path / "pool.yaml"
    if content is not None:
        path.write_bytes(content)
    sentence = one_sentence(yui("pool", "apply", str(path)), 1)
    assert "pool.yaml" in sentence
    assert said in sentence


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hots"], "There is no command 'hots'. Did you mean 'host'?"),
        (["host", "list", "--regoin", "x"], "There is no option --regoin. Did you mean --region?"),
        (["host", "show"], "HOST is missing."),
        (["explain", "m1.small"], "--region is missing."),
        (["explain", "m1.small", "--region", "k", "--count", "0"], "--count must be at least 1."),
        (["explain", "m1.small", "--region", "k", "--zone", "moon"], "--zone must be one of "),
        (["version", "--lang", "fr"], "--lang must be one of en, ja."),
    ],
)
def test_a_wrong_command_line_is_told_in_a_sentence_that_says_where_to_look(yui, arguments, said):
    sentence = one_sentence(yui(*arguments), 2)
    assert sentence.startswith(said)
    assert re.search(r"Try `yui.* --help`\.$", sentence)


def test_a_wrong_command_line_is_told_in_japanese(yui):
    sentence = one_sentence(yui("--lang", "ja", "hots"), 2)
    assert sentence.startswith("「hots」というコマンドはありません。")


def test_a_group_without_a_command_shows_its_commands(yui):
    result = yui("host")
    assert result.returncode == 2
    assert "drain" in result.stdout + result.stderr


def test_a_mistyped_municipality_code_is_noticed_at_once(yui):
    sentence = one_sentence(yui("member", "join", "012221", "--blueprint", "resident-records"), 1)
    assert "check digit" in sentence


def test_help_documents_the_exit_codes_in_both_languages(yui):
    assert "5 the API can't be reached" in " ".join(yui("--help").stdout.split())
    assert "API に接続できない" in yui("--help", "--lang", "ja").stdout


def test_a_shell_gets_a_script_that_completes_commands(yui, home):
    script = yui("completion", "bash").stdout
    assert "_YUI_COMPLETE=complete_bash" in script
    asked = {"_YUI_COMPLETE": "complete_bash", "COMP_WORDS": "yui host dr", "COMP_CWORD": "2"}
    answers = run_apart((), {**environment_of(home), **asked})
    assert answers.stdout.split() == ["drain"]


def test_the_version_is_printed_for_people_and_programs(yui):
    assert yui("version").stdout.startswith("yui ")
    assert json.loads(yui("version", "--json").stdout).keys() == {"version"}
