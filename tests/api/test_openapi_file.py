"""The description of the API in the repository is the one that the API gives of itself."""

from __future__ import annotations

import json
from difflib import unified_diff

import pytest

from control_plane.http.operation_names import operation_name
from control_plane.openapi_file import FILE, as_text
from tests.api.conftest import Api


@pytest.mark.long
def test_the_file_says_what_the_api_says(untouched_api: Api) -> None:
    document = untouched_api.client.get("/openapi.json").json()
    difference = unified_diff(
        FILE.read_text(encoding="utf-8").splitlines(),
        as_text(document).splitlines(),
        "docs/openapi.json",
        "the API itself",
        lineterm="",
    )
    told = "\n".join(list(difference)[:200])
    assert not told, f"`make openapi` writes it anew; review what changed:\n{told}"


def test_operations_have_names_that_read_well() -> None:
    for method, path, name in (
        ("GET", "/v1/servers", "listServers"),
        ("POST", "/v1/servers", "createServer"),
        ("GET", "/v1/servers/{server}", "getServer"),
        ("POST", "/v1/servers/{server}/stop", "stopServer"),
        ("GET", "/v1/servers/{server}/refuges", "listServerRefuges"),
        ("GET", "/v1/servers/{server}/console", "getServerConsole"),
        ("PUT", "/v1/pool", "replacePool"),
        ("POST", "/v1/regions/{region_id}/certificate/check", "checkRegionCertificate"),
        ("DELETE", "/v1/service-accounts/{account_id}", "deleteServiceAccount"),
        ("POST", "/v1/break-glass", "openBreakGlass"),
        ("POST", "/v1/explain", "explain"),
    ):
        assert operation_name(method, path) == name


def test_every_error_that_an_operation_names_is_described() -> None:
    document = json.loads(FILE.read_text(encoding="utf-8"))
    described = document["components"]["responses"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")) and "$ref" in answer:
                    assert answer["$ref"].rpartition("/")[2] in described, (path, status)
