"""Every error leaves as a problem document (RFC 9457) in the reader's language.

`type` is `urn:yui:problem:` and the error's stable slug: programs match on it, people read `title`
and `detail`. The figures behind the sentence stand under `fields`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from control_plane.http.bounds import ResponseBody
from control_plane.http.language import Language, preferred
from control_plane.http.token_shapes import without_tokens
from control_plane.http.validation import validation_error
from control_plane.model.errors import YuiError

PROBLEM_TYPE = "urn:yui:problem:"
MEDIA_TYPE = "application/problem+json"

_TITLES: Mapping[int, tuple[str, str]] = {
    400: ("The request could not be read", "リクエストを読み取れません"),
    401: ("A token is needed", "トークンが必要です"),
    403: ("Not allowed", "許可されていません"),
    404: ("Not found", "見つかりません"),
    405: ("Method not allowed", "このメソッドは使えません"),
    408: ("The request came too slowly", "リクエストが時間内に届きませんでした"),
    409: ("In conflict with the present state", "現在の状態と矛盾しています"),
    412: ("It has changed since you read it", "読み取り後に変更されています"),
    413: ("The request is too large", "リクエストが大きすぎます"),
    415: ("The media type is not supported", "このメディアタイプは使えません"),
    422: ("The request can't be carried out", "このリクエストは実行できません"),
    429: ("Too many requests", "リクエストが多すぎます"),
    431: ("The request's head is too large", "リクエストのヘッダーが大きすぎます"),
    500: ("A fault on our side", "システム側の障害です"),
    503: ("Not available at the moment", "現在利用できません"),
    507: ("No room", "空きがありません"),
}


class Problem(ResponseBody):
    """An error as RFC 9457 has it, with `request_id` to quote when asking for help."""

    type: str = Field(examples=[f"{PROBLEM_TYPE}no-room"])
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    fields: dict[str, Any] = Field(default_factory=dict)


ErrorShape = Callable[[Scope, YuiError, Language, Mapping[str, str]], JSONResponse]
"""Makes the answer for an error where a problem document is not what the client reads."""


def problem(
    scope: Scope, error: YuiError, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer for `error` to the request of `scope`, whose state keeps the type as `problem`. Paths
    that speak for another API answer in its shape: what stands as `error_shape` in the state."""
    state = scope.setdefault("state", {})
    state["problem"] = error.type
    language = preferred(Headers(scope=scope).get("accept-language"))
    shape: ErrorShape | None = state.get("error_shape")
    if shape is not None:
        return shape(scope, error, language, headers or {})
    document = problem_document(
        error,
        language,
        instance=without_tokens(scope["path"])[:500],
        request_id=scope.get("state", {}).get("request_id", ""),
    )
    return JSONResponse(
        document,
        status_code=error.status,
        media_type=MEDIA_TYPE,
        headers={"Content-Language": language, "Vary": "Accept-Language", **(headers or {})},
    )


def problem_document(
    error: YuiError,
    language: Language = Language.EN,
    *,
    instance: str = "",
    request_id: str = "",
) -> dict[str, Any]:
    """A `Problem` as JSON."""
    ja = language is Language.JA
    title = _TITLES.get(error.status)
    if title is None:
        phrase = HTTPStatus(error.status).phrase
        title = (phrase, phrase)
    return Problem(
        type=PROBLEM_TYPE + error.type,
        title=title[1] if ja else title[0],
        status=error.status,
        detail=error.ja if ja else error.en,
        instance=instance,
        request_id=request_id,
        fields=error.fields,
    ).model_dump(mode="json")


def internal_error() -> YuiError:
    """What a reader is told of a fault of ours: nothing of its inside."""
    return YuiError(
        "internal-error",
        en="Something went wrong on our side; nothing of your request was kept. Try again, and quote the request id when it happens again.",
        ja="システム側で障害が起きました。変更は保存されていません。再度お試しのうえ、続く場合はリクエスト ID をお知らせください。",
        status=500,
    )


def answer_with_problems(app: FastAPI) -> None:
    """Make `app` answer every error that it knows of with a problem document."""

    async def yui_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, YuiError)  # noqa: S101 — how Starlette types handlers
        passing = error.status in (429, 503) or error.type == "idempotency-key-in-flight"
        retry = {"Retry-After": "1"} if passing else None
        return problem(request.scope, error, retry)

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 — as above
        return problem(request.scope, validation_error(error.errors()))

    async def http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 — as above
        return problem(request.scope, _of_http_exception(request, error), error.headers)

    app.add_exception_handler(YuiError, yui_error)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http_exception)


def _of_http_exception(request: Request, error: HTTPException) -> YuiError:
    path = request.url.path[:100]
    match error.status_code:
        case 404:
            return YuiError(
                "no-such-path",
                en=f"There is nothing at {path}: see /openapi.json for what there is.",
                ja=f"{path} には何もありません。使えるものは /openapi.json をご覧ください。",
                status=404,
            )
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            return YuiError(
                "method-not-allowed",
                en=f"{request.method} can't be used on {path}: use {allowed or 'another method'}.",
                ja=f"{path} に {request.method} は使えません。{allowed or '別のメソッド'} を使ってください。",
                status=405,
                fields={"allowed": [name.strip() for name in allowed.split(",") if name.strip()]},
            )
        case 400:
            return YuiError(
                "request-unreadable",
                en="The request's body could not be read: send one JSON value in UTF-8.",
                ja="リクエスト本文を読み取れませんでした。UTF-8 の JSON を1つ送ってください。",
                status=400,
            )
        case status:
            phrase = HTTPStatus(status).phrase
            return YuiError(
                phrase.lower().replace(" ", "-"),
                en=f"{phrase}.",
                ja=f"リクエストは処理されませんでした({phrase})。",
                status=status,
            )
