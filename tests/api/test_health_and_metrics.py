"""What watches over the control plane from outside."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from control_plane.model.workload import Seen
from tests.api.conftest import MIKASA, Api, problem_of


def scrape(api: Api) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_count_hosts_servers_members_and_requests(api: Api) -> None:
    api.join(MIKASA)
    api.see_all(Seen.RUNNING)
    api.get("/v1/hosts/nowhere")
    found = scrape(api)
    up = (("duty", "in-service"), ("health", "up"), ("region", "kyoto"))
    assert found["yui_hosts", up] == 3
    assert found["yui_servers", (("status", "active"),)] == 2
    assert found["yui_servers", (("status", "stranded"),)] == 0
    assert found["yui_members", ()] == 1
    missed = (("method", "GET"), ("route", "/v1/hosts/{host_id}"), ("status", "404"))
    assert found["yui_http_requests_total", missed] == 1
    assert not any("nowhere" in repr(labels) for _, labels in found)


def test_members_may_not_count_each_other_by_the_metrics(api: Api) -> None:
    api.join(MIKASA)
    problem_of(api.tenant(MIKASA).get("/metrics"), 403, "permission-missing")


def test_without_its_state_the_api_is_not_healthy(api: Api) -> None:
    api.state_file.write_bytes(b"this is no database" * 1000)
    for leftover in ("-wal", "-shm"):
        api.state_file.with_name(api.state_file.name + leftover).unlink(missing_ok=True)
    answer = api.client.get("/healthz")
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
