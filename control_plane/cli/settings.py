"""Where the API is and who is asking: from options, the environment, and a profile file.

The token itself stands in a file that only its owner may read; it is never an argument, where every
process of the machine could see it.
"""

from __future__ import annotations

import ipaddress
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from control_plane.model.errors import YuiError

DEFAULT_URL = "https://127.0.0.1:8443"
"""Where `yui serve` listens by default."""
_KEYS = ("url", "token_file", "ca_file", "allow_plaintext")
_MAX_TOKEN = 20_000
_MAX_PROFILE = 100_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of one command line say; None where one is not given."""

    url: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """`token_file` None means that no token is sent."""

    url: str
    token_file: Path | None
    ca_file: Path | None


def load(asked: Asked, environment: Mapping[str, str]) -> Settings:
    """Options win over YUI_URL, YUI_TOKEN_FILE and YUI_CA_FILE, which win over the profile file.

    Raises YuiError `settings-invalid` or `url-invalid`."""
    profile = _profile(asked.profile or environment.get("YUI_PROFILE"), environment)
    url = asked.url or environment.get("YUI_URL") or _text(profile, "url") or DEFAULT_URL
    token_file = (
        asked.token_file or environment.get("YUI_TOKEN_FILE") or _text(profile, "token_file")
    )
    ca_file = asked.ca_file or environment.get("YUI_CA_FILE") or _text(profile, "ca_file")
    _check_url(url, plaintext_allowed=profile.get("allow_plaintext") is True)
    return Settings(
        url=url.rstrip("/"),
        token_file=Path(token_file).expanduser() if token_file else None,
        ca_file=Path(ca_file).expanduser() if ca_file else None,
    )


def profile_path(environment: Mapping[str, str]) -> Path:
    """~/.config/yui/config.toml, or below XDG_CONFIG_HOME where that is set."""
    base = environment.get("XDG_CONFIG_HOME") or str(
        Path(environment.get("HOME") or "~").expanduser() / ".config"
    )
    return Path(base) / "yui" / "config.toml"


def read_token(path: Path) -> str:
    """The bearer token in `path`. Raises YuiError `token-file-unusable`."""
    text = _read_private(path, "token-file-unusable", _MAX_TOKEN).strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise YuiError(
            "token-file-unusable",
            en=f"{path} does not hold a token: put the token there, alone on one line.",
            ja=f"{path} にトークンがありません。トークンだけを1行で書いてください。",
            status=401,
        )
    return text


def read_private_text(path: Path) -> str:
    """The text of a file with secrets. Raises YuiError `token-file-unusable`."""
    return _read_private(path, "token-file-unusable", _MAX_PROFILE)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _profile(name: str | None, environment: Mapping[str, str]) -> Mapping[str, object]:
    """The file's top level, or its table `[profile.NAME]`."""
    path = profile_path(environment)
    if not path.exists():
        if name is not None:
            raise _invalid(path, f"it does not exist, so there is no profile '{name}'", f"ファイルがないため、プロファイル「{name}」を使えません")  # fmt: skip
        return {}
    try:
        document = tomllib.loads(_read_private(path, "settings-invalid", _MAX_PROFILE))
    except tomllib.TOMLDecodeError as error:
        raise _invalid(
            path, f"it is not TOML ({error})", f"TOML として読めません({error})"
        ) from None
    chosen: object = document
    if name is not None:
        profiles = document.get("profile", {})
        chosen = profiles.get(name) if isinstance(profiles, dict) else None
        if not isinstance(chosen, dict):
            raise _invalid(path, f"it has no table [profile.{name}]", f"[profile.{name}] がありません")  # fmt: skip
    found: dict[str, object] = chosen if isinstance(chosen, dict) else {}
    for key, value in found.items():
        if key == "profile" and name is None:
            continue
        if key not in _KEYS:
            raise _invalid(path, f"it has the unknown key '{key}'; known are {', '.join(_KEYS)}", f"未知のキー「{key}」があります。使えるのは {', '.join(_KEYS)} です")  # fmt: skip
        if not isinstance(value, bool if key == "allow_plaintext" else str):
            raise _invalid(path, f"the value of '{key}' has the wrong type", f"「{key}」の値の型が違います")  # fmt: skip
    return found


def _text(profile: Mapping[str, object], key: str) -> str | None:
    value = profile.get(key)
    return value if isinstance(value, str) and value else None


def _invalid(path: Path, en: str, ja: str) -> YuiError:
    return YuiError(
        "settings-invalid",
        en=f"The settings in {path} can't be used: {en}.",
        ja=f"設定ファイル {path} を使えません。{ja}。",
    )


def _read_private(path: Path, problem: str, most: int) -> str:
    """The text of a file that nobody but its owner may read or change."""
    status = 401 if problem == "token-file-unusable" else 422
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(most + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise YuiError(
            problem,
            en=f"{path} can't be read ({reason}): check the path and its owner.",
            ja=f"{path} を読めません({reason})。パスと所有者を確認してください。",
            status=status,
        ) from None
    if mode & 0o077:
        raise YuiError(
            problem,
            en=f"{path} is open to other users of this machine (mode {mode:04o}): run chmod 600 {path}.",
            ja=f"{path} は他の利用者にも開かれています(モード {mode:04o})。chmod 600 {path} を実行してください。",
            status=status,
        )
    if len(content) > most:
        raise YuiError(
            problem,
            en=f"{path} is longer than {most} bytes, so it is something else: name the right file.",
            ja=f"{path} は {most} バイトを超えており、別のファイルのようです。正しいファイルを指定してください。",
            status=status,
        )
    return text


def _check_url(url: str, *, plaintext_allowed: bool) -> None:
    try:
        parts = urlsplit(url)
        port_is_right = parts.port != 0
    except ValueError:
        parts, port_is_right = urlsplit(""), False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        raise YuiError(
            "url-invalid",
            en="The API's address is not usable: give one such as https://yui.example.jp.",
            ja="API のアドレスが正しくありません。https://yui.example.jp のように指定してください。",
        )
    if parts.username or parts.password:
        raise YuiError(
            "url-invalid",
            en="The API's address holds a user name or password: take them out and use --token-file.",
            ja="API のアドレスに利用者名やパスワードが含まれています。取り除いて --token-file を使ってください。",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname) and not plaintext_allowed:
        raise YuiError(
            "url-invalid",
            en=f"http://{parts.hostname} would carry the token unencrypted: use https://, or set allow_plaintext = true in the profile file.",
            ja=f"http://{parts.hostname} ではトークンが暗号化されずに流れます。https:// を使うか、設定ファイルに allow_plaintext = true と書いてください。",
        )
