"""Applies a pool description: the hardware becomes what the description says, or stays as it was.

The description is the whole pool. A host that carries servers, or whose smaller size would break the
promise to them, is not changed behind their back: the whole description is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, HostId, RegionId, ServerId, SiteId
from control_plane.model.operation import Event, Severity
from control_plane.model.pool import FailureDomain
from control_plane.placement import Violation, check, recertify
from control_plane.pool.models import Changes, PoolApplied
from control_plane.pool_file import Change, ChangeKind, PoolDescription, compare
from control_plane.store import Snapshot, Transaction


def describe(tx: Snapshot) -> PoolDescription:
    """The pool as it stands."""
    return PoolDescription.of(tx.regions(), tx.sites(), tx.hosts(), tx.flavors())


def refuse_changed(read: str, standing: str) -> None:
    """Raises `pool-changed` (412) unless the pool's description has the tag that was read."""
    if read != standing:
        raise YuiError(
            "pool-changed",
            en="The pool was described anew after you read it, so nothing was changed: look at what it is now, and apply your description again.",
            ja="プールの定義は読み取り後に変更されているため、何も変更しませんでした。現在の定義を確認し、もう一度適用してください。",
            status=412,
        )


def apply_description(
    tx: Transaction,
    wanted: PoolDescription,
    who: Principal,
    at: datetime,
    keep: Callable[[PoolApplied], None],
) -> PoolApplied:
    """Write `wanted`. New hosts are cleaned before they carry anything. `keep` gets the answer
    before the journal is written to.

    Raises what the store refuses (such as `host-in-use`), and `pool-breaks-promise` when servers
    that stand would lose their place or their refuge; the caller's transaction must then end.
    """
    standing = describe(tx)
    changes = compare(standing, wanted)
    touched = {region.id for region in standing.regions}
    before = {region: _violations(tx, region) for region in touched}
    for region in wanted.regions:
        tx.put_region(region)
    for site in wanted.sites:
        tx.put_site(site)
    for host in wanted.hosts:
        tx.put_host_description(host.as_host(at))
    for flavor in wanted.flavors:
        tx.put_flavor(flavor)
    _remove_missing(tx, changes)
    for region_id in sorted(touched & {region.id for region in tx.regions()}):
        _certify(tx, region_id)
        _refuse_worse(region_id, before[region_id], _violations(tx, region_id))
    applied = _summary(changes, wanted)
    keep(applied)
    if changes:
        _tell(tx, changes, who, at)
    return applied


def _remove_missing(tx: Transaction, changes: Iterable[Change]) -> None:
    """Remove what the description leaves out, what stands in something before that something."""
    gone = [(c.thing, c.id) for c in changes if c.kind is ChangeKind.REMOVED]
    for thing, name in sorted(gone, key=lambda each: _INNERMOST_FIRST.index(each[0])):
        match thing:
            case "host":
                tx.remove_host(HostId(name))
            case "site":
                tx.remove_site(SiteId(name))
            case "region":
                tx.remove_region(RegionId(name))
            case "flavor":
                tx.remove_flavor(FlavorId(name))


_INNERMOST_FIRST = ("host", "site", "region", "flavor")


def _certify(tx: Transaction, region: RegionId) -> None:
    """Find refuges that fit the pool as it now is."""
    ledger = tx.ledger(region)
    found = recertify(ledger).refuges
    standing = ledger.certificate.refuges
    changes: dict[tuple[FailureDomain, ServerId], HostId | None] = {
        key: None for key in standing if key not in found
    }
    changes.update((key, host) for key, host in found.items() if standing.get(key) != host)
    tx.set_refuges(region, changes)


def _violations(tx: Snapshot, region: RegionId) -> dict[object, Violation]:
    """What is wrong with the region's promise, by what it is about."""
    return {(v.domain, v.workload, v.host, v.resource): v for v in check(tx.ledger(region))}


def _refuse_worse(
    region: RegionId, before: dict[object, Violation], after: dict[object, Violation]
) -> None:
    """What was wrong already, because a host has died, is no reason to refuse."""
    worse = [
        violation
        for about, violation in after.items()
        if about not in before or before[about].shortfall < violation.shortfall
    ]
    if not worse:
        return
    en, ja = worse[0].explain_en(), worse[0].explain_ja()
    raise YuiError(
        "pool-breaks-promise",
        en=f"This pool would break the promise to servers of region {region}, so nothing was changed: {en}",
        ja=f"この構成ではリージョン {region} のサーバーへの保証が守れないため、変更しませんでした。{ja}",
        status=409,
        fields={"region": region, "count": len(worse)},
    )


def _tell(tx: Transaction, changes: Iterable[Change], who: Principal, at: datetime) -> None:
    changed = [f"{change.kind} {change.thing} {change.id}" for change in changes]
    tx.add_event(
        Event(
            "pool.described",
            "pool",
            at,
            Severity.INFO,
            f"The pool was described anew by {who.label}: {len(changed)} things changed.",
            f"{who.label} さんがプールの定義を更新しました(変更 {len(changed)} 件)。",
            fields={"changes": changed[:100], "count": len(changed)},
        )
    )
    tx.add_audit(who.did("pool.apply", "pool", at, fields={"changes": changed[:100]}))


def _summary(changes: tuple[Change, ...], wanted: PoolDescription) -> PoolApplied:
    def of(thing: str, described: int) -> Changes:
        ids = {
            kind: [c.id for c in changes if c.thing == thing and c.kind is kind]
            for kind in ChangeKind
        }
        added, changed = ids[ChangeKind.ADDED], ids[ChangeKind.CHANGED]
        return Changes(
            added=added,
            changed=changed,
            removed=ids[ChangeKind.REMOVED],
            unchanged=described - len(added) - len(changed),
        )

    return PoolApplied(
        dry_run=False,
        regions=of("region", len(wanted.regions)),
        sites=of("site", len(wanted.sites)),
        hosts=of("host", len(wanted.hosts)),
        flavors=of("flavor", len(wanted.flavors)),
    )
