"""The API describes itself, truly, as OpenAPI 3.1."""

from __future__ import annotations

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.conftest import Api


@pytest.mark.long
def test_the_description_is_valid_openapi_3_1(untouched_api: Api) -> None:
    document = untouched_api.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_has_a_name_of_its_own_a_token_and_problems(untouched_api: Api) -> None:
    document = untouched_api.client.get("/openapi.json").json()
    names = []
    for path, operations in document["paths"].items():
        for operation in operations.values():
            names.append(operation["operationId"])
            content = operation["responses"]["default"]["content"]
            assert list(content) == ["application/problem+json"]
            assert operation["security"] == (
                [] if path in ("/healthz", "/v1/sign-in") else [{"token": []}]
            )
    assert len(names) == len(set(names))
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_mutation_offers_an_idempotency_key(untouched_api: Api) -> None:
    document = untouched_api.client.get("/openapi.json").json()
    reads_only = {
        "/v1/explain",
        "/v1/images/{image}/verify",
        "/v1/regions/{region_id}/certificate/check",
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            offered = {parameter["name"].lower() for parameter in operation.get("parameters", [])}
            # A part of an upload says by its offset whether it has come already.
            part = (method, path) == ("put", "/v1/images/uploads/{upload}")
            changes = method != "get" and path not in reads_only and not part
            assert ("idempotency-key" in offered) == changes, (method, path)
