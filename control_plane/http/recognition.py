"""Whom a bearer token speaks for: one of our own tokens, or a user whom an identity provider knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import anyio
from anyio import CapacityLimiter, to_thread

from control_plane.http.principal import Principal
from control_plane.http.sessions import OpenSession, session_id_of
from control_plane.http.token_memory import TokenMemory
from control_plane.http.tokens import TokenCheck, token_id_of
from control_plane.model.access import AuditEntry, Token
from control_plane.model.errors import YuiError
from control_plane.model.identity import BreakGlass, Claimed, User
from control_plane.model.units import Seconds
from control_plane.store import LostRace, Store


class KeysWanted(Exception):
    """The provider's keys must be asked for before the token can be judged."""


class Providers(Protocol):
    """The identity providers that are trusted."""

    def read(self, text: str, *, asking: bool) -> Claimed | None:
        """Who the bearer is; None where the token proves nothing. Raises KeysWanted where it needs
        keys that are not at hand, unless it is `asking`, when it goes and fetches them; and
        `provider-unreachable` (503)."""


@dataclass(slots=True)
class LastUsed:
    """When tokens were used, gathered here so that a request need not write. `flush` saves it."""

    _used: dict[str, datetime] = field(default_factory=dict)

    def note(self, token: Token, at: datetime) -> None:
        known = self._used.get(token.id) or token.last_used_at
        if known is None or at - known >= timedelta(minutes=1):
            self._used[token.id] = at

    def of(self, token: Token) -> datetime | None:
        return self._used.get(token.id) or token.last_used_at

    def flush(self, store: Store) -> None:
        used, self._used = self._used, {}
        if used:
            with store.write() as tx:
                tx.set_last_used(dict(used))


