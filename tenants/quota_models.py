"""A member's capacity as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from control_plane.http.bounds import Name, RequestBody, ResponseBody

_MOST = 10**9


class Amounts(ResponseBody):
    vcpus: int
    memory_mib: int
    disk_gib: int


class AmountsIn(RequestBody):
    vcpus: Annotated[int, Field(ge=0, le=10**6)]
    memory_mib: Annotated[int, Field(ge=0, le=_MOST)]
    disk_gib: Annotated[int, Field(ge=0, le=_MOST)]


class QuotaOut(ResponseBody):
    """What a member has of a region. `used` counts each server once, wherever and however it is.
    `container_groups` is what its container groups on record would take: they hold no room, and count
    against the quota with what is used. `borrowed` is what of `used` lies beyond `guaranteed`, and
    `borrowable` what may still be asked for beyond the guarantee, at most: as far as the quota goes and
    the pool can lend now. `unproved` is what of the guarantee is neither used nor kept free anywhere at
    the moment, because the pool has no room for it: it is zero while all is well."""

    tenant: str
    region: str
    guaranteed: Amounts
    quota: Amounts
    used: Amounts
    container_groups: Amounts
    borrowed: Amounts
    borrowable: Amounts
    unproved: Amounts
    generation: int


class QuotaIn(RequestBody):
    """`region` may be left out where the member has capacity in one region alone."""

    region: Name | None = None
    guaranteed: AmountsIn
    quota: AmountsIn


class QuotaPlan(ResponseBody):
    """What setting it would do; nothing of it is written. That it is answered at all says that the
    guarantees of all members would fit together."""

    dry_run: Literal[True] = True
    before: QuotaOut | None
    after: QuotaOut
