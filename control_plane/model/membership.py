"""A member's life, as states that only offer the steps that may follow.

Applied → Approved → (Connected →) Hosted, or Applied → Rejected | Withdrawn. Only an `Approved` value
lets servers be admitted, and the only way to one is `Applied.approve` by another person than the
applicant, or `Applied.approve_alone` in a pool whose rule asks for one person. A step that is missing
here can't be written: mypy refuses the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, Generation, OperationId, RegionId
from control_plane.model.tenant import Tenant


class ApprovalRule(StrEnum):
    """How many people it takes to let a member in."""

    TWO_PERSONS = "two-persons"
    ONE_PERSON = "one-person"


class MembershipState(StrEnum):
    APPLIED = "applied"
    APPROVED = "approved"
    CONNECTED = "connected"
    HOSTED = "hosted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"

    @property
    def ended(self) -> bool:
        return self in (MembershipState.REJECTED, MembershipState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever acts: `id` is the user's, or the account's or token's of a program; `label` is how the
    record calls them."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class OwnSite:
    """The machine room that a member had before it joined, and whom to ask about it."""

    name: str
    contact: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom the consortium reaches at the member; None where nobody said."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    since: datetime
    by: Person
    own_site: OwnSite | None = None

    def approve(self, by: Person, at: datetime) -> Approved:
        """Raises `second-person-needed` where applicant and approver are the same."""
        if by.id == self.by.id:
            raise YuiError(
                "second-person-needed",
                en=f"{by.label} has applied, so another person must approve: ask somebody with the role approver.",
                ja=f"{by.label} さんは申請者のため、承認は別の人が行う必要があります。役割 approver を持つ人に依頼してください。",
                status=403,
                fields={"applied_by": self.by.label},
            )
        return Approved(at, self.by, by, self.own_site)

    def approve_alone(self, at: datetime) -> Approved:
        """By the applicant, where the pool's rule is `ApprovalRule.ONE_PERSON`."""
        return Approved(at, self.by, self.by, self.own_site)

    def reject(self, by: Person, at: datetime, reason: str) -> Rejected:
        return Rejected(at, by, reason)

    def withdraw(self, by: Person, at: datetime) -> Withdrawn:
        return Withdrawn(at, by)


@dataclass(frozen=True, slots=True)
class Approved:
    since: datetime
    applied_by: Person
    by: Person
    own_site: OwnSite | None = None

    def connect(self, at: datetime, by: Person) -> Connected:
        """Its own site's networks reach the pool; `by` says so. Raises `own-site-missing`."""
        if self.own_site is None:
            raise YuiError(
                "own-site-missing",
                en="This member named no site of its own, so there is nothing to connect: its systems simply start.",
                ja="この団体は自団体の設備を申告していないため、接続するものがありません。システムはそのまま起動します。",
                status=409,
            )
        return Connected(at, by, self.own_site)

    def host(self, at: datetime) -> Hosted:
        """Its servers run. ValueError for a member whose own site isn't connected yet."""
        if self.own_site is not None:
            raise ValueError("a member with a site of its own is connected first")
        return Hosted(at)


@dataclass(frozen=True, slots=True)
class Connected:
    """Still on its own site too."""

    since: datetime
    by: Person
    own_site: OwnSite

    def host(self, at: datetime) -> Hosted:
        return Hosted(at, self.own_site)


@dataclass(frozen=True, slots=True)
class Hosted:
    since: datetime
    own_site: OwnSite | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    since: datetime
    by: Person
    reason: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    since: datetime
    by: Person


Standing = Applied | Approved | Connected | Hosted | Rejected | Withdrawn

_STATES: dict[type[Standing], MembershipState] = {
    Applied: MembershipState.APPLIED,
    Approved: MembershipState.APPROVED,
    Connected: MembershipState.CONNECTED,
    Hosted: MembershipState.HOSTED,
    Rejected: MembershipState.REJECTED,
    Withdrawn: MembershipState.WITHDRAWN,
}


def state_of(standing: Standing) -> MembershipState:
    return _STATES[type(standing)]


@dataclass(frozen=True, slots=True)
class Membership:
    """One municipality's life with the consortium; the newest, where it came back. `blueprints` are
    those applied for, with the version that they had then; `operation` is what it waits for or did
    last: the application's, then the join's."""

    tenant: Tenant
    region: RegionId
    blueprints: tuple[tuple[BlueprintId, int], ...]
    standing: Standing
    operation: OperationId | None = None
    contact: Contact = Contact()
    generation: Generation = Generation(0)

    @property
    def state(self) -> MembershipState:
        return state_of(self.standing)

    @property
    def own_site(self) -> OwnSite | None:
        match self.standing:
            case Rejected() | Withdrawn():
                return None
            case standing:
                return standing.own_site
