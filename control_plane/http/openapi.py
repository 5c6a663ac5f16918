"""The API's own description: OpenAPI 3.1, with problem documents for every error."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from control_plane.http.auth import OPEN_PATHS
from control_plane.http.problems import MEDIA_TYPE, Problem

_METHODS = ("get", "put", "post", "delete", "patch")


def describe_with_problems(app: FastAPI) -> None:
    """Make `app` describe what it truly does: bearer tokens, and problems in place of FastAPI's own
    validation errors."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=app.description,
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "`yui_<id>_<secret>`"}
    }
    problem = {
        "description": "A problem document (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path, operations in document["paths"].items():
        for method in _METHODS:
            operation = operations.get(method)
            if operation is None:
                continue
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = problem
            operation["security"] = [] if path in OPEN_PATHS else [{"token": []}]
    return document
