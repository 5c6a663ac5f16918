"""Repositories and recovery points for tests of the API, and what its routes for backups are sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from control_plane.model.backup.declaration import DisasterDeclaration
from control_plane.model.backup.ids import (
    BackupRunId,
    DeclarationId,
    KeyTaskId,
    LinkId,
    RecoveryPointId,
    RepositoryId,
    RestoreId,
)
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import (
    Complete,
    DiskFacts,
    Held,
    PointCopy,
    RecoveryPointRecord,
    ServerPoint,
)
from control_plane.model.backup.sharing import Link
from control_plane.model.backup.work import (
    Asked,
    KeyErrand,
    KeyTask,
    RestoreJob,
    RestoreTarget,
    RestoreTo,
    Waiting,
)
from control_plane.model.blueprint import System
from control_plane.model.ids import RegionId, SiteId
from control_plane.model.membership import Person
from control_plane.store import Transaction
from tests.api.conftest import NOW

HILL, AFAR = RepositoryId("hill"), RepositoryId("afar")

FOR_BACKUPS = {"repository": "hill", "link": "north", "disaster": "ds-0"}
"""What paths name that belongs to no member."""

NIGHTLY = {
    "rpo_hours": 24,
    "copies": [
        {"every": "day", "at": "23:30", "generations": 5, "places": ["on-site", "other-region"]}
    ],
}

BACKUP_BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/repositories"): {
        "id": "valley",
        "name": "谷の書庫",
        "place": "s3://valley/yui",
        "key_ref": "env:VALLEY",
        "prefecture": "京都府",
        "region": "kyoto",
    },
    ("PATCH", "/v1/repositories/{repository}"): {"retired": False},
    ("POST", "/v1/repositories/{repository}/rewrap"): {
        "key_ref": "env:HILL_ANEW",
        "reason": "漏えいの疑い",
    },
    ("PUT", "/v1/region-links/{link}"): {"regions": ["kyoto", "hokkaido"], "mbit_per_s": 20},
    ("PUT", "/v1/members/{code}/location-rule"): {
        "prefectures": ["北海道", "京都府"],
        "basis": "個人情報保護条例 第12条",
        "decided_on": "2026-03-01",
    },
    ("POST", "/v1/disasters"): {"around": "2026-03-30T00:00:00Z", "reason": "An earthquake."},
    ("POST", "/v1/disasters/{disaster}/revoke"): {"reason": "It is over."},
    ("PUT", "/v1/systems/{system}/backup-policy"): NIGHTLY,
    ("POST", "/v1/systems/{system}/backups"): {"keep_days": 7},
    ("POST", "/v1/recovery-points/{point}/restore"): {"to": "new"},
    ("POST", "/v1/members/{code}/backup-copy/taken"): {"points": []},
    ("POST", "/v1/members/{code}/backup-keys"): {"errand": "rotate", "reason": "It is spring."},
}


def repository(id: RepositoryId, region: str, prefecture: str) -> Repository:
    site = SiteId(f"{region}-dc")
    return Repository(
        id,
        f"the {id}",
        f"s3://{id}/yui",
        f"env:{id.upper()}",
        prefecture,
        RegionId(region),
        site,
        Repository.domains_of(site, ()),
    )


def add_places(tx: Transaction) -> None:
    """A repository in each of the two regions, and the link between them."""
    tx.add_repository(repository(HILL, "hokkaido", "北海道"))
    tx.add_repository(repository(AFAR, "kyoto", "京都府"))
    ends = frozenset({RegionId("kyoto"), RegionId("hokkaido")})
    tx.put_link(Link(LinkId("north"), ends, 100))


def point_of(
    tx: Transaction,
    system: System,
    id: str = "rp-mikasa",
    taken: datetime = NOW - timedelta(days=1),
) -> RecoveryPointRecord:
    """Of all its servers, in both repositories."""
    return tx.add_recovery_point(
        RecoveryPointRecord(
            RecoveryPointId(id),
            system.tenant,
            system.id,
            f"住民記録 of {system.tenant}",
            system.region,
            BackupRunId("br-0"),
            taken,
            Complete(taken),
            tuple(
                ServerPoint(
                    server.id,
                    server.name,
                    "x",
                    "quiesced",
                    (DiskFacts("root", 2**33, 9, 9, "full"),),
                )
                for server in tx.servers(system=system.id)
            ),
            (PointCopy(AFAR, Held(taken, 10)), PointCopy(HILL, Held(taken, 10))),
        )
    )


def add_backups(tx: Transaction, system: System) -> None:
    """Something of everything that is asked for about backups, of the member whose system it is."""
    add_places(tx)
    point = point_of(tx, system)
    tx.add_restore(
        RestoreJob(
            RestoreId("rs-mikasa"),
            system.tenant,
            point.id,
            system.id,
            RestoreTarget(RestoreTo.NEW),
            "somebody",
            NOW,
            Waiting(NOW),
        )
    )
    tx.add_key_task(
        KeyTask(
            KeyTaskId("kt-mikasa"),
            system.tenant,
            KeyErrand.DESTROY,
            "They leave.",
            Asked(NOW, Person("user-9", "somebody")),
            NOW,
        )
    )
    tx.add_disaster(
        DisasterDeclaration(
            DeclarationId("ds-0"),
            NOW,
            timedelta(days=1),
            timedelta(days=1),
            "A flood.",
            "an operator",
            NOW,
        )
    )
