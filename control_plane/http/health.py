"""Whether this process can do its work, and what Prometheus scrapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from control_plane.http.auth import needs
from control_plane.http.bounds import ResponseBody
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.workload import ServerStatus, status_of
from control_plane.store import Store

router = APIRouter(tags=["health"])

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health(ResponseBody):
    status: Literal["ok"] = "ok"


@router.get("/healthz")
def health(edge: AtHand) -> Health:
    """Answers when the state can be read; needs no token and tells nothing else."""
    with edge.store.read() as tx:
        tx.last_event()
    return Health()


@router.get("/metrics", response_class=Response)
def metrics(request: Request, _: Annotated[Principal, needs(Permission.METRICS_READ)]) -> Response:
    """For Prometheus, with an operator's token: the figures count what members may not count."""
    registry = cast(CollectorRegistry, request.app.state.registry)
    return Response(generate_latest(registry), media_type=METRICS_MEDIA_TYPE)


class StateCollector(Collector):
    """Counts what the state holds at the moment it is scraped."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterable[Metric]:
        """Nothing is read before the first scrape."""
        return []

    def collect(self) -> Iterable[Metric]:
        with self._store.read() as tx:
            hosts = Counter(
                (host.region, type(host.health).__name__.lower(), host.duty.value)
                for host in tx.hosts()
            )
            servers = Counter(status_of(server) for server in tx.servers())
            members = len(tx.tenants())
            last_event = tx.last_event()
        by_host = GaugeMetricFamily(
            "yui_hosts", "Hosts by health and duty.", labels=["region", "health", "duty"]
        )
        for labels, count in sorted(hosts.items()):
            by_host.add_metric(list(labels), count)
        by_status = GaugeMetricFamily("yui_servers", "Servers by status.", labels=["status"])
        for status in ServerStatus:
            by_status.add_metric([status.value], servers[status])
        yield by_host
        yield by_status
        yield GaugeMetricFamily("yui_members", "Members of the consortium.", value=members)
        yield GaugeMetricFamily("yui_last_event", "Number of the newest event.", value=last_event)
