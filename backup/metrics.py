"""What Prometheus scrapes of backups: how far each is behind, and how old its last proof is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backup.records.estate import Blueprints
from backup.records.lags import statuses
from control_plane.drivers.world import Clock
from control_plane.model.backup.objectives import Shortfall
from control_plane.model.backup.upkeep import Upkeep, UpkeepWork
from control_plane.store import Store


class BackupCollector(Collector):
    """Reads the state at the moment that it is scraped. A system without a point, a copy or a proof has no
    figure for it: absence is what to be alarmed by."""

    def __init__(self, store: Store, blueprints: Blueprints, clock: Clock) -> None:
        self._store = store
        self._blueprints = blueprints
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing is read before the first scrape."""
        return []

    def collect(self) -> Iterable[Metric]:
        now = self._clock.now()
        with self._store.read() as tx:
            found = statuses(tx, self._blueprints, now)
            damaged = Counter(each.repository for each in tx.scrub_findings(open_only=True))
            parts = {
                (repository.id, tenant.code)
                for repository in tx.repositories()
                for tenant in tx.tenants()
            }
            upkeep = [each for each in tx.upkeep() if (each.repository, each.tenant) in parts]
        labels = ["tenant", "system"]
        lag = GaugeMetricFamily(
            "yui_backup_lag_seconds", "Age of the newest recovery point.", labels=labels
        )
        away = GaugeMetricFamily(
            "yui_backup_away_lag_seconds",
            "Age of the newest recovery point that stands apart from its system.",
            labels=labels,
        )
        copied = GaugeMetricFamily(
            "yui_backup_copy_lag_seconds",
            "Age of the newest recovery point in each repository.",
            labels=[*labels, "repository"],
        )
        proof = GaugeMetricFamily(
            "yui_backup_proof_age_seconds", "Time since a restore was last proven.", labels=labels
        )
        short = Counter(breach.what for each in found for breach in each.breaches)
        for each in found:
            of = [each.backup.system.tenant.text, each.backup.system.id]
            for family, at in (
                (lag, each.standing.newest),
                (away, each.standing.newest_away),
                (proof, each.standing.proven_at),
            ):
                if at is not None:
                    family.add_metric(of, (now - at).total_seconds())
            for repository, at in sorted(each.standing.by_repository.items()):
                copied.add_metric([*of, repository], (now - at).total_seconds())
        yield from (lag, away, copied, proof)
        shortfalls = GaugeMetricFamily(
            "yui_backup_shortfalls", "Systems not backed up as their policies say.", labels=["what"]
        )
        for what in Shortfall:
            shortfalls.add_metric([what.value], short[what])
        yield shortfalls
        findings = GaugeMetricFamily(
            "yui_backup_damaged_objects", "Damaged objects not healed yet.", labels=["repository"]
        )
        for repository, count in sorted(damaged.items()):
            findings.add_metric([repository], count)
        yield findings
        yield from _upkeep(upkeep, now)


def _upkeep(found: Iterable[Upkeep], now: datetime) -> Iterable[Metric]:
    collected = GaugeMetricFamily(
        "yui_backup_collection_age_seconds",
        "Time since what was let go was last cleared away wholly, and locks were extended.",
        labels=["repository", "tenant"],
    )
    failing = GaugeMetricFamily(
        "yui_backup_upkeep_failing_seconds",
        "For how long work that keeps repositories in order has not been done.",
        labels=["repository", "tenant", "work"],
    )
    for each in found:
        of = [each.repository, each.tenant.text]
        if each.work is UpkeepWork.COLLECTING and each.done_at is not None:
            collected.add_metric(of, (now - each.done_at).total_seconds())
        if each.failing_since is not None:
            since = (now - each.failing_since).total_seconds()
            failing.add_metric([*of, each.work.value], since)
    yield from (collected, failing)
