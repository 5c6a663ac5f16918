"""What `yui login` leaves behind: a token with its refresh token, in a file that only its owner reads.

A token that is about to end is renewed as it is needed, and the file is replaced in one step, so that
two commands at once never find half of one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from control_plane.cli.settings import is_loopback, profile_path, read_private_text
from control_plane.model.errors import YuiError

_EARLY = 60.0
"""Seconds before a token's end at which it is renewed."""
_TIMEOUT = 15.0


class Login(BaseModel):
    """`expires_at` is in seconds since 1970; `bearer` names the token of the provider's that is sent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    issuer: str
    client_id: str
    bearer: str
    token_endpoint: str
    token: str
    refresh_token: str | None
    expires_at: float


def login_path(url: str, environment: Mapping[str, str]) -> Path:
    """One file for each address of an API, beside the profile file."""
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return profile_path(environment).parent / f"login-{digest}.json"


def current_token(path: Path) -> str:
    """The token in `path`, renewed if it is about to end. Raises `login-over` (401)."""
    login = read_login(path)
    if time.time() < login.expires_at - _EARLY:
        return login.token
    if login.refresh_token is None:
        raise login_over()
    form = {
        "grant_type": "refresh_token",
        "refresh_token": login.refresh_token,
        "client_id": login.client_id,
    }
    try:
        answer = post_form(login.token_endpoint, form)
    except YuiError:
        if time.time() < login.expires_at:
            return login.token
        raise
    token = answer.get(login.bearer)
    if not isinstance(token, str):
        raise login_over()
    refresh = answer.get("refresh_token")
    renewed = login.model_copy(
        update={
            "token": token,
            "refresh_token": refresh if isinstance(refresh, str) else login.refresh_token,
            "expires_at": end_of(token, answer),
        }
    )
    write_login(path, renewed)
    return renewed.token


def read_login(path: Path) -> Login:
    """Raises `token-file-unusable`, `login-over`."""
    try:
        return Login.model_validate_json(read_private_text(path))
    except ValidationError:
        raise login_over() from None


def write_login(path: Path, login: Login) -> None:
    """Raises `token-file-unwritable`."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".login-")  # its mode is 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(login.model_dump_json())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise YuiError(
            "token-file-unwritable",
            en=f"{path} can't be written ({error.strerror}): check the folder and its owner.",
            ja=f"{path} に書き込めません({error.strerror})。フォルダーと所有者を確認してください。",
        ) from None


def end_of(token: str, answer: Mapping[str, Any]) -> float:
    """When a token ends, as it says itself, or as the answer does that it came in."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        lasts = answer.get("expires_in")
        return time.time() + (float(lasts) if isinstance(lasts, int | float) else 300.0)


def post_form(address: str, form: Mapping[str, str]) -> dict[str, Any]:
    """What the provider answers, errors of its protocol among it. Raises `login-over` where it says
    that a grant is spent, and `provider-unreachable`."""
    return _ask("POST", address, form)


def get_document(address: str) -> dict[str, Any]:
    """One JSON object. Raises `provider-unreachable`."""
    return _ask("GET", address, None)


def check_address(address: object) -> str:
    """https, or http on this machine. Raises `provider-unusable`."""
    parts = urlsplit(address) if isinstance(address, str) else urlsplit("")
    loopback = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not isinstance(address, str) or not (
        loopback or (parts.scheme == "https" and parts.hostname)
    ):
        raise YuiError(
            "provider-unusable",
            en="The identity provider names no usable address (https) for signing in here: ask your operator.",
            ja="ID プロバイダーにログイン用のアドレス(https)がありません。運用担当者に問い合わせてください。",
        )
    return address


def _ask(method: str, address: str, form: Mapping[str, str] | None) -> dict[str, Any]:
    parts = urlsplit(address)
    loopback = is_loopback(parts.hostname or "")
    # Where nobody shows a certificate, none of an authority's is read.
    trust = parts.scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        with httpx.Client(timeout=_TIMEOUT, verify=trust, trust_env=not loopback) as client:
            answer = client.request(method, check_address(address), data=form)
        document = answer.json()
    except (httpx.HTTPError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise YuiError(
            "provider-unreachable",
            en="The identity provider does not answer: check the network, and try again.",
            ja="ID プロバイダーが応答しません。ネットワークを確認して、再度お試しください。",
            status=503,
        )
    if document.get("error") == "invalid_grant":
        raise login_over()
    return document


def login_over() -> YuiError:
    return YuiError(
        "login-over",
        en="Your login is over: run `yui login` again.",
        ja="ログインの有効期限が切れました。`yui login` で再度ログインしてください。",
        status=401,
    )