@dataclass(slots=True)
class Recognition:
    """A token that is not remembered costs time and memory by design. At most two are proved at a time
    and nobody waits longer than `patience` for that, so that a flood of wrong tokens takes neither the
    machine nor those whose tokens are known. Two wait for an identity provider at most, likewise."""

    store: Store
    check: TokenCheck
    memory: TokenMemory[Token]
    sessions: TokenMemory[OpenSession]
    now: Callable[[], datetime]
    patience: Seconds
    last_used: LastUsed
    providers: Providers | None = None
    _proving: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))
    _asking: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))

    async def recognise(self, text: str) -> Principal | None:
        """None for what proves nothing. Raises TimeoutError when too many others are being proved,
        `user-unknown`, `user-disabled` (403), and `provider-unreachable` (503)."""
        if token_id_of(text) is not None:
            return await self._own(text)
        session_id = session_id_of(text)
        if session_id is not None:
            return await self._of_session(session_id, text)
        if self.providers is None or text.count(".") != 2:
            return None
        claimed = await self._claimed(self.providers, text)
        if claimed is None:
            return None
        user = await to_thread.run_sync(self._user, claimed)
        return Principal.of_user(user, claimed.expires_at)

    async def under_grant(self, principal: Principal, id: str) -> Principal:
        """The principal with what the grant opens. Raises `break-glass-not-open` for one that is over,
        never was, or is another's."""
        grant = await to_thread.run_sync(self._grant, id)
        if (
            grant is None
            or grant.principal != principal.token
            or not grant.open_at(self.now())
            or principal.tenant is not None
        ):
            raise YuiError(
                "break-glass-not-open",
                en="This break-glass is not open, or not yours: open one with a reason, or leave the header Yui-Break-Glass out.",
                ja="この非常時アクセスは開かれていないか、あなたのものではありません。理由を添えて新しく開くか、Yui-Break-Glass ヘッダーを外してください。",
                status=403,
            )
        return principal.under(grant)

    def record_use(self, principal: Principal, method: str, path: str) -> None:
        """Each request under a grant stands in the audit trail, reading ones too."""
        assert principal.grant is not None  # noqa: S101 — asked for by whoever calls
        shown = "".join(c if c.isprintable() else "?" for c in path[:200])
        fields: Mapping[str, object] = {**principal.marks, "request": f"{method} {shown}"}
        entry = AuditEntry(
            at=self.now(),
            principal=principal.token,
            role=principal.role,
            tenant=principal.grant.tenant,
            action="break-glass.use",
            subject=f"break-glass:{principal.grant.id}",
            outcome="done",
            fields=fields,
        )
        with self.store.write() as tx:
            tx.add_audit(entry)

    async def _own(self, text: str) -> Principal | None:
        token = await self._proved(text)
        if token is None or (token.expires_at is not None and token.expires_at <= self.now()):
            return None
        self.last_used.note(token, self.now())
        return Principal.of(token)

    async def _of_session(self, id: str, text: str) -> Principal | None:
        known = await self.sessions.find(id)
        if known is None or not known.proves(text):
            return None
        principal = known.principal(self.now())
        if principal is not None and isinstance(known.whose, Token):
            self.last_used.note(known.whose, self.now())
        return principal

    async def _proved(self, text: str) -> Token | None:
        token_id = token_id_of(text)
        token = None if token_id is None else await self.memory.find(token_id)
        if token is None or self.check.remembers(text, token.hash):
            return token
        # Only waiting for a turn ends at the time-out, never a proof that is under way.
        with anyio.fail_after(self.patience):
            await self._proving.acquire()
        try:
            proved = await to_thread.run_sync(self.check.proves, text, token.hash)
        finally:
            self._proving.release()
        return token if proved else None

    async def _claimed(self, providers: Providers, text: str) -> Claimed | None:
        try:
            return await to_thread.run_sync(lambda: providers.read(text, asking=False))
        except KeysWanted:
            pass
        with anyio.fail_after(self.patience):
            await self._asking.acquire()
        try:
            return await to_thread.run_sync(lambda: providers.read(text, asking=True))
        finally:
            self._asking.release()

    def _user(self, claimed: Claimed) -> User:
        with self.store.read() as tx:
            user = tx.user_by_subject(claimed.issuer, claimed.subject)
        if user is None and claimed.invitable and claimed.email is not None:
            user = self._bind(claimed, claimed.email)
        if user is None:
            raise _user_unknown(claimed)
        if user.disabled:
            raise _USER_DISABLED
        return user

    def _bind(self, claimed: Claimed, email: str) -> User | None:
        """The invitation by that address becomes this subject's, once and for all."""
        try:
            with self.store.write(turn="users") as tx:
                known = tx.user_by_subject(claimed.issuer, claimed.subject)
                invited = known or tx.invited(claimed.issuer, email.casefold())
                if invited is None or invited is known or invited.disabled:
                    return invited
                user = replace(invited, subject=claimed.subject)
                tx.save_user(user)
                who = Principal.of_user(user, claimed.expires_at)
                tx.add_audit(
                    who.did(
                        "user.bind",
                        f"user:{user.id}",
                        self.now(),
                        tenant=who.tenant,
                        fields={"issuer": claimed.issuer, "email": email},
                    )
                )
                return user
        except LostRace:
            return self._bind(claimed, email)

    def _grant(self, id: str) -> BreakGlass | None:
        with self.store.read() as tx:
            try:
                return tx.break_glass(id[:63])
            except YuiError:
                return None


def _user_unknown(claimed: Claimed) -> YuiError:
    subject = claimed.subject[:255]
    return YuiError(
        "user-unknown",
        en=f"{claimed.issuer} knows you, but Yui doesn't yet: ask an admin of your municipality, or an operator, to add a user with the subject '{subject}'.",
        ja=f"{claimed.issuer} での本人確認はできましたが、Yui に利用者として登録されていません。自団体の管理者か運用担当者に、サブジェクト「{subject}」の利用者の追加を依頼してください。",
        status=403,
        fields={"issuer": claimed.issuer, "subject": subject},
    )


_USER_DISABLED = YuiError(
    "user-disabled",
    en="Your user is switched off: ask an admin of your municipality, or an operator.",
    ja="この利用者は無効になっています。自団体の管理者か運用担当者に問い合わせてください。",
    status=403,
)
