"""What an S3 store's refusals mean, and which of them are worth another try.

Codes are those of the Amazon S3 API Reference, "Error responses", and what Ceph, MinIO and others
answer in their place.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import Enum, auto
from http.client import HTTPException

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from control_plane.model.units import Seconds

FAILURES = (
    BotoCoreError,
    ClientError,
    HTTPError,
    HTTPException,
    OSError,
    ResponseParserError,
    ValueError,
)
"""Everything that asking a store can raise. ValueError: botocore reads numbers and times from headers
however they break off."""


class Verdict(Enum):
    AGAIN = auto()
    """It, or the way there, has trouble of its own: the same may succeed soon."""
    ABSENT = auto()
    """The object is not there."""
    PRESENT = auto()
    """A condition was not met: the object is there."""
    BEYOND = auto()
    """The object ends before the part that was asked for."""
    FULL = auto()
    DENIED = auto()
    """Credentials, or their rights."""
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """`says` such as "503 SlowDown", fit for an error's sentence. `wait` is what the store asks for
    before the next try."""

    verdict: Verdict
    says: str
    code: str = ""
    status: int = 0
    wait: Seconds = Seconds(0)


class NotAnAnswer(HTTPException):
    """It lacks what every answer of its kind has: it broke off in its head, or somebody on the way
    gave it, such as a proxy."""


class Declined(Exception):
    """The store's answer was no. `doubtful`: an earlier try of the same may have taken effect. Never
    leaves this package."""

    def __init__(self, answer: Answer, *, doubtful: bool) -> None:
        super().__init__(answer.says)
        self.answer = answer
        self.doubtful = doubtful


_BY_CODE = {
    "NoSuchKey": Verdict.ABSENT,
    "NoSuchVersion": Verdict.ABSENT,
    "PreconditionFailed": Verdict.PRESENT,
    "InvalidRange": Verdict.BEYOND,
    "QuotaExceeded": Verdict.FULL,
    "XMinioStorageFull": Verdict.FULL,
    "XMinioAdminBucketQuotaExceeded": Verdict.FULL,
    "InsufficientStorage": Verdict.FULL,
    # What arrived was not what was sent, or not all of it.
    "BadDigest": Verdict.AGAIN,
    "XAmzContentSHA256Mismatch": Verdict.AGAIN,
    "IncompleteBody": Verdict.AGAIN,
    "RequestTimeout": Verdict.AGAIN,
    # Two who put the same key at once.
    "ConditionalRequestConflict": Verdict.AGAIN,
    "OperationAborted": Verdict.AGAIN,
    "SlowDown": Verdict.AGAIN,
    "ServiceUnavailable": Verdict.AGAIN,
    "InternalError": Verdict.AGAIN,
}
_BY_STATUS = {
    401: Verdict.DENIED,
    403: Verdict.DENIED,
    408: Verdict.AGAIN,
    412: Verdict.PRESENT,
    416: Verdict.BEYOND,
    425: Verdict.AGAIN,
    429: Verdict.AGAIN,
    507: Verdict.FULL,
}
_NEVER = {501, 505}
"""Errors of a store's own that stay."""


def judge(error: Exception) -> Answer:
    if isinstance(error, ClientError):
        return _of_response(error)
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Answer(Verdict.REFUSED, "its certificate is not trusted here")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Answer(Verdict.REFUSED, "its certificate is not trusted here")
    if isinstance(error, NotAnAnswer | ResponseParserError | ValueError):
        return Answer(Verdict.AGAIN, "no answer of an S3 store")
    if isinstance(error, EndpointConnectionError):
        return Answer(Verdict.AGAIN, "no connection")
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return Answer(Verdict.AGAIN, "no answer in time")
    return Answer(Verdict.AGAIN, "the connection broke")


def _of_response(error: ClientError) -> Answer:
    about = error.response.get("ResponseMetadata", {})
    status = int(about.get("HTTPStatusCode", 0))
    code = _plain(str(error.response.get("Error", {}).get("Code", "")))
    says = str(status) if code in {"", str(status)} else f"{status} {code}"
    verdict = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if verdict is None:
        again = status >= 500 and status not in _NEVER
        verdict = Verdict.AGAIN if again else Verdict.REFUSED
    wait = str(about.get("HTTPHeaders", {}).get("retry-after", ""))
    return Answer(verdict, says, code, status, Seconds(int(wait) if wait.isdecimal() else 0))


def _plain(code: str) -> str:
    """A store's word, without whatever else it may have put there."""
    return "".join(c for c in code[:60] if c.isascii() and c.isalnum())
