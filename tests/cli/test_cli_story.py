"""One operator's day at the command line, against a control plane that really runs.

The tests share one pool and build on each other in the order in which they stand.
"""

from __future__ import annotations

import json
import stat
import time

import pytest
from rich.cells import cell_len

from tests.cli.served import DECLARED, POOL, Served, served


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


def data(plane: Served, *arguments: str, code: int = 0):
    result = plane.yui(*arguments, "--json")
    assert result.returncode == code, result.stderr + result.stdout
    return json.loads(result.stdout)


def eventually(look, *, within: float = 60):
    """What `look` gives once it is true; a bound on waiting, and no measurement."""
    end = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.5)


def test_a_fresh_control_plane_gives_its_first_operator_a_token_for_their_eyes_only(plane):
    assert stat.S_IMODE(plane.token_file.stat().st_mode) == 0o600
    assert data(plane, "host", "list") == []
    assert "yui pool apply" in plane.yui("host", "list").stderr


def test_a_dry_run_of_the_pool_file_shows_what_would_change_and_changes_nothing(plane):
    result = plane.yui("pool", "apply", str(plane.pool_file), "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "host hokkaido-1" in result.stdout
    assert "dry run" in result.stdout
    assert data(plane, "host", "list") == []


def test_applying_the_pool_file_brings_its_hosts_up(plane):
    result = plane.yui("pool", "apply", str(plane.pool_file), "--wait")
    assert result.returncode == 0, result.stderr
    assert "Applied: 9 added, 0 changed, 0 removed." in result.stdout
    assert [host["health"] for host in data(plane, "host", "list")] == ["up"] * 3


def test_applying_it_again_changes_nothing(plane):
    assert "nothing to do" in plane.yui("pool", "apply", str(plane.pool_file)).stdout
    assert data(plane, "pool", "apply", str(plane.pool_file))["changes"] == []


def test_what_pool_show_prints_is_a_pool_file_of_the_same_pool(plane):
    shown = plane.folder / "shown.yaml"
    shown.write_text(plane.yui("pool", "show").stdout, encoding="utf-8")
    assert "nothing to do" in plane.yui("pool", "apply", str(shown)).stdout


def test_a_change_is_shown_with_what_was_before_and_what_will_be(plane):
    changed = plane.folder / "changed.yaml"
    changed.write_text(POOL.replace("name: 北海道センター", "name: 札幌センター"), encoding="utf-8")
    result = plane.yui("pool", "apply", str(changed), "--dry-run")
    line = next(line for line in result.stdout.splitlines() if "hokkaido-dc" in line)
    assert "name=北海道センター" in line
    assert "name=札幌センター" in line


def test_a_removal_needs_a_confirmation(plane):
    smaller = plane.folder / "smaller.yaml"
    lines = [line for line in POOL.splitlines() if "m1.xlarge" not in line]
    smaller.write_text("\n".join(lines), encoding="utf-8")
    result = plane.yui("pool", "apply", str(smaller))
    assert result.returncode == 1
    assert "--yes" in result.stderr
    assert len(data(plane, "pool", "show")["flavors"]) == 4


def test_an_image_enters_the_catalogue_with_its_digest(plane):
    wanted = ("--name", "tiny", "--version", "1", "--provenance", "made for a test", *DECLARED)
    wrong = plane.yui("image", "add", "tiny.raw", *wanted, "--sha256", "0" * 64)
    assert wrong.returncode != 0
    assert len(wrong.stderr.strip().splitlines()) == 1
    assert data(plane, "image", "list") == []
    added = data(plane, "image", "add", "tiny.raw", *wanted)
    assert data(plane, "image", "list")[0]["sha256"] == added["sha256"]
    assert "made for a test" in plane.yui("image", "list").stdout


def test_how_an_image_met_the_standard_is_shown(plane):
    shown = plane.yui("image", "show", "tiny").stdout
    assert "It starts by BIOS." in shown
    assert "IMG-09" in shown
    assert "declared" in shown
    assert "BIOS で起動します。" in plane.yui("image", "show", "tiny", "--lang", "ja").stdout
    assert plane.yui("image", "show", "nothing").returncode == 3


def test_the_standard_is_printed_in_the_readers_language(plane):
    assert "It is not encrypted." in plane.yui("image", "standard").stdout
    assert "暗号化されていません。" in plane.yui("image", "standard", "--lang", "ja").stdout
    assert data(plane, "image", "standard")["items"][0]["id"] == "IMG-01"


def test_an_image_that_falls_short_is_refused_with_every_reason(plane):
    described = ("--name", "short", "--version", "1", "--provenance", "made for a test")
    machine = plane.folder / "machine.json"
    machine.write_text('{"cpu_pinning": true, "disk_bus": "ide"}', encoding="utf-8")
    refused = plane.yui(
        "image", "add", "tiny.raw", *described, "--requirements", str(machine), "--dry-run"
    )
    assert refused.returncode == 1
    reasons = refused.stderr.strip().splitlines()
    assert [reason[:6] for reason in reasons] == ["IMG-09", "IMG-10", "IMG-11", "IMG-12"]
    assert "disks on ide" in reasons[0]
    assert "pinned CPUs" in reasons[3]


def test_the_blueprints_are_listed_in_the_readers_language(plane):
    assert "Resident records" in plane.yui("blueprint", "list").stdout
    assert "住民記録" in plane.yui("blueprint", "list", "--lang", "ja").stdout


def test_one_blueprint_is_shown_with_its_hours_its_copies_and_its_order(plane):
    shown = plane.yui("blueprint", "show", "resident-tax").stdout
    assert "database → application → batch" in shown
    assert "batch → application → database" in shown
    assert "Mon, Tue, Wed, Thu, Fri 08:30–17:15" in shown
    assert "every day 22:00, 14 kept: on site, another region" in shown
    japanese = plane.yui("blueprint", "show", "resident-tax", "--lang", "ja").stdout
    assert "月・火・水・木・金 08:30–17:15" in japanese
    assert "個人番号利用事務系" in japanese
    absent = plane.yui("blueprint", "show", "resident-tax", "--version", "9")
    assert absent.returncode == 3
    assert data(plane, "blueprint", "show", "library")["zone"] == "internet"


def test_what_a_member_would_take_is_told_before_it_joins(plane):
    named = plane.yui("blueprint", "size", "seal-registration", "--population", "8040")
    assert "2 vCPU, 4,096 MiB of memory and 40 GiB of disk (systems: 1, servers: 2)" in named.stdout
    assert "Warning: seal-registration needs resident-records" in named.stderr
    whole = data(plane, "blueprint", "size", "--all", "--population", "8040")
    assert len(whole["systems"]) >= 26
    assert data(plane, "blueprint", "size", "--population", "8040") == whole


def test_a_join_can_be_rehearsed(plane):
    plan = plane.yui("member", "join", "012220", "-b", "resident-records", "--dry-run")
    assert plan.returncode == 0, plan.stderr
    assert "三笠市 (012220) would join in region hokkaido" in plan.stdout
    assert "host:hokkaido-" in plan.stdout
    assert plan.stderr == ""
    assert data(plane, "member", "list") == []


def test_a_member_joins_and_the_command_waits_until_its_systems_run(plane):
    result = plane.yui("member", "join", "012220", "-b", "resident-records", "--wait")
    assert result.returncode == 0, result.stderr
    assert "012220 has joined" in result.stdout
    assert {s["status"] for s in data(plane, "server", "list")} == {"active"}
    assert data(plane, "system", "list")[0]["state"] == "running"


def test_joining_twice_is_a_conflict(plane):
    result = plane.yui("member", "join", "012220", "-b", "resident-records")
    assert result.returncode == 6
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_unknown_municipality_is_told_in_japanese(plane):
    result = plane.yui("member", "join", "131016", "-b", "resident-records", "--lang", "ja")
    assert result.returncode == 1
    assert "131016" in result.stderr
    assert "台帳" in result.stderr


def test_a_member_is_guaranteed_more_and_the_room_is_held_and_shown(plane):
    (before,) = data(plane, "quota", "list")
    assert before["guaranteed"] == before["used"]
    more = str(before["used"]["vcpus"] + 1)
    line = ("quota", "set", "012220", "--guaranteed-vcpus", more)
    assert "would then have" in plane.yui(*line, "--dry-run").stdout
    assert data(plane, "quota", "show", "012220")["guaranteed"] == before["guaranteed"]
    said = plane.yui(*line, "--lang", "ja")
    assert said.returncode == 0, said.stderr
    assert "保証分の容量を確保しました" in said.stdout
    after = data(plane, "quota", "show", "012220")
    assert after["guaranteed"] == {**before["guaranteed"], "vcpus": int(more)}
    assert "1 vCPU, 0 GiB" in plane.yui("certificate", "show", "hokkaido").stdout


def test_more_than_all_hosts_have_is_not_guaranteed(plane):
    line = ("quota", "set", "012220", "--guaranteed-vcpus", "9000", "--quota-vcpus", "9000")
    refused = plane.yui(*line)
    assert refused.returncode == 6
    assert "guarantees of all members would not fit together" in refused.stderr


def test_an_operation_can_be_followed_by_its_id(plane):
    begun = data(plane, "member", "join", "012289", "-b", "facility-booking")
    waiting = plane.yui("operation", "show", begun["id"], "--wait")
    assert waiting.returncode == 0, waiting.stderr
    assert data(plane, "operation", "show", begun["id"])["state"] == "done"
    assert begun["id"] in plane.yui("operation", "list").stdout


def test_tables_with_japanese_names_stay_aligned(plane):
    lines = plane.yui("member", "list", "--lang", "ja").stdout.rstrip("\n").splitlines()
    head, rows = lines[0], lines[2:]
    assert len(rows) == 2
    column = cell_len(head[: head.index("都道府県")])
    for row in rows:
        assert cell_len(row[: row.index("北海道")]) == column


def test_states_are_told_in_the_readers_language_and_stay_as_they_are_in_json(plane):
    assert "稼働中" in plane.yui("server", "list", env={"LANG": "ja_JP.UTF-8"}).stdout
    assert "active" in plane.yui("server", "list").stdout
    result = plane.yui("server", "list", "--json", env={"LANG": "ja_JP.UTF-8"})
    assert {s["status"] for s in json.loads(result.stdout)} == {"active"}


def a_server(plane, role="application", tenant="012220"):
    return next(s for s in data(plane, "server", "list", "--tenant", tenant) if s["role"] == role)


def test_a_server_is_shown_with_its_place(plane):
    server = a_server(plane)
    text = plane.yui("server", "show", server["id"]).stdout
    assert server["host"] in text
    assert server["address"] in text
    assert plane.yui("server", "console", server["id"]).returncode == 0


def test_a_server_stops_and_starts_again(plane):
    server = a_server(plane, role="application", tenant="012289")["id"]
    assert "is stopped" in plane.yui("server", "stop", server, "--wait").stdout
    assert "is active" in plane.yui("server", "start", server, "--wait").stdout


def test_a_server_moves_to_another_host(plane):
    server = a_server(plane, role="application", tenant="012289")
    moved = plane.yui("server", "migrate", server["id"], "--wait")
    assert moved.returncode == 0, moved.stderr
    assert data(plane, "server", "show", server["id"])["host"] != server["host"]


def test_an_unknown_thing_is_not_found(plane):
    for arguments in (("host", "show", "x"), ("server", "show", "x"), ("operation", "show", "x")):
        result = plane.yui(*arguments)
        assert result.returncode == 3, result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert plane.yui("host", "show", "../../healthz").returncode in (1, 3)


def test_the_certificate_is_shown_and_holds(plane):
    def holds():
        return plane.yui("certificate", "check").returncode == 0

    eventually(holds)
    assert "survives the loss of any one host" in plane.yui("certificate", "check").stdout
    (certificate,) = data(plane, "certificate", "show")
    assert certificate["valid"] is True
    assert certificate["servers"] == 3
    assert "hokkaido-" in plane.yui("certificate", "show", "hokkaido").stdout


def test_explain_says_where_it_would_fit_and_where_the_refuge_is(plane):
    result = plane.yui("explain", "m1.small", "--region", "hokkaido")
    assert result.returncode == 0, result.stderr
    assert "host:hokkaido-" in result.stdout


def test_explain_says_exactly_why_it_would_not_fit(plane):
    result = plane.yui("explain", "m1.xlarge", "--region", "hokkaido", "--count", "50")
    assert result.returncode == 1
    assert "does not fit" in result.stdout
    answer = data(plane, "explain", "m1.xlarge", "--region", "hokkaido", "--count", "50", code=1)
    assert answer["refusal"]["shortfall"] > 0
    assert answer["refusal"]["en"] in result.stdout


def test_a_host_is_drained_and_taken_back(plane):
    host = a_server(plane)["host"]
    rehearsed = plane.yui("host", "drain", host, "--dry-run")
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert a_server(plane)["id"] in rehearsed.stdout
    drained = plane.yui("host", "drain", host)
    assert drained.returncode == 0, drained.stderr
    assert f"{host} is empty and in maintenance." in drained.stdout
    assert data(plane, "server", "list", "--host", host) == []
    assert data(plane, "host", "show", host)["duty"] == "maintenance"
    assert "in service" in plane.yui("host", "return", host).stdout


def test_an_operator_gives_their_word_about_a_host(plane):
    result = plane.yui(
        *("host", "fence", "hokkaido-1", "--method", "word", "--yes"),
        *("--statement", "I pulled both of its power cords."),
    )
    assert result.returncode == 0, result.stderr
    assert "Recorded in the name of" in result.stdout
    # It still answers, so the word alone makes nothing of it.
    assert data(plane, "host", "show", "hokkaido-1")["health"] != "fenced"


def test_events_are_told_in_the_readers_language(plane):
    events = data(plane, "events")
    assert {e["kind"] for e in events} >= {"host.draining"}
    text = plane.yui("events", "--lang", "ja").stdout
    assert events[-1]["ja"] in text


def test_events_are_followed_until_interrupted(plane):
    code, out, err = plane.interrupted("events", "--follow", "--json")
    assert code == 130
    assert json.loads(out.splitlines()[0])["sequence"]
    assert "Traceback" not in err


def test_a_members_token_is_written_to_a_file_and_sees_no_hardware(plane):
    path = plane.folder / "mikasa.token"
    made = data(
        *(plane, "token", "create", "--label", "三笠市 情報係", "--tenant", "012220"),
        *("--out", str(path)),
    )
    assert made["token"] is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    as_member = {"YUI_TOKEN_FILE": str(path)}
    refused = plane.yui("host", "list", env=as_member)
    assert refused.returncode == 4
    assert len(refused.stderr.strip().splitlines()) == 1
    own = plane.yui("server", "list", "--json", env=as_member)
    assert {s["tenant"] for s in json.loads(own.stdout)} == {"012220"}
    assert plane.yui("token", "revoke", made["id"]).returncode == 0
    assert plane.yui("server", "list", env=as_member).returncode == 4


def test_a_member_brings_an_image_of_its_own_and_goes_on_where_it_broke_off(plane):
    path = plane.folder / "images.token"
    made = data(
        *(plane, "token", "create", "--label", "images", "--tenant", "012220"),
        *("--role", "member-admin", "--out", str(path)),
    )
    town = ("--token-file", str(path))
    disk = plane.folder / "own.raw"
    disk.write_bytes((plane.folder / "images" / "tiny.raw").read_bytes())
    words = ("--name", "office", "--version", "2", "--provenance", "made for a test")
    lacking = plane.yui("image", "upload", str(disk), *words, *town)
    assert lacking.returncode == 1
    assert "--declare" in lacking.stderr or "declare" in lacking.stderr
    (waiting,) = data(plane, "image", "uploads", *town)
    assert waiting["received_bytes"] == disk.stat().st_size
    image = data(plane, "image", "upload", str(disk), *words, *DECLARED, *town)
    assert (image["id"], image["private"]) == (waiting["id"], True)
    assert data(plane, "image", "uploads", *town) == []
    assert "012220 alone" in plane.yui("image", "list").stdout
    assert "1.0" not in plane.yui("image", "usage", "012220", *town).stdout
    assert plane.yui("image", "usage", "012220", "--quota-gib", "5").stdout.endswith("5 GiB.\n")
    assert plane.yui("image", "share", image["id"]).returncode == 0
    assert plane.yui("image", "delete", image["id"], *town).returncode == 6
    assert (
        "共有をやめました"
        in plane.yui("image", "share", image["id"], "--end", "--lang", "ja").stdout
    )
    assert plane.yui("image", "delete", image["id"], *town).returncode == 0
    assert data(plane, "token", "revoke", made["id"])["revoked"]


def test_a_token_file_is_never_overwritten(plane):
    def issued():
        # When they were last used is written down from time to time, now as well.
        return [{**token, "last_used_at": None} for token in data(plane, "token", "list")]

    before = issued()
    result = plane.yui("token", "create", "--label", "x", "--out", str(plane.token_file))
    assert result.returncode == 1
    assert issued() == before


@pytest.mark.long
def test_a_wrong_token_is_refused_without_being_shown(plane):
    path = plane.folder / "wrong.token"
    path.write_text("yui_wrongwrongwrong")
    path.chmod(0o600)
    result = plane.yui("host", "list", env={"YUI_TOKEN_FILE": str(path)})
    assert result.returncode == 4
    assert "wrongwrong" not in result.stderr
