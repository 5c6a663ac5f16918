"""Repositories over HTTP, and what backups may take of the links between regions."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response

from backup.api.common import REHEARSED, Reader, refused, tell
from backup.api.place_models import (
    LinkIn,
    LinkOut,
    RepositoryChangeIn,
    RepositoryIn,
    RepositoryOut,
)
from backup.api.plan import BackupPlan, plan
from backup.objects.check import check
from control_plane.drivers.objects import ObjectStoreError
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.backup.ids import LinkId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.sharing import Link
from control_plane.model.errors import YuiError
from control_plane.model.hours import DailyHours, minute_from, time_of_day
from control_plane.model.ids import RegionId, SiteId
from control_plane.model.tenant import MunicipalityCode
from control_plane.pool.plan import added, removed, replaced
from control_plane.store import Transaction

router = APIRouter(prefix="/v1", tags=["backups"])

Writer = Annotated[Principal, needs(Permission.REPOSITORIES_WRITE)]


@router.get("/repositories")
def read_repositories(
    who: Reader, edge: AtHand, *, limit: Limit = 100, cursor: Cursor = None
) -> Page[RepositoryOut]:
    """Where recovery points lie. A member sees the consortium's and its own."""
    with edge.store.read() as tx:
        found = tx.repositories(who.tenant)
    return page_of(
        found,
        key=lambda one: one.id,
        show=lambda one: repository_out(one, who),
        limit=limit,
        cursor=cursor,
    )


@router.get("/repositories/{repository}")
def read_repository(repository: Name, who: Reader, edge: AtHand) -> RepositoryOut:
    with edge.store.read() as tx:
        return repository_out(tx.repository(RepositoryId(repository), who.tenant), who)


