"""A repository's own key is changed for another, over HTTP: the keeper then wraps every member's keys anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response

from backup.api.common import REHEARSED, refused, tell
from backup.api.place_models import RepositoryOut, RewrapIn
from backup.api.plan import BackupPlan, plan
from backup.api.repository_routes import repository_out
from backup.key_refs import key_at
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.operation import Severity
from control_plane.pool.plan import replaced
from control_plane.store import Transaction

router = APIRouter(prefix="/v1", tags=["backups"])

Writer = Annotated[Principal, needs(Permission.REPOSITORIES_WRITE)]


@router.post(
    "/repositories/{repository}/rewrap",
    status_code=202,
    response_model=RepositoryOut,
    responses=REHEARSED,
)
@audited("repository.rewrap", "repository")
def rewrap_repository(
    repository: Name,
    body: RewrapIn,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Have every member's keys in a repository wrapped by another key, such as when the old one has leaked.
    Both are read until that is done, which an event tells."""

    def put(tx: Transaction) -> Repository:
        found = tx.repository(RepositoryId(repository))
        _need_another_key(found, body.key_ref)
        kept = tx.save_repository(
            replace(found, key_ref=body.key_ref, former_key_ref=found.key_ref)
        )
        tell(
            tx,
            who,
            "repository.rewrap",
            f"repository:{kept.id}",
            at=edge.clock.now(),
            said=(
                f"{who.label} has the keys in repository '{kept.id}' wrapped by another repository key: {body.reason}",
                f"{who.label} さんが、リポジトリ「{kept.id}」の鍵束を別のリポジトリ鍵で包み直すよう依頼しました。理由: {body.reason}",
            ),
            severity=Severity.WARNING,
            fields={"reason": body.reason, "key_ref": kept.key_ref},
        )
        return kept

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            kept = put(tx)
        return plan(
            replaced(f"/repositories/{repository}/key_ref", kept.former_key_ref, kept.key_ref)
        )

    def work(remember: Remember) -> RepositoryOut:
        with edge.store.write() as tx:
            answer = repository_out(put(tx), who)
            remember(tx, answer)
        return answer

    return once.run(rehearse) if dry_run else once.run(work, status=202)


def _need_another_key(found: Repository, ref: str) -> None:
    """Raises `rewrap-under-way`, `repository-key-same`, and where one of the keys can't be read."""
    if found.former_key_ref is not None:
        raise refused(
            "rewrap-under-way",
            f"The keys in repository '{found.id}' are being wrapped anew already: wait until that is done, which an event tells.",
            f"リポジトリ「{found.id}」の鍵束は包み直しの途中です。完了のイベントを待ってください。",
            repository=found.id,
        )
    new, old = (key_at(each, found.id, status=422) for each in (ref, found.key_ref))
    if new.id == old.id:
        raise refused(
            "repository-key-same",
            f"That is the key which repository '{found.id}' has: make another with `yui repository new-key`.",
            f"リポジトリ「{found.id}」の今の鍵と同じです。`yui repository new-key` で別の鍵を作ってください。",
            repository=found.id,
        )
