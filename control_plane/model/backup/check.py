"""Whether a policy can be believed where a system stands: told before it is set, one sentence each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from control_plane.model.backup.gaps import LONGEST_HOURS, hours_widen, longest_gap
from control_plane.model.backup.places import BackupSource, LocationRule, Repository, assign
from control_plane.model.backup.policy import (
    BackupCopy,
    BackupInterval,
    BackupPlace,
    BackupPolicy,
)
from control_plane.model.backup.schedule import spared_hours
from control_plane.model.errors import YuiError
from control_plane.model.hours import ServiceWindow, Weekday
from control_plane.model.pool import DomainKind, FailureDomain

_KINDS = {
    DomainKind.SITE: ("site", "サイト"),
    DomainKind.POWER: ("power supply", "電源系統"),
    DomainKind.HAZARD: ("hazard zone", "災害区域"),
}


@dataclass(frozen=True, slots=True)
class PolicyRefusal:
    """`type` as in a YuiError."""

    type: str
    en: str
    ja: str

    def error(self) -> YuiError:
        return YuiError(self.type, en=self.en, ja=self.ja, status=422)


def check_policy(
    policy: BackupPolicy,
    source: BackupSource,
    repositories: Collection[Repository],
    rule: LocationRule | None,
    service_hours: Sequence[ServiceWindow] = (),
) -> tuple[PolicyRefusal, ...]:
    """Everything that stands against it; empty for a policy that can be kept."""
    return (
        *_places_missing(policy, source, repositories, rule),
        *_nothing_apart(policy, source, repositories, rule),
        *_objectives(policy, source, repositories, rule, service_hours),
        *_hours(policy, service_hours),
    )


def _places_missing(
    policy: BackupPolicy,
    source: BackupSource,
    repositories: Collection[Repository],
    rule: LocationRule | None,
) -> Iterator[PolicyRefusal]:
    assigned = assign(policy, source, repositories, rule)
    if set(policy.places) <= {BackupPlace.MEMBER}:
        yield PolicyRefusal(
            "member-copy-alone",
            "A member's own copy is fetched from another one: name a place of the pool too.",
            "団体自身のコピーは、ほかのコピーから取得します。プール内の保管先も指定してください。",
        )
    for place in policy.places:
        # A member's own comes when the member fetches it, with a repository on record or without.
        if place in assigned or place is BackupPlace.MEMBER:
            continue
        without_rule = assign(policy, source, repositories, None)
        if rule is not None and place in without_rule:
            forbidden = without_rule[place]
            yield PolicyRefusal(
                "place-forbidden",
                f"The data-location rule of {rule.tenant} ({rule.basis}) keeps its data out of {forbidden.prefecture}, where repository '{forbidden.id}' for the {place} copy stands: take another place, or record what allows it.",
                f"参加団体 {rule.tenant} のデータ所在地の定め({rule.basis})では、{place.ja}に置くコピーの保管先「{forbidden.id}」がある{forbidden.prefecture}にデータを置けません。別の保管先にするか、認める根拠を記録してください。",
            )
        else:
            where = (
                f" in {', '.join(policy.regions)}"
                if place is BackupPlace.OTHER_REGION and policy.regions
                else ""
            )
            yield PolicyRefusal(
                "no-repository-for-place",
                f"There is no repository for the {place} copy{where} of a system in region '{source.region}': add one, or leave that place out.",
                f"リージョン「{source.region}」のシステムに対して、{place.ja}に置くコピーのリポジトリがありません。追加するか、その保管先を外してください。",
            )


def _nothing_apart(
    policy: BackupPolicy,
    source: BackupSource,
    repositories: Collection[Repository],
    rule: LocationRule | None,
) -> Iterator[PolicyRefusal]:
    """A policy without any copy that outlives its source is none."""
    assigned = assign(policy, source, repositories, rule)
    if not assigned or any(source.apart(each) for each in assigned.values()):
        return
    shared = sorted({d for each in assigned.values() for d in source.shared_with(each)})
    named = sorted({each.id for each in assigned.values()})
    en, ja = (
        shared_sentence(shared)
        if shared
        else ("a place nobody has named", "所在が登録されていない場所")
    )
    only = "its only copy" if len(named) == 1 else "all of its copies"
    yield PolicyRefusal(
        "copies-share-hazard",
        f"{only[0].upper()}{only[1:]} (in {', '.join(named)}) would be lost together with the system, as both are in {en}: add a copy in another region, or in a building outside of that.",
        f"コピー({'、'.join(named)})がすべてシステムと同じ{ja}にあり、同時に失われます。別のリージョンか、その外の建物にもコピーを置いてください。",
    )


def _objectives(
    policy: BackupPolicy,
    source: BackupSource,
    repositories: Collection[Repository],
    rule: LocationRule | None,
    service_hours: Sequence[ServiceWindow],
) -> Iterator[PolicyRefusal]:
    spared = spared_hours(policy, service_hours)
    # Of one whose copies never begin, that is what is said.
    gap = longest_gap(policy.copies, spared)
    if policy.rpo_hours < gap < LONGEST_HOURS:
        en, ja = _mend(policy.copies, spared, "rpo_hours", gap)
        yield PolicyRefusal(
            "objective-unreachable",
            f"At most {policy.rpo_hours} h of work may be lost, but up to {gap} h pass between two copies{en}.",
            f"失ってよい作業は最大 {policy.rpo_hours} 時間ですが、コピーの間隔が最長 {gap} 時間になります{ja}。",
        )
    if policy.rpo_away_hours is None:
        return
    assigned = assign(policy, source, repositories, rule)
    apart = {place for place, each in assigned.items() if source.apart(each)}
    if not apart:
        return
    there = tuple(c for c in policy.copies if apart & set(c.places))
    away = longest_gap(there, spared)
    if policy.rpo_away_hours < away < LONGEST_HOURS:
        en, ja = _mend(there, spared, "rpo_away_hours", away)
        yield PolicyRefusal(
            "objective-unreachable",
            f"At most {policy.rpo_away_hours} h of work may be lost with the building, but up to {away} h pass between two copies that stand apart from it{en}.",
            f"建物が失われたときに失ってよい作業は最大 {policy.rpo_away_hours} 時間ですが、離れた場所へのコピーの間隔は最長 {away} 時間になります{ja}。",
        )


def _mend(
    copies: Sequence[BackupCopy], spared: Sequence[ServiceWindow], name: str, gap: int
) -> tuple[str, str]:
    """How both sentences end."""
    if hours_widen(copies, spared):
        return (
            f", as each begins at any time in the hours that it is allowed: copy more often, allow fewer hours, or raise {name} to {gap}",
            f"(許された時間帯のどこで始まってもよいため)。頻度を上げるか、時間帯を短くするか、{name} を {gap} 以上にしてください",
        )
    return (
        f": copy more often, or raise {name} to {gap}",
        f"。頻度を上げるか、{name} を {gap} 以上にしてください",
    )


def _hours(policy: BackupPolicy, service_hours: Sequence[ServiceWindow]) -> Iterator[PolicyRefusal]:
    if not policy.spare_service_hours:
        return
    for copy in policy.copies:
        if copy.every is BackupInterval.HOUR:
            continue
        weekly = copy.every is BackupInterval.WEEK
        days = {copy.weekday or Weekday.SUN} if weekly else set(Weekday)
        begins = copy.begins % (24 * 60)
        if days <= set(_open_days(service_hours, begins)):
            yield PolicyRefusal(
                "copy-in-service-hours",
                f"The copy of every {copy.label} would begin while the system is in use, which the policy rules out: choose another time, or leave spare_service_hours out.",
                f"{copy.label} のコピーはサービス時間中に始まるため、spare_service_hours の指定と両立しません。時刻を変えるか、この指定を外してください。",
            )


def _open_days(service_hours: Sequence[ServiceWindow], minute: int) -> Iterator[Weekday]:
    for window in service_hours:
        if window.opens <= minute < window.closes:
            yield from window.days


def role_refusals(policy: BackupPolicy, roles: Collection[str]) -> Iterator[PolicyRefusal]:
    """`roles` are those of the system's servers."""
    for dump in policy.dumps:
        if dump.role not in roles:
            known = ", ".join(sorted(roles)) or "-"
            yield PolicyRefusal(
                "dump-of-no-server",
                f"The policy has '{dump.before}' run on servers of role '{dump.role}', and the system has none: its roles are {known}.",
                f"役割「{dump.role}」のサーバーで「{dump.before}」を実行する方針ですが、このシステムにその役割のサーバーはありません。役割は {known} です。",
            )


def shared_sentence(shared: Sequence[FailureDomain]) -> tuple[str, str]:
    """What two places have in common, in both languages."""
    return (
        ", ".join(f"{_KINDS[d.kind][0]} '{d.name}'" for d in shared),
        "、".join(f"{_KINDS[d.kind][1]}「{d.name}」" for d in shared),
    )
