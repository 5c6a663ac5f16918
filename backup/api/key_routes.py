"""What is asked about members' backup keys, over HTTP: exported, changed, or destroyed by two people."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response

from backup.api.common import REHEARSED, Reader, refused, tell
from backup.api.models import KeyTaskIn, KeyTaskOut
from backup.api.plan import BackupPlan, plan
from backup.api.views import key_task_out
from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Page
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.operations import draw
from control_plane.model.access import Permission
from control_plane.model.backup.ids import KeyTaskId, RepositoryId
from control_plane.model.backup.work import Asked, KeyErrand, KeyTask, begun
from control_plane.model.membership import Person
from control_plane.model.operation import Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.pool.plan import added, replaced
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import not_found

router = APIRouter(prefix="/v1", tags=["backups"])

Keeper = Annotated[Principal, needs(Permission.BACKUP_KEYS_WRITE)]
Second = Annotated[Principal, needs(Permission.BACKUP_KEYS_AGREE)]


@router.get("/members/{code}/backup-keys")
def read_key_tasks(code: CodeText, who: Reader, edge: AtHand) -> Page[KeyTaskOut]:
    """What was asked about a member's keys, the oldest first."""
    with edge.store.read() as tx:
        found = tx.key_tasks(_member(tx, code, who))
    return Page(items=[key_task_out(each, who) for each in found])


