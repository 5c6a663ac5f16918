"""Errors as each service of OpenStack writes them.

The sentences are those of the problem documents, in the reader's language; the header `Yui-Problem`
carries the problem's type. Shapes: Nova's and Cinder's faults, Neutron's `NeutronError`, Keystone's
`error`, Glance's `message`, as in the API references at docs.openstack.org/api-ref/.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from control_plane.http.language import Language
from control_plane.model.errors import YuiError
from tenants.openstack_api.answer_headers import mark
from tenants.openstack_api.links import identity_url
from tenants.openstack_api.neutron_errors import neutron_error
from tenants.openstack_api.sentences import fitting
from tenants.openstack_api.services import Service, service_of

_FAULTS: Mapping[int, str] = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
"""What Nova and Cinder call their faults; all others, 406 and 500 among them, are Nova's to both."""

_QUOTA: Mapping[Service, int] = {
    Service.COMPUTE: 403,
    Service.VOLUME: 413,
    Service.IMAGE: 413,
    Service.NETWORK: 409,
}
"""What each service answers where a quota is used up."""

_QUOTA_TYPES = frozenset(
    {"quota-exceeded", "image-quota-exceeded", "keypairs-too-many", "server-groups-too-many"}
)


def error_answer(
    scope: Scope, error: YuiError, language: Language, headers: Mapping[str, str]
) -> JSONResponse:
    """The answer for `error` to the request of `scope`, whose path is below the prefix."""
    service = service_of(scope["path"]) or Service.IDENTITY
    status = status_of(error, service)
    identity = identity_url(Request(scope))
    error = fitting(error, scope["path"], identity)
    message = error.ja if language is Language.JA else error.en
    told = {key: value for key, value in headers.items() if key.lower() != "www-authenticate"}
    told |= {"Yui-Problem": error.type, "Content-Language": language, "Vary": "Accept-Language"}
    if status == 401:
        told["WWW-Authenticate"] = f'Keystone uri="{identity}"'
    if service is Service.VOLUME and error.type in _QUOTA_TYPES:
        told.setdefault("Retry-After", "0")
    body = (
        neutron_error(scope["method"], error.type, message)
        if service is Service.NETWORK and status != 401
        else _body(service, status, message, told.get("Retry-After"))
    )
    answer = JSONResponse(body, status_code=status, headers=told)
    # Also where a fault of ours is answered outside of whatever marks answers.
    mark(answer.headers, scope)
    return answer


def status_of(error: YuiError, service: Service) -> int:
    """OpenStack's statuses for what `/v1` says with newer ones."""
    if error.type in _QUOTA_TYPES and service in _QUOTA:
        return _QUOTA[service]
    match error.status:
        case 422 | 431 | 408:
            return 400
        case 412 | 507:
            return 409
        case status:
            return status


def _body(service: Service, status: int, message: str, retry_after: str | None) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    if service is Service.IDENTITY or status == 401:
        # Before every service stands Keystone's own answer to strangers.
        return {"error": {"code": status, "title": title, "message": message}}
    if service is Service.IMAGE:
        return {"message": message, "code": f"{status} {title}", "title": title}
    fault: dict[str, Any] = {"code": status, "message": message}
    if retry_after is not None and status in (413, 429):
        fault["retryAfter"] = retry_after
    return {_FAULTS.get(status, "computeFault"): fault}
