"""The API's own description: OpenAPI 3.1, with problem documents for every error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from control_plane.http.auth import OPEN_PATHS
from control_plane.http.operation_names import operation_name
from control_plane.http.problems import MEDIA_TYPE, Problem

_METHODS = ("get", "put", "post", "delete", "patch")

_PROBLEMS: Mapping[str, tuple[str, str]] = {
    "400": (
        "Unreadable",
        "The request can't be read: its body, or a value in it, is not what it says.",
    ),
    "401": (
        "TokenNeeded",
        "No token came with the request, or one that is unknown, revoked or expired.",
    ),
    "403": ("PermissionMissing", "The token's role does not have the permission, which is named."),
    "404": ("NotFound", "There is no such thing, or it is another member's."),
    "409": ("Conflict", "The present state does not allow it, or the same key is being worked on."),
    "412": ("ChangedMeanwhile", "It has changed since the ETag in If-Match was read."),
    "413": ("TooLarge", "The request's body is too large."),
    "415": ("MediaTypeUnknown", "The request's body is not JSON by its Content-Type."),
    "422": ("Invalid", "The request can't be carried out; each mistake is named."),
    "429": ("RateLimited", "Too many requests: send the next after `Retry-After` seconds."),
    "500": ("Fault", "A fault on our side; nothing was kept."),
    "503": ("Unavailable", "Not at the moment: try again after `Retry-After` seconds."),
    "507": (
        "NoRoom",
        "There is no room that keeps every promise; the nearest miss and remedies are named.",
    ),
}
"""What each error is called in the description, and what it means."""

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until the next try is worth while.",
        "schema": {"type": "integer", "minimum": 0},
    }
}

_TAGS = (
    ("tenants", "Members, their systems and servers, and the catalogue they choose from."),
    ("networks", "Members' networks, security groups, and what members offer each other."),
    ("images", "The catalogue of disk images."),
    ("container groups", "What is to run in containers, on record until something runs them."),
    ("journal", "What is under way, what happened, and who did it."),
    ("access", "Who may use the API."),
    ("pool", "Hardware and its certificate: for the consortium's own staff."),
    ("health", "For monitoring."),
)


def describe_with_problems(app: FastAPI, *, but: str) -> None:
    """Make `app` describe what it truly does: bearer tokens, and problems in place of FastAPI's own
    validation errors. Paths below `but` speak for another API, which is described elsewhere."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app, but)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(app: FastAPI, but: str) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=app.description,
        routes=[route for route in app.routes if not _below(route, but)],
        tags=[{"name": name, "description": text} for name, text in _TAGS],
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["responses"] = {name: _problem(status) for status, (name, _) in _PROBLEMS.items()}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "`yui_<id>_<secret>`"}
    }
    for path, method, operation in _operations(document):
        operation["operationId"] = operation_name(method.upper(), path)
        # What FastAPI says of its own errors, but nothing that a route says of an answer of its own.
        said = operation["responses"].get("422", {}).get("content", {})
        if "HTTPValidationError" in str(said):
            del operation["responses"]["422"]
        for status in _refusals(path, method, operation):
            name = _PROBLEMS[status][0]
            operation["responses"].setdefault(status, {"$ref": f"#/components/responses/{name}"})
        operation["responses"]["default"] = _problem(None)
        operation["security"] = [] if path in OPEN_PATHS else [{"token": []}]
    return document


def _below(route: BaseRoute, path: str) -> bool:
    return str(getattr(route, "path", "")).startswith(f"{path}/")


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                yield path, method, operations[method]


def _refusals(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    if path not in OPEN_PATHS:
        yield from ("401", "403", "429")
    if "{" in path:
        yield "404"
    if method != "get":
        yield from ("400", "409", "413")
    if "requestBody" in operation:
        yield "415"
    names = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    if "if-match" in names:
        yield "412"
    if names or "requestBody" in operation:
        yield "422"
    yield from ("500", "503")


def _problem(status: str | None) -> dict[str, Any]:
    text = "A problem document (RFC 9457)." if status is None else _PROBLEMS[status][1]
    answer: dict[str, Any] = {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in ("409", "429", "503"):
        answer["headers"] = _RETRY_AFTER
    return answer
