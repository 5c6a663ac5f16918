"""A member's life, as states that only offer the steps that may follow.

Applied → Approved → (Connected →) Hosted, or Applied → Rejected | Withdrawn. Only an `Approved` value
lets servers be admitted, and the only way to one is `Applied.approve` by another person than the
applicant, or `Applied.approve_alone` in a pool whose rule asks for one person.

A member that is in leaves by LeaveAsked → Leaving → Exported → Departing → Left. Only a `Departing` value
lets anything be removed, and the only ways to one are its own word that it has its export, or another
person's who says why nobody waits for that. Until then it may stay, as what it was before. A step that
is missing here can't be written: mypy refuses the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.model.allotment import Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, Generation, OperationId, RegionId, ServerId
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
    LEAVE_ASKED = "leave-asked"
    LEAVING = "leaving"
    LEFT = "left"

    @property
    def ended(self) -> bool:
        return self in (
            MembershipState.REJECTED,
            MembershipState.WITHDRAWN,
            MembershipState.LEFT,
        )


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
class FirstUser:
    """A person who administers the member from its first day on, as an identity provider knows them: by
    `subject`, or by an address that it has verified."""

    name: str
    issuer: str
    subject: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for beside systems: who administers it first, and its quota, None for the usual."""

    admins: tuple[FirstUser, ...] = ()
    quota: Capacity | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    since: datetime
    by: Person
    own_site: OwnSite | None = None

    def approve(self, by: Person, at: datetime) -> Approved:
        """Raises `second-person-needed` where applicant and approver are the same."""
        _need_another(by, self.by)
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


Within = Approved | Connected | Hosted
"""What a member is that is in, and may leave."""


def ask_to_leave(
    standing: Within, by: Person, at: datetime, *, reason: str, destroy_keys: bool
) -> LeaveAsked:
    return LeaveAsked(at, by, standing, reason, destroy_keys)


@dataclass(frozen=True, slots=True)
class LeaveAsked:
    """Nothing has changed for it yet. `destroy_keys`: a record of what was destroyed of its keys is
    asked for."""

    since: datetime
    by: Person
    before: Within
    reason: str
    destroy_keys: bool = False

    def approve(self, by: Person, at: datetime) -> Leaving:
        """Raises `second-person-needed` where both are the same."""
        _need_another(by, self.by)
        return Leaving(at, self.by, by, self.before, self.destroy_keys)

    def approve_alone(self, at: datetime) -> Leaving:
        """By who asked, where the pool's rule is `ApprovalRule.ONE_PERSON`."""
        return Leaving(at, self.by, self.by, self.before, self.destroy_keys)

    def stay(self) -> Within:
        return self.before


@dataclass(frozen=True, slots=True)
class Leaving:
    """Its servers are being stopped and its disks exported. `stopped` are those that were running, to be
    started again if it stays."""

    since: datetime
    asked_by: Person
    by: Person
    before: Within
    destroy_keys: bool
    stopped: tuple[ServerId, ...] = ()

    def exported(self, at: datetime) -> Exported:
        return Exported(
            at, self.asked_by, self.by, self.before, self.destroy_keys, self.stopped, self.since
        )

    def stay(self) -> Within:
        return self.before


@dataclass(frozen=True, slots=True)
class Exported:
    """All that is its own lies in its export, and the member is to say that it has it. `leaving_since`
    is when its leaving was approved."""

    since: datetime
    asked_by: Person
    by: Person
    before: Within
    destroy_keys: bool
    stopped: tuple[ServerId, ...]
    leaving_since: datetime

    def confirm(self, by: Person, at: datetime, statement: str) -> Departing:
        """The member has its export."""
        return Departing(at, by, statement, self.destroy_keys)

    def waive(self, by: Person, at: datetime, reason: str) -> Departing:
        """Somebody else than who asked for the leaving says why nobody waits for the member's word.
        Raises `second-person-needed`."""
        _need_another(by, self.asked_by)
        return Departing(at, by, reason, self.destroy_keys, waived=True)

    def export_again(self) -> Leaving:
        """A disk was written to after it was exported."""
        return Leaving(
            self.leaving_since,
            self.asked_by,
            self.by,
            self.before,
            self.destroy_keys,
            self.stopped,
        )

    def stay(self) -> Within:
        return self.before


@dataclass(frozen=True, slots=True)
class Departing:
    """Its things are being removed, which nobody takes back. `waived`: not by its own word."""

    since: datetime
    by: Person
    statement: str
    destroy_keys: bool
    waived: bool = False

    def gone(self, at: datetime) -> Left:
        return Left(at, self.by, self.statement)


@dataclass(frozen=True, slots=True)
class Left:
    """`by` confirmed its export, or waived that, and `statement` is what they said."""

    since: datetime
    by: Person
    statement: str


def _need_another(by: Person, first: Person) -> None:
    if by.id != first.id:
        return
    raise YuiError(
        "second-person-needed",
        en=f"{by.label} has applied, so another person must approve: ask somebody with the role approver.",
        ja=f"{by.label} さんは申請者のため、承認は別の人が行う必要があります。役割 approver を持つ人に依頼してください。",
        status=403,
        fields={"applied_by": first.label},
    )


OnTheWayOut = LeaveAsked | Leaving | Exported | Departing

Standing = Applied | Within | Rejected | Withdrawn | OnTheWayOut | Left

_STATES: dict[type[Standing], MembershipState] = {
    Applied: MembershipState.APPLIED,
    Approved: MembershipState.APPROVED,
    Connected: MembershipState.CONNECTED,
    Hosted: MembershipState.HOSTED,
    Rejected: MembershipState.REJECTED,
    Withdrawn: MembershipState.WITHDRAWN,
    LeaveAsked: MembershipState.LEAVE_ASKED,
    Leaving: MembershipState.LEAVING,
    Exported: MembershipState.LEAVING,
    Departing: MembershipState.LEAVING,
    Left: MembershipState.LEFT,
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
    wanted: Wanted = Wanted()
    generation: Generation = Generation(0)

    @property
    def state(self) -> MembershipState:
        return state_of(self.standing)

    @property
    def own_site(self) -> OwnSite | None:
        match self.standing:
            case Rejected() | Withdrawn() | Departing() | Left():
                return None
            case LeaveAsked(before=before) | Leaving(before=before) | Exported(before=before):
                return before.own_site
            case standing:
                return standing.own_site
