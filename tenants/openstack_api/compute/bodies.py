"""How Compute's answers leave: as bytes, with the microversion that they were made for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

from tenants.openstack_api.compute.versions import COMPUTE_VERSIONS
from tenants.openstack_api.microversions import Version


def told(
    body: Mapping[str, Any] | None,
    version: Version,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`body` None is an empty answer."""
    return Response(
        None if body is None else orjson.dumps(body),
        status,
        {**COMPUTE_VERSIONS.headers(version), **(headers or {})},
        None if body is None else "application/json",
    )


def retold(
    done: Response, version: Version, *, headers: Mapping[str, str] | None = None
) -> Response:
    """What a promise to do it once answered, for that microversion."""
    for name, value in {**COMPUTE_VERSIONS.headers(version), **(headers or {})}.items():
        done.headers[name] = value
    return done


def emptied(done: Response, version: Version, status: int) -> Response:
    """The same without its body, which is kept for a request that is sent again."""
    replayed = done.headers.get("Idempotency-Replayed")
    headers = {} if replayed is None else {"Idempotency-Replayed": replayed}
    return told(None, version, status, headers)
