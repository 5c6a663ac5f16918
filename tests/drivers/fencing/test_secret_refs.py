from __future__ import annotations

import pytest

from control_plane.drivers.fencing import SecretUnavailable, read_secret


def test_a_secret_in_a_file_is_its_text_without_the_last_newline(tmp_path):
    place = tmp_path / "password"
    place.write_text("秘密 with spaces \n")
    assert read_secret(f"file:{place}") == "秘密 with spaces "


def test_a_secret_is_read_anew_each_time_so_that_it_can_be_changed(tmp_path):
    place = tmp_path / "password"
    place.write_text("old")
    assert read_secret(f"file:{place}") == "old"
    place.write_text("new")
    assert read_secret(f"file:{place}") == "new"


def test_a_secret_can_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv("YUI_TEST_SECRET", "hush")
    assert read_secret("env:YUI_TEST_SECRET") == "hush"


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("file:/nowhere/at/all", "/nowhere/at/all"),
        ("env:YUI_TEST_NOT_SET", "YUI_TEST_NOT_SET"),
    ],
)
def test_a_missing_secret_is_told_with_the_place_that_was_looked_in(ref, said):
    with pytest.raises(SecretUnavailable, match=said):
        read_secret(ref)


@pytest.mark.parametrize("ref", ["hunter2", "plain:hunter2", "file:", "env:", ""])
def test_a_password_given_in_place_of_a_reference_is_refused_and_not_repeated(ref):
    with pytest.raises(SecretUnavailable) as refusal:
        read_secret(ref)
    assert "hunter2" not in str(refusal.value)


def test_an_empty_or_endless_file_is_no_secret(tmp_path):
    place = tmp_path / "password"
    for content in (b"", b"\n", b"x" * 5000, b"\xff\xfe"):
        place.write_bytes(content)
        with pytest.raises(SecretUnavailable):
            read_secret(f"file:{place}")
