"""`yui login`, `yui logout`, `yui whoami`: signing in with the device flow (RFC 8628)."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import typer

from control_plane.access.models import Me, SignIn, SignInProvider
from control_plane.cli import access_messages as a
from control_plane.cli import messages as m
from control_plane.cli.client import Api
from control_plane.cli.login_file import (
    Login,
    check_address,
    end_of,
    get_document,
    login_over,
    login_path,
    post_form,
    write_login,
)
from control_plane.cli.output import local_time
from control_plane.cli.session import Session, read, session_of
from control_plane.cli.settings import Settings, load
from control_plane.model.errors import YuiError

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def login(
    context: typer.Context,
    issuer: Annotated[
        str | None, typer.Option(help="Which provider, where there are several.")
    ] = None,
) -> None:
    """Sign in with your identity provider."""
    session = session_of(context)
    settings = load(session.asked, os.environ)
    provider = _choose(session, settings, issuer)
    described = get_document(provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
    token_endpoint = check_address(described.get("token_endpoint"))
    begun = post_form(
        check_address(described.get("device_authorization_endpoint")),
        {"client_id": provider.client_id, "scope": " ".join(provider.scopes)},
    )
    answer = _wait(session, provider, begun, token_endpoint)
    token = answer.get(provider.bearer)
    if not isinstance(token, str):
        raise _refused(f"no {provider.bearer} came back")
    refresh = answer.get("refresh_token")
    path = login_path(settings.url, os.environ)
    kept = Login(
        url=settings.url,
        issuer=provider.issuer,
        client_id=provider.client_id,
        bearer=provider.bearer,
        token_endpoint=token_endpoint,
        token=token,
        refresh_token=refresh if isinstance(refresh, str) else None,
        expires_at=end_of(token, answer),
    )
    write_login(path, kept)
    session.screen.note(a.SIGNED_IN, path=path)
    # Whoever is not known here yet is told what to say to whom.
    with_login = Settings(settings.url, path, settings.ca_file)
    api = Api(with_login, session.language)
    try:
        _show(session, api.get("/v1/me"))
    finally:
        api.close()


def logout(context: typer.Context) -> None:
    """Delete the token from this machine."""
    session = session_of(context)
    path = login_path(load(session.asked, os.environ).url, os.environ)
    known = path.exists()
    path.unlink(missing_ok=True)
    if session.screen.json:
        session.screen.data({"signed_out": known})
    else:
        session.screen.say(a.SIGNED_OUT if known else a.NOT_SIGNED_IN)


def whoami(context: typer.Context) -> None:
    """Show who you are, and what you may do."""
    session = session_of(context)
    _show(session, session.api.get("/v1/me"))


def _show(session: Session, document: Any) -> None:
    me = read(Me, document)
    if session.screen.json:
        session.screen.data(document)
        return
    session.screen.pairs(
        [
            (m.NAME, me.name),
            (m.ID, me.id),
            (a.KIND_OF_ASKER, me.kind),
            (m.ROLE, me.role),
            (m.MEMBER, me.tenant or "-"),
            (m.EXPIRES, local_time(me.expires_at.isoformat()) if me.expires_at else "-"),
            (a.SCOPES, ", ".join(me.permissions)),
        ]
    )


def _choose(session: Session, settings: Settings, issuer: str | None) -> SignInProvider:
    api = Api(Settings(settings.url, None, settings.ca_file), session.language)
    try:
        providers = read(SignIn, api.get("/v1/sign-in")).providers
    finally:
        api.close()
    found = [one for one in providers if issuer in (None, one.issuer)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.issuer for one in providers) or "-"
    raise YuiError(
        "provider-unclear",
        en=f"Which identity provider? Give --issuer with one of: {known}. Where there is none, ask your operator for a token.",
        ja=f"ID プロバイダーを --issuer で指定してください(選択肢: {known})。ない場合は、運用担当者にトークンを依頼してください。",
    )


def _wait(
    session: Session, provider: SignInProvider, begun: dict[str, Any], token_endpoint: str
) -> dict[str, Any]:
    """The answer once the person has agreed. Raises `login-refused`, `login-over`."""
    code, device = begun.get("user_code"), begun.get("device_code")
    address = begun.get("verification_uri_complete") or begun.get("verification_uri")
    if not (isinstance(code, str) and isinstance(device, str) and isinstance(address, str)):
        raise _refused(str(begun.get("error", "the answer is not RFC 8628's")))
    session.screen.note(a.SIGN_IN_AT, address=address, code=code)
    pause = max(1.0, _seconds(begun.get("interval"), 5.0))
    ends = time.monotonic() + min(1800.0, _seconds(begun.get("expires_in"), 600.0))
    form = {
        "grant_type": _DEVICE_GRANT,
        "device_code": device,
        "client_id": provider.client_id,
    }
    while time.monotonic() < ends:
        time.sleep(pause)
        answer = post_form(token_endpoint, form)
        match answer.get("error"):
            case None:
                return answer
            case "authorization_pending":
                continue
            case "slow_down":
                pause += 5.0
            case "expired_token":
                break
            case said:
                raise _refused(str(said)[:100])
    raise login_over()


def _seconds(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise


def _refused(said: str) -> YuiError:
    return YuiError(
        "login-refused",
        en=f"The identity provider did not let you in ({said}): try again, or ask your operator.",
        ja=f"ID プロバイダーでログインが認められませんでした({said})。再度お試しになるか、運用担当者に問い合わせてください。",
        status=401,
    )
