"""How one system is backed up, checked against where it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backup.api.common import refused, tell
from backup.api.models import PolicyIn
from backup.records.estate import Blueprints, Estate, SystemBackup
from control_plane.http.principal import Principal
from control_plane.model.backup.check import PolicyRefusal, check_policy, role_refusals
from control_plane.model.backup.policy import BackupPolicy
from control_plane.model.backup.policy_document import (
    policy_document,
    policy_from,
    policy_mistakes,
)
from control_plane.model.ids import SystemId
from control_plane.pool.plan import Difference, added, removed, replaced
from control_plane.store import Snapshot, Transaction


def policy_of(body: PolicyIn) -> BackupPolicy:
    """Raises `backup-policy-invalid`."""
    wanted = policy_from(body.model_dump(mode="json", exclude_none=False))
    mistakes = list(policy_mistakes(wanted))
    if mistakes:
        named = [(".".join(map(str, m.path)) or "policy", m) for m in mistakes]
        raise refused(
            "backup-policy-invalid",
            "\n".join(f"{name}: {m.en}" for name, m in named),
            "\n".join(f"{name}: {m.ja}" for name, m in named),
            422,
            paths=[name for name, _ in named],
        )
    return wanted


def checked(
    tx: Snapshot,
    blueprints: Blueprints,
    system: str,
    who: Principal,
    wanted: BackupPolicy | None = None,
) -> tuple[SystemBackup, tuple[PolicyRefusal, ...]]:
    """Raises `system-not-found`, also for another member's."""
    found = tx.system(SystemId(system), who.tenant)
    estate = Estate.read(tx, blueprints, systems=[found.id])
    backup = estate.systems[found.id]
    repositories = tuple(estate.repositories.values())
    refusals = check_policy(
        wanted or backup.policy, backup.source, repositories, backup.rule, backup.service_hours
    )
    roles = {server.role for server in backup.servers}
    return backup, (*refusals, *role_refusals(wanted or backup.policy, roles))


def tell_policy(
    tx: Transaction, who: Principal, backup: SystemBackup, wanted: BackupPolicy, now: datetime
) -> None:
    tell(
        tx,
        who,
        "backup-policy.set",
        f"system:{backup.system.id}",
        at=now,
        said=(
            f"{who.label} changed how {backup.name} ({backup.system.id}) is backed up.",
            f"{who.label} さんが、{backup.name}({backup.system.id})のバックアップ方針を変更しました。",
        ),
        tenant=backup.system.tenant,
        fields={"policy": policy_document(wanted)},
    )


def policy_difference(path: str, before: BackupPolicy, after: BackupPolicy) -> list[Difference]:
    """Field by field, and copy by copy; `path` is the policy's."""
    was, will_be = policy_document(before), policy_document(after)
    old, new = _by_label(was.pop("copies")), _by_label(will_be.pop("copies"))
    found = [
        replaced(
            f"{path}/{name}",
            was.get(name, getattr(before, name)),
            will_be.get(name, getattr(after, name)),
        )
        for name in sorted(was.keys() | will_be.keys())
        if was.get(name) != will_be.get(name)
    ]
    for label in [*old, *(each for each in new if each not in old)]:
        at = f"{path}/copies/{label}"
        if label not in new:
            found.append(removed(at))
        elif label not in old:
            found.append(added(at, new[label]))
        elif old[label] != new[label]:
            found.extend(
                replaced(f"{at}/{name}", old[label].get(name), new[label].get(name))
                for name in sorted(old[label].keys() | new[label].keys())
                if old[label].get(name) != new[label].get(name)
            )
    return found


def _by_label(copies: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Such as `day 23:30`; of two that are called alike the second has a plus."""
    found: dict[str, dict[str, Any]] = {}
    for copy in copies:
        label = " ".join(str(copy[each]) for each in ("every", "at") if each in copy)
        while label in found:
            label += "+"
        found[label] = copy
    return found
