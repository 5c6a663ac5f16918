"""A mutation that is sent twice is done once: the `Idempotency-Key` header.

The answer is kept in the same transaction as the change it tells of, so a crash at any point leaves
either both or neither, and a repeated request is answered with what was answered first. Refusals
are not kept: they changed nothing, and may be asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from control_plane.http.auth import principal_of
from control_plane.http.edge import Edge, edge_of
from control_plane.model.errors import YuiError
from control_plane.store import LostRace, Transaction
from control_plane.store.idempotency import IdempotentAnswer

T = TypeVar("T")

Body = Mapping[str, Any]

Remember = Callable[[Transaction, BaseModel], None]
"""Call it within the transaction that makes the change, with the answer about to be given."""

_TRIES = 3


def no_headers(_: Body) -> Mapping[str, str]:
    return {}


def _forget(_: Transaction, __: BaseModel) -> None:
    pass


@dataclass(frozen=True, slots=True)
class OnceOnly:
    """One request's promise to be done once; without a key it is simply done.

    `fingerprint` is a digest of method, path, query and body.
    """

    edge: Edge
    principal: str
    key: str | None
    fingerprint: str

    def run(
        self,
        work: Callable[[Remember], BaseModel],
        *,
        status: int = 200,
        headers: Callable[[Body], Mapping[str, str]] = no_headers,
        replay: Callable[[Body], Response] | None = None,
    ) -> Response:
        """Do `work`, or answer what was answered before under the same key.

        `work` gets a function to call within its transaction with the answer to keep, and returns
        the answer to give; it is one transaction, and is done again when it loses a race. A dry run
        keeps nothing. `replay` answers again where the plain answer must not be given twice. Raises
        `idempotency-key-reused` (422) when the key came with another request, and
        `idempotency-key-in-flight` (409).
        """
        if self.key is None:
            return _response(status, _persistently(lambda: work(_forget)), headers)
        with self.edge.in_flight.alone(self.principal, self.key):
            return self._run_with(self.key, work, status, headers, replay)

    def _run_with(
        self,
        key: str,
        work: Callable[[Remember], BaseModel],
        status: int,
        headers: Callable[[Body], Mapping[str, str]],
        replay: Callable[[Body], Response] | None,
    ) -> Response:
        def look_and_work() -> BaseModel | IdempotentAnswer:
            known = self._known(key)
            if known is not None:
                return known
            try:
                return work(remember)
            except YuiError:
                # Another process may have done the same request meanwhile, and this one is refused
                # because it is done already.
                known = self._known(key)
                if known is None:
                    raise
                return known

        def remember(tx: Transaction, answer: BaseModel) -> None:
            body = answer.model_dump(mode="json")
            at = self.edge.clock.now()
            tx.put_idempotent(
                IdempotentAnswer(key, self.principal, self.fingerprint, status, body, at)
            )

        answer = _persistently(look_and_work)
        if isinstance(answer, BaseModel):
            return _response(status, answer, headers)
        body = dict(answer.body or {})
        again = (
            JSONResponse(body, status_code=answer.status, headers=dict(headers(body)))
            if replay is None
            else replay(body)
        )
        again.headers["Idempotency-Replayed"] = "true"
        return again

    def _known(self, key: str) -> IdempotentAnswer | None:
        with self.edge.store.read() as tx:
            known = tx.find_idempotent(key, self.principal)
        if known is not None and known.fingerprint != self.fingerprint:
            raise YuiError(
                "idempotency-key-reused",
                en="This Idempotency-Key came with another request before: use a new key for a new request.",
                ja="この Idempotency-Key は別のリクエストで使用済みです。新しいリクエストには新しいキーを使ってください。",
                status=422,
            )
        return known


def _persistently(work: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return work()
        except LostRace:
            continue
    return work()


def _response(
    status: int, answer: BaseModel, headers: Callable[[Body], Mapping[str, str]]
) -> JSONResponse:
    body = answer.model_dump(mode="json")
    return JSONResponse(body, status_code=status, headers=dict(headers(body)))


async def _once_only(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=8,
            max_length=128,
            pattern=r"^[!-~]+$",
            description="8 to 128 visible ASCII characters, new for each new request, such as a UUID.",
        ),
    ] = None,
) -> OnceOnly:
    digest = hashlib.sha256()
    for part in (request.method, request.url.path, request.url.query):
        digest.update(part.encode() + b"\n")
    digest.update(await request.body())
    return OnceOnly(
        edge_of(request), principal_of(request).token, idempotency_key, digest.hexdigest()
    )


Once = Annotated[OnceOnly, Depends(_once_only)]