@router.post(
    "/members/{code}/backup-keys", status_code=202, response_model=KeyTaskOut, responses=REHEARSED
)
@audited("backup-key.ask", "member")
def ask_about_keys(
    code: CodeText,
    body: KeyTaskIn,
    who: Keeper,
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Have a member's keys exported (for the member alone), changed for what is new, or destroyed once
    another person agrees: nothing that they sealed can be read then, by anybody, ever."""

    def put(tx: Transaction) -> KeyTask:
        tenant = _member(tx, code, who)
        errand, at = KeyErrand(body.errand), edge.clock.now()
        _need_sound(errand, body, who)
        if errand is KeyErrand.DESTROY:
            _refuse_in_disaster(tx, tenant)
        with named_in_body():
            place = (
                None
                if body.repository is None
                else tx.repository(RepositoryId(body.repository), tenant).id
            )
        person = Person(who.token, who.label)
        task = tx.add_key_task(
            KeyTask(
                KeyTaskId(f"kt-{draw(12)}"),
                tenant,
                errand,
                body.reason,
                begun(errand, person, at),
                at,
                place,
                body.recipient,
            )
        )
        tell(
            tx,
            who,
            "backup-key.ask",
            f"member:{tenant}",
            at=at,
            said=(
                f"{who.label} asks that the backup keys of {tenant} be {_DONE[errand][0]} ({task.id}): {body.reason}",
                f"{who.label} さんが、参加団体 {tenant} のバックアップ鍵の{_DONE[errand][1]}を依頼しました({task.id})。理由: {body.reason}",
            ),
            tenant=tenant,
            severity=Severity.CRITICAL if errand is KeyErrand.DESTROY else Severity.INFO,
            fields={"key_task": task.id, "errand": errand.value, "reason": body.reason},
        )
        return task

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            task = put(tx)
            points = sum(p.whole for p in tx.recovery_points(task.tenant, live=True))
        lost = points if task.errand is KeyErrand.DESTROY else 0
        shown = {"errand": task.errand.value, "points_lost_for_ever": lost}
        return plan(added(f"/members/{code}/backup-keys", shown))

    def work(remember: Remember) -> KeyTaskOut:
        with edge.store.write() as tx:
            answer = key_task_out(put(tx), who)
            remember(tx, answer)
        return answer

    return once.run(rehearse) if dry_run else once.run(work, status=202)


@router.post("/backup-keys/{task}/agree", response_model=KeyTaskOut | BackupPlan)
@audited("backup-key.agree", "task")
def agree_about_keys(
    task: Name, who: Second, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """As another person than who asked: have it done."""

    def put(tx: Transaction) -> KeyTask:
        found = _waiting(tx, KeyTaskId(task), who)
        _refuse_in_disaster(tx, found.tenant)
        at = edge.clock.now()
        if not isinstance(found.standing, Asked):
            raise _over(found)
        agreed = found.standing.agree(Person(who.token, who.label), at)
        kept = tx.save_key_task(replace(found, standing=agreed))
        _tell_end(tx, who, kept, "backup-key.agree", "agreed to", "に同意")
        return kept

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            put(tx)
        return plan(replaced(f"/backup-keys/{task}/state", "asked", "agreed"))

    def work(remember: Remember) -> KeyTaskOut:
        with edge.store.write() as tx:
            answer = key_task_out(put(tx), who)
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


@router.post("/backup-keys/{task}/cancel", response_model=KeyTaskOut)
@audited("backup-key.cancel", "task")
def cancel_about_keys(task: Name, who: Keeper, edge: AtHand, once: Once) -> Response:
    """Take back what nobody has agreed to yet."""

    def work(remember: Remember) -> KeyTaskOut:
        with edge.store.write() as tx:
            found = _waiting(tx, KeyTaskId(task), who)
            if not isinstance(found.standing, Asked):
                raise _over(found)
            standing = found.standing.cancel(edge.clock.now(), who.label)
            kept = tx.save_key_task(replace(found, standing=standing))
            _tell_end(tx, who, kept, "backup-key.cancel", "took back", "を取り下げ")
            answer = key_task_out(kept, who)
            remember(tx, answer)
        return answer

    return once.run(work)


_DONE = {
    KeyErrand.ESCROW: ("exported", "書き出し"),
    KeyErrand.ROTATE: ("changed", "更新"),
    KeyErrand.DESTROY: ("destroyed", "破棄"),
}


def _need_sound(errand: KeyErrand, body: KeyTaskIn, who: Principal) -> None:
    """Raises `members-own-keys`, `recipient-needed`."""
    if errand is KeyErrand.ESCROW and who.tenant is None:
        raise refused(
            "members-own-keys",
            "Only the member itself has its keys exported: whoever has them can read its data.",
            "鍵を持つ人はデータを読めるため、鍵の書き出しを依頼できるのは団体自身だけです。",
            403,
        )
    if (errand is KeyErrand.ESCROW) != (body.recipient is not None):
        raise refused(
            "recipient-needed",
            "An export is sealed for a public key (X25519), and nothing else is: give 'recipient' with an escrow, and only then.",
            "書き出しは公開鍵(X25519)で封をします。recipient は書き出し(escrow)のときだけ必ず指定してください。",
            422,
        )


def _refuse_in_disaster(tx: Snapshot, tenant: MunicipalityCode) -> None:
    """Raises `disaster-declared`."""
    for declared in tx.disasters(in_force=True):
        if declared.names(tenant):
            raise refused(
                "disaster-declared",
                f"A disaster is declared that concerns {tenant} ({declared.id}): no key is destroyed until that is revoked.",
                f"参加団体 {tenant} に関わる災害宣言 {declared.id} があるため、解除されるまで鍵は破棄できません。",
                disaster=declared.id,
            )


def _waiting(tx: Snapshot, id: KeyTaskId, who: Principal) -> KeyTask:
    return tx.key_task(id, who.tenant)


def _over(task: KeyTask) -> Exception:
    return refused(
        "key-task-decided",
        f"What was asked about keys with '{task.id}' has been decided already: nothing is left to say.",
        f"鍵の依頼「{task.id}」はすでに決まっています。",
        key_task=task.id,
    )


def _tell_end(tx: Transaction, who: Principal, task: KeyTask, kind: str, *did: str) -> None:
    en, ja = did
    tell(
        tx,
        who,
        kind,
        f"member:{task.tenant}",
        at=task.standing.since,
        said=(
            f"{who.label} {en} that the backup keys of {task.tenant} be {_DONE[task.errand][0]} ({task.id}).",
            f"{who.label} さんが、参加団体 {task.tenant} のバックアップ鍵の{_DONE[task.errand][1]}{ja}しました({task.id})。",
        ),
        tenant=task.tenant,
        severity=Severity.CRITICAL if task.errand is KeyErrand.DESTROY else Severity.INFO,
        fields={"key_task": task.id, "errand": task.errand.value},
    )


def _member(tx: Snapshot, code: str, who: Principal) -> MunicipalityCode:
    tenant = MunicipalityCode(code)
    if who.tenant is not None and who.tenant != tenant:
        raise not_found("tenant", code)
    return tx.tenant(tenant).code
