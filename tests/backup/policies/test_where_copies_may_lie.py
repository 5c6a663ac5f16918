"""A policy that can't be kept is refused in a sentence that says why, before anybody relies on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from control_plane.model.backup.check import check_policy
from control_plane.model.backup.places import LocationRule, Repository, assign
from control_plane.model.backup.policy import BackupPolicy
from control_plane.model.backup.policy_document import policy_document, policy_from
from control_plane.model.errors import YuiError
from control_plane.model.hours import ALWAYS_OPEN
from control_plane.model.ids import RegionId
from tenants.backup_policy_file import read_policy
from tests.backup.policies.samples import (
    CELLAR,
    EXAMPLES,
    FAR,
    HILL,
    KAGOSHIMA,
    MEMBER,
    OFF,
    ON,
    RIVERSIDE,
    SOURCE,
    copy,
    policy,
    rule,
)

NIGHTLY = copy("day", 5, ON, at="23:30")
BOTH = copy("day", 5, ON, OFF, at="23:30")
AFAR = copy("day", 5, ON, FAR, at="23:30")


@pytest.mark.parametrize(
    ("wanted", "repositories", "law", "type", "says"),
    [
        (policy(NIGHTLY), [CELLAR], None, "copies-share-hazard", "site 'kyoto-dc'"),
        (
            policy(BOTH),
            [CELLAR, RIVERSIDE],
            None,
            "copies-share-hazard",
            "hazard zone 'yodo-flood'",
        ),
        (policy(BOTH), [CELLAR], None, "no-repository-for-place", "off-site"),
        (
            policy(AFAR),
            [CELLAR, KAGOSHIMA],
            rule("京都府"),
            "place-forbidden",
            "個人情報保護条例 第12条",
        ),
        (
            replace(policy(AFAR), regions=(RegionId("hokkaido"),)),
            [CELLAR, KAGOSHIMA],
            None,
            "no-repository-for-place",
            "in hokkaido",
        ),
        (policy(BOTH, rpo_hours=6), [CELLAR, HILL], None, "objective-unreachable", "24 h"),
        (
            replace(policy(NIGHTLY, copy("week", 4, OFF, at="22:00")), rpo_away_hours=24),
            [CELLAR, HILL],
            None,
            "objective-unreachable",
            "168 h",
        ),
        (policy(copy("day", 2, MEMBER, at="23:30")), [HILL], None, "member-copy-alone", "fetched"),
        (
            replace(policy(BOTH), spare_service_hours=True),
            [CELLAR, HILL],
            None,
            "copy-in-service-hours",
            "day 23:30",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(
    wanted: BackupPolicy,
    repositories: Sequence[Repository],
    law: LocationRule | None,
    type: str,
    says: str,
) -> None:
    refused = check_policy(wanted, SOURCE, repositories, law, ALWAYS_OPEN)
    found = {each.type: each for each in refused}
    assert type in found
    assert says in found[type].en
    assert found[type].ja.endswith("。")
    assert "\n" not in found[type].en


def test_what_stands_apart_is_chosen_and_believed() -> None:
    assert check_policy(policy(BOTH), SOURCE, [CELLAR, HILL, RIVERSIDE], None) == ()
    assert assign(policy(BOTH), SOURCE, [RIVERSIDE, HILL, CELLAR], None) == {ON: CELLAR, OFF: HILL}
    assert check_policy(policy(AFAR), SOURCE, [CELLAR, KAGOSHIMA], rule("京都府", "鹿児島県")) == ()
    assert assign(policy(AFAR), SOURCE, [HILL, KAGOSHIMA], None) == {ON: HILL, FAR: KAGOSHIMA}
    retired = replace(HILL, retired=True)
    assert assign(policy(BOTH), SOURCE, [CELLAR, RIVERSIDE, retired], None)[OFF] == RIVERSIDE


def test_the_regimes_of_the_documents_are_examples_that_can_be_kept() -> None:
    names = [path.name for path in sorted(EXAMPLES.glob("*.yaml"))]
    assert len(names) == 6
    for name in names:
        found = read_policy(EXAMPLES / name)
        assert check_policy(found, SOURCE, [CELLAR, HILL, KAGOSHIMA], None) == (), name
        assert policy_from(policy_document(found)) == found, name


def test_every_mistake_in_a_policy_file_is_told_with_its_line(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "rpo_hours: 2\ncopies:\n  - {every: hour, at: '10:00', generations: 1, places: [on-site]}\n"
        "  - {every: day, generations: 1, weekday: mon, places: [on-site]}\n"
    )
    with pytest.raises(YuiError) as refused:
        read_policy(path)
    assert [line.split(":")[0] for line in refused.value.en.splitlines()] == [
        "wrong.yaml, line 3",
        "wrong.yaml, line 4",
        "wrong.yaml, line 4",
    ]
    path.write_text("rpo_hours: 2\ncopies: []\nkeep: 3\n")
    with pytest.raises(YuiError, match="known are rpo_hours"):
        read_policy(path)