@router.post("/repositories", status_code=201, response_model=RepositoryOut, responses=REHEARSED)
@audited("repository.add", "repository")
def add_repository(
    body: RepositoryIn, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Name a place where recovery points may lie. Nothing is written there yet: check it next."""

    def put(tx: Transaction) -> Repository:
        with named_in_body():
            made = _repository(tx, body)
        edge.world.objects(made.place)  # What is no place is refused before it is on record.
        kept = tx.add_repository(made)
        tell(
            tx,
            who,
            "repository.add",
            f"repository:{kept.id}",
            at=edge.clock.now(),
            said=(
                f"{who.label} added repository '{kept.id}' ({kept.name}) in {kept.prefecture}.",
                f"{who.label} さんがリポジトリ「{kept.id}」({kept.name}、{kept.prefecture})を追加しました。",
            ),
        )
        return kept

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            made = put(tx)
        return plan(added(f"/repositories/{made.id}", {"prefecture": made.prefecture}))

    def work(remember: Remember) -> RepositoryOut:
        with edge.store.write() as tx:
            answer = repository_out(put(tx), who)
            remember(tx, answer)
        return answer

    return once.run(rehearse) if dry_run else once.run(work, status=201)


@router.patch("/repositories/{repository}", response_model=RepositoryOut | BackupPlan)
@audited("repository.retire", "repository")
def change_repository(
    repository: Name,
    body: RepositoryChangeIn,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Retire a repository: nothing new goes there. Or take it into use again."""

    def put(tx: Transaction) -> Repository:
        found = tx.repository(RepositoryId(repository))
        kept = tx.save_repository(replace(found, retired=body.retired))
        en, ja = ("retired", "の利用を終了") if body.retired else ("took back", "を再び利用開始")
        tell(
            tx,
            who,
            "repository.retire",
            f"repository:{kept.id}",
            at=edge.clock.now(),
            said=(
                f"{who.label} {en} repository '{kept.id}'.",
                f"{who.label} さんがリポジトリ「{kept.id}」{ja}しました。",
            ),
        )
        return kept

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            before = tx.repository(RepositoryId(repository)).retired
            put(tx)
        return plan(replaced(f"/repositories/{repository}/retired", before, body.retired))

    def work(remember: Remember) -> RepositoryOut:
        with edge.store.write() as tx:
            answer = repository_out(put(tx), who)
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


@router.delete("/repositories/{repository}", response_model=RepositoryOut | BackupPlan)
@audited("repository.remove", "repository")
def remove_repository(
    repository: Name, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Take a place off the record where no recovery point lies."""

    def take(tx: Transaction) -> Repository:
        found = tx.repository(RepositoryId(repository))
        held = len(tx.points_in(found.id))
        if held:
            raise refused(
                "repository-in-use",
                f"Repository '{found.id}' holds {held} recovery points: retire it, and remove it when they have gone.",
                f"リポジトリ「{found.id}」には復元ポイントが {held} 件あります。利用を終了し、なくなってから削除してください。",
                repository=found.id,
                points=held,
            )
        tx.remove_repository(found.id)
        tx.remove_upkeep_of(found.id)
        tell(
            tx,
            who,
            "repository.remove",
            f"repository:{found.id}",
            at=edge.clock.now(),
            said=(
                f"{who.label} removed repository '{found.id}', where nothing lay.",
                f"{who.label} さんが、空のリポジトリ「{found.id}」を削除しました。",
            ),
        )
        return found

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            take(tx)
        return plan(removed(f"/repositories/{repository}"))

    def work(remember: Remember) -> RepositoryOut:
        with edge.store.write() as tx:
            answer = repository_out(take(tx), who)
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


@router.post("/repositories/{repository}/check", response_model=RepositoryOut)
@audited("repository.check", "repository")
def check_repository(repository: Name, who: Writer, edge: AtHand, once: Once) -> Response:
    """Whether it answers, lets Yui in, and does what backups count on, found out by trying it. That its bytes
    are what they should be is for scrubbing."""
    with edge.store.read() as tx:
        known = tx.repository(RepositoryId(repository))
    trouble = _trouble_of(edge, known)

    def work(remember: Remember) -> RepositoryOut:
        at = edge.clock.now()
        with edge.store.write() as tx:
            found = tx.repository(RepositoryId(repository))
            kept = tx.save_repository(replace(found, checked_at=at, trouble=trouble))
            tx.add_audit(who.did("repository.check", f"repository:{kept.id}", at))
            answer = repository_out(kept, who)
            remember(tx, answer)
        return answer

    return once.run(work)


@router.get("/region-links")
def read_links(_: Reader, edge: AtHand) -> Page[LinkOut]:
    """What backups may take of the links between regions. A link that is not here has no budget: nothing
    slows its copies."""
    with edge.store.read() as tx:
        return Page(items=[link_out(each) for each in tx.links()])


@router.put("/region-links/{link}", response_model=LinkOut | BackupPlan)
@audited("link.set", "link")
def put_link(
    link: Name, body: LinkIn, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Set a link's budget; it holds from the next interval on."""

    def put(tx: Transaction) -> Link:
        with named_in_body():
            for region in body.regions:
                tx.region(RegionId(region))
        kept = tx.put_link(_link(LinkId(link), body))
        tell(
            tx,
            who,
            "link.set",
            f"link:{kept.id}",
            at=edge.clock.now(),
            said=(
                f"{who.label} gave backups {kept.mbit_per_s} Mbit/s of link '{kept.id}'.",
                f"{who.label} さんが、回線「{kept.id}」のバックアップ用帯域を {kept.mbit_per_s} Mbit/s にしました。",
            ),
        )
        return kept

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            made = put(tx)
        return plan(added(f"/region-links/{link}", {"mbit_per_s": made.mbit_per_s}))

    def work(remember: Remember) -> LinkOut:
        with edge.store.write() as tx:
            answer = link_out(put(tx))
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


@router.delete("/region-links/{link}", response_model=LinkOut | BackupPlan)
@audited("link.remove", "link")
def remove_link(
    link: Name, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Copies over it are slowed by nothing any more."""

    def take(tx: Transaction) -> Link:
        found = tx.link(LinkId(link))
        tx.remove_link(found.id)
        tell(
            tx,
            who,
            "link.remove",
            f"link:{found.id}",
            at=edge.clock.now(),
            said=(
                f"{who.label} took the budget of link '{found.id}' away: nothing slows its copies.",
                f"{who.label} さんが回線「{found.id}」の帯域制限を外しました。",
            ),
        )
        return found

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            take(tx)
        return plan(removed(f"/region-links/{link}"))

    def work(remember: Remember) -> LinkOut:
        with edge.store.write() as tx:
            answer = link_out(take(tx))
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


def _trouble_of(edge: AtHand, known: Repository) -> str | None:
    try:
        found = check(edge.world.objects(known.place), edge.clock)
    except ObjectStoreError as error:
        return str(error)
    except YuiError as error:
        return error.en
    wanted = {"no-object-lock"} if known.lock_days else set()
    return next((each.en for each in found if each.grave or each.code in wanted), None)


def _repository(tx: Transaction, body: RepositoryIn) -> Repository:
    """Raises `region-not-found`, `site-not-found`, `tenant-not-found`, `site-elsewhere`."""
    region = None if body.region is None else tx.region(RegionId(body.region)).id
    site = None if body.site is None else tx.site(SiteId(body.site))
    if site is not None and site.region != region:
        raise refused(
            "site-elsewhere",
            f"Site '{site.id}' is in region '{site.region}': name that region.",
            f"サイト「{site.id}」はリージョン「{site.region}」にあります。そのリージョンを指定してください。",
            422,
            site=site.id,
        )
    tenant = None if body.tenant is None else tx.tenant(MunicipalityCode(body.tenant)).code
    at = None if site is None else site.id
    return Repository(
        id=RepositoryId(body.id),
        name=body.name,
        place=body.place,
        key_ref=body.key_ref,
        prefecture=body.prefecture,
        region=region,
        site=at,
        domains=Repository.domains_of(at, body.hazards),
        lock_days=body.lock_days,
        tenant=tenant,
    )


def _link(id: LinkId, body: LinkIn) -> Link:
    """Raises `link-invalid`."""
    if len(set(body.regions)) != 2 or (body.begins is None) != (body.ends is None):
        raise refused(
            "link-invalid",
            "A link joins two different regions, and its other hours have a beginning and an end: mend that.",
            "回線は異なる二つのリージョンを結び、時間帯には開始と終了の両方が必要です。",
            422,
        )
    hours = (
        None
        if body.begins is None or body.ends is None
        else DailyHours(minute_from(body.begins), minute_from(body.ends))
    )
    regions = frozenset(map(RegionId, body.regions))
    return Link(id, regions, body.mbit_per_s, hours, body.other_mbit_per_s)


def repository_out(one: Repository, who: Principal) -> RepositoryOut:
    full = who.sees_hardware or (who.tenant is not None and one.tenant == who.tenant)
    return RepositoryOut(
        id=one.id,
        name=one.name,
        prefecture=one.prefecture,
        region=one.region,
        site=one.site,
        hazards=list(one.hazards),
        lock_days=one.lock_days,
        tenant=None if one.tenant is None else one.tenant.text,
        retired=one.retired,
        place=one.place if full else None,
        key_ref=one.key_ref if full else None,
        former_key_ref=one.former_key_ref if full else None,
        checked_at=one.checked_at,
        sound=None if one.checked_at is None else one.trouble is None,
        trouble=one.trouble if full else None,
        generation=one.generation,
    )


def link_out(one: Link) -> LinkOut:
    hours = one.other_hours
    return LinkOut(
        id=one.id,
        regions=sorted(one.regions),
        mbit_per_s=one.mbit_per_s,
        begins=None if hours is None else time_of_day(hours.begins),
        ends=None if hours is None else time_of_day(hours.ends),
        other_mbit_per_s=one.other_mbit_per_s,
        generation=one.generation,
    )
