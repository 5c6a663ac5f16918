"""A policy as JSON or YAML has it, in blueprints, in files of its own, and in the state.

`policy.schema.json` beside the files' reader says what a document may hold; this turns what was found
sound there into values and back, and says what a schema can't.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from control_plane.model.backup.dumps import USUAL_MINUTES, Dump
from control_plane.model.backup.gaps import hours_widen, longest_gap
from control_plane.model.backup.policy import (
    BackupCopy,
    BackupInterval,
    BackupPlace,
    BackupPolicy,
)
from control_plane.model.hours import MinuteOfDay, Weekday, minute_from, time_of_day
from control_plane.model.ids import RegionId

_OF_POLICY = (
    "rpo_away_hours",
    "spare_service_hours",
    "quiesce",
    "test_every_days",
    "most_mbit_per_s",
)


def policy_from(document: Mapping[str, Any]) -> BackupPolicy:
    return BackupPolicy(
        rpo_hours=document["rpo_hours"],
        copies=tuple(map(_copy_from, document["copies"])),
        regions=tuple(map(RegionId, document.get("regions", ()))),
        dumps=tuple(map(_dump_from, document.get("dumps", ()))),
        **{name: document[name] for name in _OF_POLICY if name in document},
    )


def _copy_from(copy: Mapping[str, Any]) -> BackupCopy:
    return BackupCopy(
        every=BackupInterval(copy["every"]),
        generations=copy["generations"],
        places=tuple(map(BackupPlace, copy["places"])),
        at=_minute(copy.get("at")),
        until=_minute(copy.get("until")),
        weekday=None if copy.get("weekday") is None else Weekday(copy["weekday"]),
        day=copy.get("day"),
        month=copy.get("month"),
    )


def _dump_from(dump: Mapping[str, Any]) -> Dump:
    return Dump(
        role=dump["role"],
        before=dump["before"],
        after=dump.get("after"),
        timeout_minutes=dump.get("timeout_minutes", USUAL_MINUTES),
        required=dump.get("required", True),
    )


def policy_document(policy: BackupPolicy) -> dict[str, Any]:
    """What `policy_from` reads back as the same; what is as usual is left out."""
    usual = BackupPolicy(1, ())
    document: dict[str, Any] = {"rpo_hours": policy.rpo_hours}
    for name in _OF_POLICY:
        if (value := getattr(policy, name)) != getattr(usual, name):
            document[name] = value
    if policy.regions:
        document["regions"] = list(policy.regions)
    if policy.dumps:
        document["dumps"] = [_dump_document(dump) for dump in policy.dumps]
    document["copies"] = [_copy_document(copy) for copy in policy.copies]
    return document


def _dump_document(dump: Dump) -> dict[str, Any]:
    document: dict[str, Any] = {"role": dump.role, "before": dump.before}
    if dump.after is not None:
        document["after"] = dump.after
    if dump.timeout_minutes != USUAL_MINUTES:
        document["timeout_minutes"] = dump.timeout_minutes
    if not dump.required:
        document["required"] = False
    return document


def _copy_document(copy: BackupCopy) -> dict[str, Any]:
    document: dict[str, Any] = {
        "every": copy.every.value,
        "generations": copy.generations,
        "places": [place.value for place in copy.places],
    }
    if copy.at is not None:
        document["at"] = time_of_day(copy.at)
    if copy.until is not None:
        document["until"] = time_of_day(copy.until)
    if copy.weekday is not None:
        document["weekday"] = copy.weekday.value
    if copy.day is not None:
        document["day"] = copy.day
    if copy.month is not None:
        document["month"] = copy.month
    return document


@dataclass(frozen=True, slots=True)
class PolicyMistake:
    """`path` leads to the field; the sentences don't name it."""

    path: tuple[str | int, ...]
    en: str
    ja: str


def policy_mistakes(policy: BackupPolicy) -> Iterator[PolicyMistake]:
    """What is wrong with it wherever it is used."""
    for index, copy in enumerate(policy.copies):
        for field, en, ja in _copy_mistakes(copy):
            yield PolicyMistake(("copies", index, *field), en, ja)
    roles: set[str] = set()
    for index, dump in enumerate(policy.dumps):
        if dump.role in roles:
            yield PolicyMistake(
                ("dumps", index, "role"),
                f"'{dump.role}' is given twice: servers of a role have one dump, so let one hook do both.",
                f"「{dump.role}」が重複しています。ダンプは役割ごとに一つです。一つのフックにまとめてください。",
            )
        roles.add(dump.role)
    soonest = longest_gap(policy.copies)
    if soonest > policy.rpo_hours:
        en, ja = ("", "")
        if hours_widen(policy.copies):
            en = ", as each begins at any time from 'at' until 'until'"
            ja = "(「at」から「until」までのどこで始まってもよいため)"
        yield PolicyMistake(
            ("rpo_hours",),
            f"up to {soonest} hours pass between two copies{en}: raise it to that, or copy more often.",
            f"コピーの間隔が最長 {soonest} 時間になります{ja}。この値をそこまで上げるか、コピーを増やしてください。",
        )


def _copy_mistakes(copy: BackupCopy) -> Iterator[tuple[tuple[str, ...], str, str]]:
    hourly = copy.every is BackupInterval.HOUR
    if hourly and copy.at is not None and copy.until is None:
        yield (
            ("at",),
            "an hourly copy has no time: leave 'at' out.",
            "1時間ごとのコピーに時刻はありません。「at」を省いてください。",
        )
    elif not hourly and copy.at is None:
        yield (
            (),
            "'at' is missing: say when the copy begins.",
            "「at」がありません。コピーを始める時刻を書いてください。",
        )
    elif hourly and copy.at is None and copy.until is not None:
        yield (
            (),
            "'at' is missing: hours have a beginning and an end.",
            "「at」がありません。時間帯の開始と終了の両方を書いてください。",
        )
    for name, known in (
        ("weekday", {BackupInterval.WEEK}),
        ("day", {BackupInterval.MONTH, BackupInterval.YEAR}),
        ("month", {BackupInterval.YEAR}),
    ):
        if getattr(copy, name) is not None and copy.every not in known:
            yield (
                (name,),
                f"a copy of every {copy.every} has none: leave '{name}' out.",
                f"{copy.every} ごとのコピーに「{name}」はありません。省いてください。",
            )


def _minute(text: str | None) -> MinuteOfDay | None:
    return None if text is None else minute_from(text)
