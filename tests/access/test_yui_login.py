"""`yui login` and its kin, against a control plane of its own process and a real provider."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.cli.login_file import login_path, read_login, write_login
from tests.access.issuer import AUDIENCE, Issuer, new_key
from tests.cli.served import Served, served

REASON = "Nobody of Mikasa can be reached today."


@pytest.fixture(scope="module")
def provider() -> Iterator[Issuer]:
    issuer = Issuer([new_key("first")])
    issuer.start()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory, provider: Issuer) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("signing-in")
    settings = folder / "providers.toml"
    settings.write_text(
        f'[[provider]]\nissuer = "{provider.url}"\naudience = "{AUDIENCE}"\nclient_id = "yui-cli"\n'
    )
    with served(folder, "--identity-providers", str(settings), pace=1) as at:
        assert at.yui("pool", "apply", str(at.pool_file), "--yes").returncode == 0
        yield at


def person(plane: Served) -> dict[str, str]:
    """The environment of somebody without a token file."""
    return {"YUI_TOKEN_FILE": "", "HOME": str(plane.folder / "home")}


def test_a_person_signs_in_is_invited_and_signs_out(plane: Served, provider: Issuer) -> None:
    provider.approved = False
    me = person(plane)
    unknown = plane.yui("login", env=me)
    assert unknown.returncode == 4, unknown.stderr
    assert "ABCD-EFGH" in unknown.stderr
    assert "'sato'" in unknown.stderr
    kept = login_path(plane.url, me)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    person_at = ("--name", "佐藤 花子", "--issuer", provider.url, "--subject", "sato")
    added = plane.yui("user", "add", *person_at, "--role", "auditor")
    assert added.returncode == 0, added.stderr
    known = plane.yui("whoami", env=me)
    assert known.returncode == 0, known.stderr
    assert "佐藤 花子" in known.stdout
    assert plane.yui("host", "list", env=me).returncode == 0
    refused = plane.yui("host", "drain", "hokkaido-1", env=me)
    assert refused.returncode == 4
    assert "pool.write" in refused.stderr
    again = plane.yui("login", env=me)
    assert again.returncode == 0, again.stderr
    for out in (unknown, known, again):
        assert read_login(kept).token not in out.stdout + out.stderr
    assert plane.yui("logout", env=me).returncode == 0
    assert not kept.exists()
    assert plane.yui("whoami", env=me).returncode == 4


def test_a_token_about_to_end_is_renewed_unasked(plane: Served, provider: Issuer) -> None:
    me = person(plane)
    plane.yui("login", env=me)
    kept = login_path(plane.url, me)
    before = read_login(kept)
    write_login(kept, before.model_copy(update={"token": "spent", "expires_at": time.time()}))
    asked = provider.refreshed
    answer = plane.yui("whoami", env=me)
    assert provider.refreshed == asked + 1
    assert "spent" not in answer.stderr
    assert read_login(kept).refresh_token == "refresh-2"  # noqa: S105 — made up
    write_login(kept, before.model_copy(update={"refresh_token": None, "expires_at": 0.0}))
    over = plane.yui("whoami", env=me)
    assert over.returncode == 4
    assert "yui login" in over.stderr


def test_users_programs_and_emergencies_are_looked_after_in_both_languages(
    plane: Served, provider: Issuer
) -> None:
    def data(*arguments: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(plane.yui(*arguments, "--json").stdout)
        return found

    join = plane.yui("member", "join", "012220", "-b", "facility-booking", "--lang", "ja")
    assert join.returncode in (0, 3), join.stderr
    person_at = ("--name", "鈴木", "--issuer", provider.url, "--subject", "suzuki")
    assert plane.yui("user", "add", *person_at, "--role", "operator").returncode == 0
    suzuki = next(user["id"] for user in data("user", "list") if user["name"] == "鈴木")
    assert "suzuki" in plane.yui("user", "show", suzuki, "--lang", "ja").stdout
    changed = plane.yui("user", "change", suzuki, "--disable", "--lang", "ja")
    assert "変更しました" in changed.stdout
    assert plane.yui("user", "remove", suzuki).returncode != 0
    assert plane.yui("user", "remove", suzuki, "--yes").returncode == 0

    named = ("--name", "metrics", "--role", "auditor", "--scope", "metrics.read")
    assert plane.yui("account", "create", *named).returncode == 0
    (account,) = data("account", "list")
    out = plane.folder / "metrics.token"
    issued = plane.yui("account", "token", account["id"], "--out", str(out))
    assert issued.returncode == 0, issued.stderr
    assert out.read_text().strip() not in issued.stdout + issued.stderr
    narrow = plane.yui("host", "list", env={"YUI_TOKEN_FILE": str(out)})
    assert narrow.returncode == 4
    assert len(data("account", "tokens", account["id"])) == 1
    assert plane.yui("account", "remove", account["id"], "--yes").returncode == 0

    opening = ("break-glass", "open", "--role", "approver", "--minutes", "5")
    opened = plane.yui(*opening, "--reason", REASON, "--lang", "ja")
    assert "YUI_BREAK_GLASS=bg-" in opened.stdout, opened.stderr
    (grant,) = data("break-glass", "list")
    under = plane.yui("whoami", "--json", env={"YUI_BREAK_GLASS": grant["id"]})
    assert "members.approve" in json.loads(under.stdout)["permissions"]
    assert plane.yui("break-glass", "close", grant["id"]).returncode == 0
    assert plane.yui("whoami", env={"YUI_BREAK_GLASS": grant["id"]}).returncode == 4


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "provider"),
        ("[[provider]]\n", "provider.0.issuer"),
        ('[[provider]]\nissuer = "http://id.example.jp"\naudience = "x"\n', "https://"),
        (
            '[[provider]]\nissuer = "https://a"\naudience = "x"\nalgorithms = ["HS256"]\n',
            "algorithms",
        ),
        (
            '[[provider]]\nissuer = "https://a"\naudience = "x"\nalgorithms = ["none"]\n',
            "algorithms",
        ),
        ('[[provider]]\nissuer = "https://a"\naudience = "x"\nsecret = "y"\n', "secret"),
        ("nonsense", "TOML"),
    ],
)
def test_settings_of_providers_that_cant_be_are_a_sentence(
    tmp_path: Path, plane: Served, text: str, told: str
) -> None:
    settings = tmp_path / "providers.toml"
    settings.write_text(text)
    state = ("--database", f"sqlite:///{tmp_path / 'other.db'}")
    here = ("serve", *state, "--plain-http", "--simulated", "--port", "1")
    answer = plane.yui(*here, "--identity-providers", str(settings))
    assert answer.returncode == 1
    assert told in answer.stderr
    assert not (tmp_path / "other.db").exists()
