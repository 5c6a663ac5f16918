"""Nobody's hurry slows down the others: requests are counted for each token, each member and each stranger.

Each has a bucket that fills at a steady rate up to its size and gives one to each request; an empty one
answers 429 and says when to come back (`RateLimit`, `RateLimit-Policy` as in the IETF draft
draft-ietf-httpapi-ratelimit-headers-10, `Retry-After`).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.http.principal import Principal
from control_plane.http.problems import problem
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` in the long run, `burst` at once."""

    per_second: float
    burst: int

    @property
    def window(self) -> int:
        """Seconds in which an empty bucket is full again."""
        return math.ceil(self.burst / self.per_second)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """`token` and `member` hold together for members' tokens: no token takes more than its own share of
    its member's. `consortium` is for tokens of no member. `stranger` counts refused tokens by address."""

    token: Rate = Rate(50, 200)
    member: Rate = Rate(100, 400)
    consortium: Rate = Rate(1000, 2000)
    stranger: Rate = Rate(1, 30)

    @staticmethod
    def for_members(per_second: int) -> RateLimits:
        """A member gets that many a second and four times as many at once; each of its tokens half."""
        half = per_second / 2
        return RateLimits(
            token=Rate(half, max(1, 2 * per_second)), member=Rate(per_second, 4 * per_second)
        )


@dataclass(slots=True)
class _Bucket:
    left: float
    at: Seconds


@dataclass(frozen=True, slots=True)
class Taken:
    """What a bucket said: `allowed`, how many are `left`, and seconds `until_next` and `until_full`."""

    policy: str
    rate: Rate
    allowed: bool
    left: int
    until_next: int
    until_full: int


@dataclass(slots=True)
class Buckets:
    """Of one policy, for at most `most` names; who has not asked for longest is forgotten first."""

    policy: str
    rate: Rate
    most: int = 10_000
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def take(self, name: str, now: Seconds) -> Taken:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(float(self.rate.burst), now)
            while len(self._buckets) > self.most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        gained = max(0.0, now - bucket.at) * self.rate.per_second
        bucket.left, bucket.at = min(float(self.rate.burst), bucket.left + gained), now
        allowed = bucket.left >= 1
        if allowed:
            bucket.left -= 1
        return Taken(
            self.policy,
            self.rate,
            allowed,
            int(bucket.left),
            max(1, math.ceil((1 - bucket.left) / self.rate.per_second)),
            math.ceil((self.rate.burst - bucket.left) / self.rate.per_second),
        )


class RateLimit:
    """ASGI middleware, to stand within authentication: each request of a token that is known."""

    def __init__(self, app: ASGIApp, limits: RateLimits, monotonic: Callable[[], Seconds]) -> None:
        self._app = app
        self._monotonic = monotonic
        self._tokens = Buckets("token", limits.token)
        self._members = Buckets("member", limits.member)
        self._consortium = Buckets("consortium", limits.consortium)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who: Principal | None = scope.get("state", {}).get("principal")
        if scope["type"] != "http" or who is None:
            await self._app(scope, receive, send)
            return
        taken = self._take(who)
        headers = _headers(taken)
        if not all(one.allowed for one in taken):
            headers["Retry-After"] = str(max(t.until_next for t in taken if not t.allowed))
            await problem(scope, _limited(taken), headers)(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_marked)

    def _take(self, who: Principal) -> Sequence[Taken]:
        now = self._monotonic()
        if who.tenant is None:
            return [self._consortium.take(who.token, now)]
        token = self._tokens.take(who.token, now)
        # A token beyond its own share takes nothing from its member's other tokens.
        return [token, self._members.take(who.tenant.text, now)] if token.allowed else [token]


class StrangerLimit:
    """ASGI middleware, to stand around authentication: refused tokens of one address. Those whose token
    is known are not held up by strangers beside them."""

    def __init__(self, app: ASGIApp, limits: RateLimits, monotonic: Callable[[], Seconds]) -> None:
        self._app = app
        self._monotonic = monotonic
        self._strangers = Buckets("stranger", limits.stranger)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        instead = False

        async def send_counted(message: Message) -> None:
            nonlocal instead
            if message["type"] == "http.response.start" and message["status"] == 401:
                taken = self._strangers.take(_place(scope), self._monotonic())
                if not taken.allowed:
                    instead = True
                    headers = {**_headers([taken]), "Retry-After": str(taken.until_next)}
                    await problem(scope, _limited([taken]), headers)(scope, receive, send)
            if not instead:
                await send(message)

        await self._app(scope, receive, send_counted)


def _place(scope: Scope) -> str:
    """An address, or for IPv6 its network: whoever has one address there has them all."""
    try:
        address = ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return "elsewhere"
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


def _headers(taken: Sequence[Taken]) -> dict[str, str]:
    least = min(taken, key=lambda one: (one.allowed, one.left))
    return {
        "RateLimit": f'"{least.policy}";r={least.left};t={least.until_full}',
        "RateLimit-Policy": ", ".join(
            f'"{one.policy}";q={one.rate.burst};w={one.rate.window}' for one in taken
        ),
    }


_WHOSE: Mapping[str, tuple[str, str]] = {
    "token": ("This token", "このトークン"),
    "member": ("This member", "この団体"),
    "consortium": ("This token", "このトークン"),
    "stranger": ("This address", "このアドレス"),
}


def _limited(taken: Sequence[Taken]) -> YuiError:
    one = next(one for one in taken if not one.allowed)
    en, ja = _WHOSE[one.policy]
    return YuiError(
        "rate-limited",
        en=f"{en} has sent more requests than {one.rate.per_second:g} a second: send the next in {one.until_next} s.",
        ja=f"{ja}からのリクエストが毎秒 {one.rate.per_second:g} 件を超えました。{one.until_next} 秒後に再度お試しください。",
        status=429,
        fields={"policy": one.policy, "retry_after": one.until_next},
    )
