"""Whether a client is who it says: each of Keystone's ways ends at a token that Yui gave."""

from __future__ import annotations

from dataclasses import dataclass

from anyio import to_thread

from control_plane.http.principal import Principal
from control_plane.http.recognition import Recognition
from control_plane.http.sessions import session_id_of
from control_plane.http.tokens import token_id_of
from control_plane.model.access import Token
from control_plane.model.errors import YuiError
from control_plane.store import Snapshot, Store
from tenants.openstack_api.callers import DOMAIN
from tenants.openstack_api.identity.models import (
    ApplicationCredentialIn,
    CredentialUserIn,
    DomainIn,
    IdentityIn,
    PasswordUserIn,
)


@dataclass(frozen=True, slots=True)
class Proved:
    """`methods` are those of the first token on, where one was exchanged for another."""

    principal: Principal
    methods: tuple[str, ...]


async def prove(identity: IdentityIn, recognition: Recognition, store: Store) -> Proved:
    """Raises `sign-in-refused` (401) whatever of it was wrong, `sign-in-method-unsupported` (401),
    `user-unknown`, `user-disabled` (403), `busy` and `provider-unreachable` (503)."""
    if len(identity.methods) != 1:
        raise _unsupported(identity.methods)
    match identity.methods[0]:
        case "password" if identity.password is not None:
            return await _password(identity.password.user, recognition, store)
        case "token" if identity.token is not None:
            return await _token(identity.token.id, recognition)
        case "application_credential" if identity.application_credential is not None:
            return await _credential(identity.application_credential, recognition, store)
        case "password" | "token" | "application_credential":
            raise _REFUSED
    raise _unsupported(identity.methods)


async def _token(text: str, recognition: Recognition) -> Proved:
    principal = await _recognised(text, recognition)
    id = session_id_of(text)
    known = None if id is None else await recognition.sessions.find(id)
    before = () if known is None else known.session.methods
    return Proved(principal, tuple(dict.fromkeys((*before, "token"))))


async def _password(user: PasswordUserIn, recognition: Recognition, store: Store) -> Proved:
    given = CredentialUserIn(id=user.id, name=user.name, domain=user.domain)
    if token_id_of(user.password) is None:
        raise _REFUSED
    principal = await _recognised(user.password, recognition)
    if not await to_thread.run_sync(_is_named, store, principal, given):
        raise _REFUSED
    return Proved(principal, ("password",))


async def _credential(
    given: ApplicationCredentialIn, recognition: Recognition, store: Store
) -> Proved:
    text = given.secret
    if token_id_of(text) is None:
        id = given.id or await to_thread.run_sync(_id_of_credential, store, given)
        text = f"yui_{id}_{given.secret}"
    id = token_id_of(text)
    if id is None or given.id not in (None, id):
        raise _REFUSED
    principal = await _recognised(text, recognition)
    if given.name not in (None, principal.label):
        raise _REFUSED
    if given.user is not None and not await to_thread.run_sync(
        _is_named, store, principal, given.user
    ):
        raise _REFUSED
    return Proved(principal, ("application_credential",))


async def _recognised(text: str, recognition: Recognition) -> Principal:
    try:
        principal = await recognition.recognise(text)
    except TimeoutError:
        raise _BUSY from None
    if principal is None:
        raise _REFUSED
    return principal


def _is_named(store: Store, principal: Principal, given: CredentialUserIn) -> bool:
    """Whether that is what the account, or the token where it is of none, is called."""
    if not of_the_domain(given.domain) or given.id is given.name is None:
        return False
    with store.read() as tx:
        id, name = user_of(tx, principal)
    return given.id in (None, id) and given.name in (None, name, id)


def user_of(tx: Snapshot, principal: Principal) -> tuple[str, str]:
    """Id and name of the user that a client is here: a service account, a person, or a token alone."""
    if principal.account is not None:
        account = tx.service_account(principal.account)
        return account.id, account.name
    if principal.is_user:
        return principal.token, principal.label
    return f"token-{principal.token}", principal.label


def _id_of_credential(store: Store, given: ApplicationCredentialIn) -> str:
    """By its name, which together with its account names one. Raises `sign-in-refused`."""
    if given.name is None or given.user is None or not of_the_domain(given.user.domain):
        raise _REFUSED
    with store.read() as tx:
        named = [
            account.id
            for account in tx.service_accounts()
            if given.user.id in (None, account.id) and given.user.name in (None, account.name)
        ]
        if given.user.id is given.user.name is None:
            raise _REFUSED
        found: list[Token] = [
            token for id in named for token in tx.tokens(account=id) if token.label == given.name
        ]
    # With more than one nobody says which: the id does.
    if len(found) != 1:
        raise _REFUSED
    return found[0].id


def of_the_domain(domain: DomainIn | None) -> bool:
    """Whether that is the one that everybody is in; none said is that one too."""
    if domain is None:
        return True
    return domain.id in (None, DOMAIN["id"]) and domain.name in (None, DOMAIN["name"], "default")


_REFUSED = YuiError(
    "sign-in-refused",
    en="The request you have made requires authentication: name, password or credential is wrong, or has been revoked. The password of a service account is a token of it.",
    ja="認証できませんでした。名前・パスワード・アプリケーション資格情報に誤りがあるか、取り消されています。サービスアカウントのパスワードは、そのトークンです。",
    status=401,
)
_BUSY = YuiError(
    "busy",
    en="Too many tokens are being checked at the moment: try again in a second.",
    ja="ただいまトークンの確認が混み合っています。少し待って再度お試しください。",
    status=503,
)


def _unsupported(methods: list[str]) -> YuiError:
    shown = ", ".join("".join(c if c.isprintable() else "?" for c in each[:30]) for each in methods)
    return YuiError(
        "sign-in-method-unsupported",
        en=f"Attempted to authenticate with an unsupported method ({shown}): use one of password, token or application_credential.",
        ja=f"認証方法({shown})には対応していません。password、token、application_credential のいずれか一つを使ってください。",
        status=401,
    )
